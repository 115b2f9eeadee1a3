"""``iwm compare``: tune a world model by several protocols, some seeds each, and put them into one table (PAPER §7, the paper's Figure 3).

Decisions:
- All recipes are composed and checked before the first training begins.
- Every tuning is a run and a process of its own. All protocols are trained with one seed before the next seed: an interrupted
  comparison still compares like with like.
- It can be stopped and asked for again: finished tunings are kept, unfinished ones go on where they are.
- Several can run at a time (``--jobs``), which changes none of them.
- A tuning that fails does not stop the others; a signal does. The table is written after each tuning from those that have finished.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from iwm_cluster.jobs import Ended, at, go_on, places_for, run_jobs
from iwm_cluster.jobs import Job as Command
from iwm_evals.measuring.tables import three_digits

from iwm_core.interfaces.errors import UserError
from iwm_core.process.display import Display, clock, make_display
from iwm_core.run.files import writing
from iwm_core.run.lock import writer
from iwm_tasks.comparison.arguments import RECIPES, about, read_setup
from iwm_tasks.comparison.comparison_page import MISSING, can_write_page
from iwm_tasks.comparison.presentation import show_tables, write_comparison
from iwm_tasks.comparison.records import Comparison
from iwm_tasks.comparison.setup import Setup, find_folder, write_folder
from iwm_tasks.comparison.tabulate import FinishedTuning, MadeRows, read_finished, tables_of
from iwm_tasks.tuning.begun_from import source_of

ELSEWHERE = "choose another with run=FOLDER"


class Job(NamedTuple):
    """A tuning of a comparison."""

    protocol: str
    seed: int
    path: Path

    @property
    def begun(self) -> bool:
        """Whether its run is there."""
        return (self.path / "config.yaml").is_file()


def compare(path: str, words: list[str], at_once: int = 1) -> int:
    """Run what is left of a comparison, ``at_once`` tunings at a time, write and show its table; returns the first status that is not 0."""
    display, beside = make_display(), places_for(at_once)
    wanted, named = read_setup(path, words)
    folder, asked = find_folder(wanted, named)
    jobs = jobs_of(wanted, folder)
    for job in jobs_of(asked, folder):  # damage is reported before anything is trained
        read_finished(job.path, asked.weights)
    check_all(asked, [job for job in jobs if not job.begun])
    with writing(folder, "make the folder", ELSEWHERE):
        folder.mkdir(parents=True, exist_ok=True)
    with writer(folder, "compare", display.warn, ELSEWHERE):
        asked = find_folder(wanted, str(folder))[1]  # by now, another may have been here
        write_folder(folder, asked)
        display.say(str(folder))  # alone on the first line, for scripts
        return run_tunings(wanted, asked, folder, jobs, beside, display)


def run_tunings(wanted: Setup, asked: Setup, folder: Path, jobs: list[Job], beside: list[dict[str, str]], display: Display) -> int:
    """Run those of the jobs that are left."""
    status, named, failed = 0, {job.path.name: job for job in jobs}, dict[str, str]()
    known: MadeRows = {}
    for command, ended in run_jobs(left(asked, folder, jobs, display), beside):
        job = named[command.name]
        done = read_finished(job.path, asked.weights) if ended.status == 0 else None
        if done is not None:
            write_comparison(gather(asked, folder, known), folder)
            display.say(f"{job.path.name}: {tuning_in_short(done)}")
        else:
            failed[command.name] = how(ended) + (f"; it says why in {command.log}" if command.log else "")
            if not ended.received:
                display.warn(f"{job.protocol} with seed {job.seed} {how(ended)}; the others go on")
        status = 128 + ended.received if ended.received else status or ended.status or int(done is None)
    finish(asked, folder, known, display)
    for line in go_on(wanted.words(folder, len(beside)), failed):
        display.say(line)
    return status


def left(asked: Setup, folder: Path, jobs: list[Job], display: Display) -> Iterator[Command]:
    """The tunings that have not finished, each once its turn comes.

    Raises:
        UserError: another model lies in the world model's place by then.
    """
    for number, job in enumerate(jobs, 1):
        if read_finished(job.path, asked.weights) is not None:
            display.say(f"{job.path.name}: done already")
            continue
        display.say(f"tuning {number} of {len(jobs)}: {job.protocol}, seed {job.seed}")
        if not job.begun and source_of(asked.world_model, asked.checkpoint)[0].get("weights") != asked.weights:
            raise UserError(f"{asked.checkpoint} of {asked.shown} is another model than when this began; bring that one back")
        yield Command(job.path.name, words_of(asked, job), folder / f"{job.path.name}.log")


def jobs_of(asked: Setup, folder: Path) -> list[Job]:
    """The tunings of a comparison, in the order in which they are run."""
    return [Job(name, seed, folder / f"{name}-seed{seed}") for seed in range(asked.seeds) for name in asked.protocols]


def check_all(asked: Setup, jobs: list[Job]) -> None:
    """Compose and check the recipes of tunings that are to begin.

    Raises:
        UserError: one does not fit the world model, the data or this machine.
    """
    if jobs:
        from iwm_tasks.tuning.start import check

        for name in dict.fromkeys(job.protocol for job in jobs):
            check(asked.shown, f"{RECIPES}{name}", asked.overrides_of(name), asked.checkpoint)


def words_of(asked: Setup, job: Job) -> list[str]:
    """What begins a tuning, or goes on with it."""
    if job.begun:
        return ["resume", str(job.path)]
    return [
        *("tune", asked.shown, f"recipe={RECIPES}{job.protocol}", f"train.seed={job.seed}", at(job.path)),
        f"checkpoint={asked.checkpoint}",
        *asked.overrides_of(job.protocol),
    ]


def how(ended: Ended) -> str:
    """How a tuning ended that has not finished."""
    killed = "; status 137 is often too little memory: try a smaller batch or a larger launch.accumulate" if ended.status == 137 else ""
    return f"ended with status {ended.status}{killed}" if ended.status else "has not finished, or was not measured"


def gather(asked: Setup, folder: Path, known: MadeRows) -> Comparison:
    """What has been found so far, in all runs of the folder; ``known`` are rows of tables, which take a while, from the last time."""
    protocols: dict[str, dict[int, FinishedTuning]] = {name: {} for name in asked.protocols}
    missing: dict[str, list[int]] = {}
    for job in jobs_of(asked, folder):
        tuned = read_finished(job.path, asked.weights)
        if tuned is None:
            missing.setdefault(job.protocol, []).append(job.seed)
        else:
            protocols[job.protocol][job.seed] = tuned
    return Comparison(
        name=Path(asked.world_model).resolve().name,
        world_model=asked.shown,
        checkpoint=asked.checkpoint,
        protocols={name: about(name) for name in asked.protocols},
        seeds=asked.seeds,
        overrides=asked.overrides,
        own=asked.own,
        tables=tables_of(protocols, known),
        missing={name: missing[name] for name in asked.protocols if name in missing},
        command=asked.command(folder),
    )


def tuning_in_short(tuned: FinishedTuning) -> str:
    """What came of a tuning, in a line."""
    values = ", ".join(f"{name} {main} {three_digits(task.metrics(rows)[main])}" for name, (task, main, rows) in tuned.tasks.items())
    return f"{values}, in {clock(tuned.cost.seconds)}"


def finish(asked: Setup, folder: Path, known: MadeRows, display: Display) -> None:
    """Write and show what there is."""
    found = gather(asked, folder, known)
    if not found.tables:
        display.say("no tuning has finished, so that there is nothing to compare yet")
        return
    paths = write_comparison(found, folder)
    show_tables(found)
    display.say(f"wrote {', '.join(str(path) for path in paths)}")
    if not can_write_page():
        display.say(MISSING)
