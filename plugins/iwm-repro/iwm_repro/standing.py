"""How the runs of claims stand: finished, left to do, or not to be used, and why.

Decisions:
- A run counts for what its frozen config says, not for its place: it must be what its recipe says now, with the place's seed, and a
  tuning must have begun from the world model in its claim's place. Recipes change, and runs are copied. What says where and how a run is
  computed does not count, nor does an option that only one of two versions has.
- A list of all claims looks at seeds, and not at recipes: to compose those of 60 models takes 20 s.
- What differs or cannot be read is told with its claim, and neither used nor trained anew: it may be somebody's only copy. The other
  runs go on.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from iwm_evals.measuring.settings import flatten
from iwm_tasks.tuning.begun_from import check_same, weights_of

from iwm_core.interfaces.errors import UserError
from iwm_core.process.shown import as_word
from iwm_core.run.directory import Run
from iwm_core.run.lock import writer_of
from iwm_core.run.new_run import left_behind
from iwm_repro.places import Job, finished

ELSEWHERE = ("run", "launch", "world_model", "checksum", "format")
"""What a config tells of places, machines and files."""


class Standing(NamedTuple):
    """Jobs by how they stand; of those that are not to be used, why."""

    done: list[Job]
    left: list[Job]
    wrong: dict[Job, str]


def standing_of(jobs: Iterable[Job], check: Callable[[Job], object]) -> Standing:
    """How jobs stand now; what is tuned comes before its tunings. ``check`` raises a `UserError` for a run that is another's."""
    found = Standing([], [], {})
    for job in jobs:
        try:
            if not is_there(job.path):
                found.left.append(job)
                continue
            if job.source and any(other.path == job.source for other in found.wrong):
                raise UserError(f"it tunes {job.source}, which cannot be used")
            check(job)
            (found.done if finished(job.path) else found.left).append(job)
        except (UserError, OSError) as error:
            found.wrong[job] = " ".join(str(error).split())
    return found


def not_to_be_used(standing: Standing, needing: dict[Job, list[str]]) -> list[str]:
    """A line for each run that is not to be used, with the claims that need it."""
    return [f"{job.path} ({', '.join(needing[job])}) cannot be used: {why}" for job, why in standing.wrong.items()]


def is_there(path: Path) -> bool:
    """Whether there is a run; what a start has left that was killed is none.

    Raises:
        UserError: something else lies there.
    """
    if (path / "config.yaml").exists():
        return True
    if path.exists() and (not path.is_dir() or not (left_behind(path) or writer_of(path))):
        raise UserError(f"it has no config.yaml, and so is no run; bring that back, or {anew(path)}")
    return False


def anew(path: Path) -> str:
    """How to have a run made anew."""
    return f"move it away to make it anew: mv {as_word(path)} {as_word(f'{path}-before')}"


def check_seed(job: Job) -> dict[str, Any]:
    """The config of the run in a job's place, which must be of the job's seed.

    Raises:
        UserError: it is of another, or cannot be read.
    """
    kept = Run(job.path).plain_config()
    if (seed := kept.get("train", {}).get("seed")) != job.seed:
        raise UserError(f"it was made with train.seed={seed}, and its place is that of {job.seed}; {anew(job.path)}")
    return kept


class Recipes:
    """What recipes say now, each composed once."""

    def __init__(self) -> None:
        self.composed: dict[tuple[Any, ...], dict[str, str]] = {}

    def check(self, job: Job) -> None:
        """Check that the run in a job's place is what the job would make now.

        Raises:
            UserError: it is not, or its recipe cannot be composed.
        """
        kept = check_seed(job)
        wanted, there = self.wanted(job), compared(kept)
        differing = [name for name in wanted.keys() & there.keys() - {"train.seed"} if wanted[name] != there[name]]
        if differing:
            name = min(differing, key=lambda name: (name not in ("kind", "recipe"), name))
            made, now = f"it was made with {name}={there[name]}", f"recipe={job.work.recipe} has {wanted[name]} now"
            raise UserError(f"{made}, and {now}; {anew(job.path)}")
        if job.source:
            check_same(kept["world_model"])
            begun, lies = kept["world_model"].get("weights"), weights_of(Run(job.source).newest())
            if begun not in (None, lies):
                raise UserError(f"it began from another world model than {job.source}; {anew(job.path)}")

    def wanted(self, job: Job) -> dict[str, str]:
        """What a job's recipe says now."""
        from iwm_core.recipe.compose import compose  # with Hydra, which a list of claims without runs does not need

        key = job.work, job.source
        if key not in self.composed:
            from omegaconf import OmegaConf

            choices = {"data": {"world_model": Run(job.source).plain_config()["data"]}} if job.source else None
            config = compose(job.work.recipe, list(job.work.overrides), choices)[0]
            self.composed[key] = compared(OmegaConf.to_container(config, resolve=True))
        return self.composed[key]


def compared(config: Any) -> dict[str, str]:
    """A config's values by their dotted keys, as far as they count."""
    return flatten({key: value for key, value in config.items() if key not in ELSEWHERE})
