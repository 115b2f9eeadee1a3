"""A plugin that slows the first turn of a SLURM job down, so that it is warned before it ends, at little cost of the processor."""

import os
import time

from iwm_core import hookimpl
from iwm_core.interfaces.events import StepEnd


@hookimpl
def iwm_step_end(event: StepEnd) -> None:
    if "SLURM_JOB_ID" in os.environ and "SLURM_RESTART_COUNT" not in os.environ:
        time.sleep(0.7)
