"""Hands commands to the scheduler, through submitit, and waits for them where that is asked for."""

import io
import math
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from iwm_cluster.command_line import Asked
from iwm_cluster.jobs import Ended, Job, at, elsewhere, reserve
from iwm_cluster.task import Task, run_of, status_file
from iwm_core.cli.main import dispatch
from iwm_core.cli.words import read_changes, read_recipe, read_run
from iwm_core.data.order import parts_of
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.plugins.recipe_files import find_recipe
from iwm_core.process.shown import shortened, tell
from iwm_core.recipe.overrides import checkpoint_in
from iwm_core.recipe.thaw import thaw
from iwm_core.run.files import numbered, writing
from iwm_core.run.new_run import refuse_named
from iwm_core.training.starting import composed

SEEN_WITHIN = 30.0
"""Seconds in which a file of a job that has ended is seen here: shared disks take a moment."""


def submit(asked: Asked) -> int:
    """``iwm submit``; returns 0, or, where it waits, the first status of a job that is not."""
    if asked.given.array:
        with elsewhere(lambda jobs: as_array(asked, jobs)):
            return dispatch([asked.verb, *asked.words])
    words, run = checked(asked)
    try:
        (job,) = send(asked, [Task([asked.verb, *words])])
    except BaseException:
        if run and run.is_dir() and not any(run.iterdir()):
            run.rmdir()
        raise
    if run:
        tell(str(run))  # alone on the first line, for scripts
    log, several = os.path.relpath(job.paths.stdout), "es" if asked.processes > 1 else ""
    tell(f"job {job.job_id} of {asked.processes} process{several}; it says how it goes in {log}")
    if not asked.given.wait:
        return 0
    (status,) = (status for _, status in ends(asked, [job]))
    tell(f"job {job.job_id} has ended with status {status}")
    return status


def checked(asked: Asked) -> tuple[list[str], Path | None]:
    """The words of a command, checked as far as can be away from the job's devices and disks; and the run's directory that they begin:
    where none is named, one is made here, so that it is known here."""
    if asked.verb == "resume":
        read_changes(asked.words, "resume")
    if asked.verb not in ("train", "tune") or {"-m", "--multirun"} & {*asked.words}:
        return asked.words, None
    rest = read_run(asked.words, "tune", "recipe=tune/NAME [key=value …]")[1] if asked.verb == "tune" else asked.words
    name, overrides = read_recipe(rest)
    overrides = checkpoint_in(overrides)[1]
    refuse_named(overrides)
    if asked.verb == "train":
        check_batch(thaw(composed(name, overrides)[0]), asked.processes)
    if named := run_of([asked.verb, *asked.words]):
        if "${" in named:
            raise UserError(f"a job that goes on finds its run by its name: write run={named} out")
        return asked.words, Path(named)
    run = reserve(find_recipe(name).name)
    return [*asked.words, at(run)], run


def check_batch(recipe: Any, processes: int) -> None:
    """Check that a recipe's batch can be divided among the processes."""
    if processes > 1 and recipe.launch.processes not in (1, processes):
        raise UserError(f"launch.processes={recipe.launch.processes}, but the job has {processes}: leave launch.processes out")
    parts_of(recipe.train.batch_size, max(processes, recipe.launch.processes), recipe.launch.accumulate)


def executor(asked: Asked, folder: Path) -> Any:
    """What hands jobs over, with all that is asked of the scheduler; what they say goes to ``folder``."""
    python, given = f"{shlex.quote(sys.executable)} -P", asked.given
    cpus = {"cpus_per_task": given.cpus_per_task} if given.cpus_per_task else {}
    gpus = {"gpus_per_node": given.gpus_per_node} if given.gpus_per_node else {}
    shared: dict[str, Any] = {
        "signal_delay_s": given.warning,
        "stderr_to_stdout": True,
        **gpus,
        **({"setup": list(given.setup)} if given.setup else {}),
    }
    if given.cluster == "local":
        local = submitit.LocalExecutor(folder, max_num_timeout=given.requeues, python=python)
        local.update_parameters(tasks_per_node=asked.tasks, timeout_min=asked.minutes, **shared)
        return local
    slurm = submitit.SlurmExecutor(folder, max_num_timeout=given.requeues, python=python)
    slurm.update_parameters(
        job_name=f"iwm {asked.verb}",
        time=math.ceil(asked.minutes),
        nodes=given.nodes,
        ntasks_per_node=asked.tasks,
        # srun does not take over --cpus-per-task, and without a word waits for the other tasks when one has failed.
        srun_args=["--kill-on-bad-exit=1", *(f"--cpus-per-task={count}" for count in cpus.values())],
        additional_parameters={"requeue": True, **asked.passed},
        **({"array_parallelism": given.jobs} if given.jobs else {}),
        **cpus,
        **shared,
    )
    return slurm


def send(asked: Asked, tasks: list[Task]) -> list[Any]:
    """Hand tasks to the scheduler, as an array where there are several; returns submitit's jobs.

    Raises:
        UserError: the scheduler refuses them, or a folder of what they say cannot be made.
    """
    folder = new_folder(asked)
    try:
        with redirect_stderr(io.StringIO()):  # where submitit repeats what the exception tells
            return executor(asked, folder).submit_array(tasks)
    except (FailedJobError, FailedSubmissionError) as error:
        shutil.rmtree(folder)
        why = " ".join(str(error).removeprefix("sbatch: error: ").split())
        raise UserError(shortened(f"SLURM refuses the job: {why}", 390)) from error


def new_folder(asked: Asked) -> Path:
    """A folder for what the jobs of one command say, such as ``runs/jobs/train-2``: what is left where they are refused can be removed."""
    logs = asked.given.logs
    with writing(logs, "make the folder", "choose another with --logs FOLDER"):
        logs.mkdir(parents=True, exist_ok=True)
        for folder in numbered(logs / asked.verb):
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
    raise AssertionError("there is always another number")


def as_array(asked: Asked, jobs: Iterable[Job]) -> Iterator[tuple[Job, Ended]]:
    """Jobs that a verb would run here, as an array of the scheduler.

    Raises:
        Stopped: they are submitted, and nobody waits for them.
    """
    wanted = list(jobs)
    if not wanted:
        return
    sent = send(asked, [Task(job.words) for job in wanted])
    tell(f"array {sent[0].job_id.partition('_')[0]} of {len(sent)} jobs; they say how they go in {os.path.relpath(sent[0].paths.folder)}")
    if not asked.given.wait:
        raise Stopped("once they have ended, the same command tells what has not finished, and goes on with that", 0)
    for number, status in ends(asked, sent):
        yield wanted[number]._replace(log=sent[number].paths.stdout), Ended(status, 0)


def ends(asked: Asked, jobs: list[Any]) -> Iterator[tuple[int, int]]:
    """Each job's number and exit status, as it ends."""
    left = dict(enumerate(jobs))
    alive: Callable[[Any], bool] = in_queue if asked.given.cluster == "slurm" else lambda job: not job.done()
    while left:
        for number, job in list(left.items()):
            status = status_of(job)
            if status is None and not alive(job):
                status = last_word(job)
            if status is not None:
                del left[number]
                yield number, status
        time.sleep(1 if len(jobs) < 10 else 5)


def status_of(job: Any) -> int | None:
    """The status that a job has left; None where it has not ended, or was ended."""
    file = job.paths.folder / status_file(job.job_id)
    return int(file.read_text()) if file.exists() else None


def last_word(job: Any) -> int:
    """The status of a job that the scheduler has let go; 1 where it was ended, as for want of memory, and could leave none."""
    until = time.monotonic() + SEEN_WITHIN
    while (status := status_of(job)) is None and time.monotonic() < until:
        time.sleep(0.5)
    return 1 if status is None else status


def in_queue(job: Any) -> bool:
    """Whether SLURM still has a job to run, or to end. A controller that does not answer is asked again."""
    asked = subprocess.run(["squeue", "--noheader", f"--jobs={job.job_id}", "--format=%T"], capture_output=True, text=True, check=False)
    return bool(asked.stdout.strip()) if asked.returncode == 0 else "Invalid job id" not in asked.stderr
