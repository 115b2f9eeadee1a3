"""What runs in a task of a job, as submitit keeps it: a command line, on one of the job's processes.

Decisions:
- A training handles the scheduler's warning itself: all processes stop after the same step, with a checkpoint. Then the signal is raised
  once more, for submitit, which queues the job again.
- A job that begins again goes on with its run where there is one: so does one that the scheduler itself has queued again.
- SIGTERM ends a job with a checkpoint and does not queue it again: where it tells of a preemption, the scheduler does that; else it was
  `scancel`.
- Its status lies in a file beside what it says, since not all clusters keep accounts.
"""

import os
import signal
import sys
from pathlib import Path

import submitit
from submitit.core.utils import UncompletedJobError

from iwm_cluster.children import loopback
from iwm_core.cli.main import command
from iwm_core.process.shown import tell
from iwm_core.recipe.overrides import parse
from iwm_core.run.files import write_atomically

BEGIN = ("train", "tune")
"""The verbs that begin a run."""


class Task:
    """A command line of ``iwm``, its words after the name."""

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def __call__(self) -> None:
        here = submitit.JobEnvironment()
        file = here.paths.folder / status_file(here.job_id)
        if here.global_rank == 0:
            file.unlink(missing_ok=True)
        if here.num_tasks > 1:
            submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
            os.environ.update(loopback() if here.num_nodes == 1 else {})
        words = going_on(self.words)
        sys.argv = ["iwm", *words]
        status = command(words)
        warning = signal.Signals[f"SIG{here.USR_SIG}"]
        if status == 128 + warning:
            try:
                signal.raise_signal(warning)  # the first process ends here
            except UncompletedJobError as error:
                tell(f"iwm: {error}", sys.stderr)
            else:
                return
        if here.global_rank == 0:
            write_atomically(file, str(status))
        if status:
            sys.exit(status)

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What is queued in place of this: the same."""
        return submitit.helpers.DelayedSubmission(self)


def status_file(job: str) -> str:
    """The name of the file in which a job leaves its exit status."""
    return f"{job}_status"


def run_of(words: list[str]) -> str:
    """The run's directory that a command begins, where its words name one."""
    begins = words[0] in BEGIN and not {"-m", "--multirun"} & {*words}
    named = [parse([word])[0].value() for word in words if begins and word.startswith("run=")]
    return str(named[-1] or "") if named else ""


def going_on(words: list[str]) -> list[str]:
    """The command, or what goes on with the run that it has begun before."""
    run = run_of(words)
    return ["resume", run] if run and (Path(run) / "config.yaml").exists() else words
