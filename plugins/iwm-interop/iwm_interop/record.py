"""Keeps in a run where its encoder's weights come from, when its training begins (`iwm_interop.published`)."""

import os
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.events import TrainStart
from iwm_core.run.files import write_record
from iwm_interop.exporting.origin import inherited, read_origin


def record(event: TrainStart) -> None:
    """Write ``RUN/import.json`` where an encoder was read from a file, or a tuning begins with one that was.

    Raises:
        UserError: the run began with other weights, and has no checkpoint yet to go on from.
    """
    student = getattr(event.model, "student", None)  # of a world model
    told: Any = inherited(event.run) if student is None else getattr(student, "origin", None)
    if told is None:
        return
    before = read_origin(event.run)
    if before is not None and before["sha256"] != told["sha256"]:
        raise UserError(
            f"encoder.weights: this run began with {before['file']} of SHA-256 {before['sha256'][:12]}…, and {told['file']} is now of "
            f"{told['sha256'][:12]}…; put the file back, or train another run"
        )
    if before is None and os.environ.get("RANK", "0") == "0":  # one of several processes
        write_record(event.run / "import.json", told, event.run / "config.yaml")
