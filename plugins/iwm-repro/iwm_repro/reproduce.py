"""``iwm reproduce CLAIM``: train, tune and measure what a claim lacks, then rule on it.

Decisions:
- The cost is printed before anything begins. All recipes that are to be trained are composed and checked first. What is not to be used of
  the runs that are there (`iwm_repro.standing`) is told before the first run and at the end, and looked for again before a claim is ruled
  on: a recipe may be edited while its runs are made.
- Every run is a process of its own. All trainings come before the tunings of what they train, so that either can be a scheduler's array,
  and all runs of one seed before the next seed's: a claim that is stopped can be ruled on by the seeds that there are.
- It can be stopped and asked for again: finished runs are kept, unfinished ones go on where they are. One that fails is named, and does
  not stop the others but those that tune it. The record is written in any case, with what has not been run. After a
  signal, one line says how to go on: the run that it ended has said that it was.
- Whether runs and records can be written, and the records that are there be read, is looked at before the first run; a claim whose
  record cannot is left out.
- One process at a time makes runs of a scale, whose claims share them; whoever lacks none may look at the same time.
- Other seeds than the claim's own are held against the record, and do not replace it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iwm_cluster.jobs import Job as Command
from iwm_cluster.jobs import go_on, places_for, run_jobs

from iwm_core.interfaces.errors import UserError
from iwm_core.process.display import Display, make_display
from iwm_core.process.signals import named
from iwm_core.recipe.thaw import thaw
from iwm_core.run.files import writing
from iwm_core.run.lock import placing, writer, writer_of
from iwm_core.training.starting import composed
from iwm_repro.claim import SCALES, Claim
from iwm_repro.command_line import Asked
from iwm_repro.inside import tell_inside
from iwm_repro.places import RUNS, Job, has_finished, jobs_of, minutes_of
from iwm_repro.record import ELSEWHERE as RECORDS
from iwm_repro.record import Record, check_place, file_of, read_if_there, write
from iwm_repro.ruling import rule_on
from iwm_repro.shown import tell_record
from iwm_repro.standing import Recipes, Standing, not_to_be_used, standing_of

HERE = "start from a folder that can be written"


def reproduce(asked: Asked) -> int:
    """Run what is left of the claims, and rule on them; returns the first status that is not 0."""
    display, beside = make_display(), places_for(asked.at_once)
    claims, status = with_records(asked, display)
    needing: dict[Job, list[str]] = {}
    for claim in claims:
        for job in jobs_of(claim.sizes[asked.scale], seeds_of(asked, claim), asked.scale):
            needing.setdefault(job, []).append(claim.name)
    jobs = sorted(needing, key=lambda job: (job.source is not None, job.seed))  # stable: a claim's order is kept
    standing = standing_of(jobs, Recipes().check)
    display.say(cost_of(standing, asked.scale))
    failed, received = dict[Job, str](), 0
    if standing.left:
        for line in not_to_be_used(standing, needing):
            display.warn(line)
        check_recipes([job for job in standing.left if not job.path.is_dir()])
        with made_here(RUNS / asked.scale, display):
            ended, failed, received = run_all(standing, beside, display)
        status, standing = status or ended, standing_of(jobs, Recipes().check)
    status = status or 2 * bool(standing.wrong)
    for claim in claims:
        try:
            close(claim, asked, {job.path for job in standing.done}, display, quiet=bool(received))
        except UserError as error:  # the other claims are ruled on, and what has failed is told
            display.warn(f"{claim.name}: {error}")
            status = status or 2
    if received:
        display.say(f"ended by {named(received)}; go on with: iwm {' '.join(asked.words)}")
        return status
    for line in not_to_be_used(standing, needing):
        display.warn(line)
    names = {f"{job.path} ({', '.join(needing[job])})": why for job, why in failed.items() if job not in standing.wrong}
    for line in go_on(asked.words, names):
        display.say(line)
    return status


def with_records(asked: Asked, display: Display) -> tuple[list[Claim], int]:
    """The claims whose records can be read and written, and the status: 2 where others are left out, which are told.

    Raises:
        UserError: all are left out.
    """
    able, status = list[Claim](), 0
    for claim in asked.claims:
        try:
            check_records(claim, asked)
            able.append(claim)
        except UserError as error:
            if len(asked.claims) == 1:
                raise
            display.warn(f"{claim.name} is left out: {error}")
            status = 2
    if not able:
        raise UserError(f"the records of all {len(asked.claims)} claims are unusable, as told above; write out=FOLDER")
    return able, status


@contextmanager
def made_here(folder: Path, display: Display) -> Iterator[None]:
    """Be the one who makes runs in a folder.

    Raises:
        UserError: there is another, or the folder cannot be written.
    """
    with writing(folder, "make the folder", HERE):
        folder.mkdir(parents=True, exist_ok=True)
    if other := writer_of(folder):
        raise UserError(f"{folder} is in use by {other}; wait until that ends, then ask again: what it has finished is not run again")
    with writer(folder, "reproduce", display.warn, HERE):
        yield


def seeds_of(asked: Asked, claim: Claim) -> tuple[int, ...]:
    """The seeds that a claim is run with."""
    return asked.seeds or claim.sizes[asked.scale].seeds


def check_records(claim: Claim, asked: Asked) -> None:
    """Check, before anything is run for it, that a claim's records can be read and written.

    Raises:
        UserError: one cannot.
    """
    read_if_there(file_of(claim.results, claim.name, asked.scale))
    own = seeds_of(asked, claim) == claim.sizes[asked.scale].seeds
    if own or asked.out:
        folder = asked.out or place_of(claim)
        read_if_there(file_of(folder, claim.name, asked.scale)) if own else None
        check_place(folder)


def cost_of(standing: Standing, scale: str) -> str:
    """What is to come, in a line."""
    done, missing, wrong = (len(jobs) for jobs in standing)
    if not missing:
        return f"{done} of {done + wrong} runs are there, and none is to do" if wrong else f"all {done} runs are there"
    kept = (f", {done} are there" if done else "") + (f", {wrong} cannot be used" if wrong else "")
    return f"{missing} of {sum(map(len, standing))} runs to do{kept}: about {minutes_of(standing.left):.0f} minutes on {SCALES[scale]}"


def check_recipes(jobs: list[Job]) -> None:
    """Compose the recipes that are to be trained.

    Raises:
        UserError: one cannot be composed.
    """
    for work in dict.fromkeys(job.work for job in jobs if job.source is None):
        thaw(composed(work.recipe, list(work.overrides))[0])


def run_all(standing: Standing, beside: list[dict[str, str]], display: Display) -> tuple[int, dict[Job, str], int]:
    """Run the jobs that are left, trainings before tunings; the first status that is not 0, what has not finished, and why, and the signal
    that came."""
    status, failed, jobs = 0, dict[Job, str](), standing.left
    by_name, unusable = {job.path.name: job for job in jobs}, {job.path for job in standing.wrong}
    for tunings in (False, True):
        stage = [(number, job) for number, job in enumerate(jobs, 1) if (job.source is not None) == tunings]
        for command, ended in run_jobs(left(stage, len(jobs), unusable, display), beside):
            job = by_name[command.name]
            status = 128 + ended.received if ended.received else status or ended.status
            if ended.status or not has_finished(job.path):
                failed[job] = f"status {ended.status}" + (f"; it says why in {command.log}" if command.log else "")
            if ended.received:
                return status, failed, ended.received
        for job in (job for _, job in stage if job.source and (job.source in unusable or not has_finished(job.source))):
            why = "cannot be used" if job.source in unusable else "has not finished"
            failed[job], status = f"not begun, as {job.source} {why}", status or 1
    return status, failed, 0


def left(jobs: list[tuple[int, Job]], total: int, unusable: set[Path], display: Display) -> Iterator[Command]:
    """The jobs of a stage, each once its turn comes, that have not finished by then; tunings of what cannot be tuned are left out."""
    for number, job in jobs:
        tunable = job.source is None or (job.source not in unusable and has_finished(job.source))
        if tunable and not has_finished(job.path):
            display.say(f"run {number} of {total}: {job.path}")
            yield Command(job.path.name, job.words, job.path.with_name(f"{job.path.name}.log"))


def close(claim: Claim, asked: Asked, done: set[Path], display: Display, quiet: bool) -> None:
    """Rule on a claim by the runs that are ``done``, write its record, and show it unless ``quiet``; of other seeds than its own, show how
    they lie to the record.

    Raises:
        UserError: the record cannot be read or written.
    """
    seeds = seeds_of(asked, claim)
    own = seeds == claim.sizes[asked.scale].seeds
    shown = f"iwm reproduce {claim.name} --scale {asked.scale}" + ("" if own else f" --seeds {','.join(map(str, seeds))}")
    found = rule_on(claim, asked.scale, seeds, shown, done)
    if not quiet:
        tell_record(found)
    kept = file_of(claim.results, claim.name, asked.scale)
    file = file_of(asked.out or place_of(claim), claim.name, asked.scale)
    if own:
        written(found, file, display, quiet)
        return
    if not quiet and (record := read_if_there(kept)):
        tell_inside(found, record)
    elif not quiet:
        display.say(f"nothing is on record to hold them against: `iwm reproduce {claim.name} --scale {asked.scale}` makes the record")
    if asked.out:
        written(found, file.with_stem(f"{file.stem}-seeds-{'-'.join(map(str, seeds))}"), display, quiet)


def place_of(claim: Claim) -> Path:
    """Where a claim's record is written: beside its others in a checkout, and here where that is an installed package."""
    return RUNS if "site-packages" in claim.results.parts else claim.results


def written(record: Record, file: Path, display: Display, quiet: bool) -> None:
    """Write a record, unless there is nothing in it, or runs are missing that the one that is there has."""
    if not record.cost.runs:
        if not quiet:
            display.say("nothing has finished, so that there is nothing to write yet")
        return
    check_place(file.parent)
    with placing(file.parent, "reproduce", display.warn, RECORDS):  # another may look at the same claim
        before = read_if_there(file)
        if record.missing and before and before.cost.runs > record.cost.runs and not set(before.seeds) < set(record.seeds):
            if not quiet:
                display.say(f"{file} holds {before.cost.runs} runs, and here are {record.cost.runs}; it is left as it is: write out=FOLDER")
            return
        write(record, file)
    if not quiet:
        display.say(f"wrote {file}")
