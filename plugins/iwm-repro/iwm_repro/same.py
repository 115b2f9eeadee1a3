"""Whether a run that is there is the one that a claim asks for now: recipes change, and so do the models that tunings began from.

Decisions:
- A run's frozen config is compared with its recipe, composed anew. What says where and how it is computed does not count, nor does an
  option that only one of two versions has.
- A run that differs is refused by name, not trained anew: it may be somebody's only copy.
"""

from typing import Any

from iwm_evals.measuring.settings import flatten
from iwm_tasks.tuning.begun_from import check_same
from omegaconf import OmegaConf

from iwm_core.interfaces.errors import UserError
from iwm_core.process.shown import as_word
from iwm_core.recipe.compose import compose
from iwm_core.run.directory import Run
from iwm_repro.places import Job

ELSEWHERE = ("run", "launch", "world_model", "checksum", "format")
"""What a config tells of places, machines and files."""


def refuse_others(jobs: list[Job]) -> None:
    """Refuse runs in the places of jobs that are not what the jobs would make now.

    Raises:
        UserError: the first of them, with what differs.
    """
    composed: dict[tuple[Any, ...], dict[str, str]] = {}
    for job in jobs:
        if not (job.path / "config.yaml").exists():
            continue
        kept = Run(job.path).plain_config()
        if job.source:
            check_same(kept["world_model"])
        key = job.work, job.seed if job.source else 0
        if key not in composed:
            choices = {"data": {"world_model": Run(job.source).plain_config()["data"]}} if job.source else None
            config = compose(job.work.recipe, list(job.work.overrides), choices)[0]
            composed[key] = compared(OmegaConf.to_container(config, resolve=True))
        wanted, there = composed[key], compared(kept)
        differing = [name for name in wanted.keys() & there.keys() if wanted[name] != there[name] and name != "train.seed"]
        if differing:
            name = min(differing)
            raise UserError(
                f"{job.path} was made with {name}={there[name]}, and recipe={job.work.recipe} has {wanted[name]} now; move it away to make "
                f"it anew: mv {as_word(job.path)} {as_word(f'{job.path}-before')}"
            )


def compared(config: Any) -> dict[str, str]:
    """A config's values by their dotted keys, as far as they count."""
    return flatten({key: value for key, value in config.items() if key not in ELSEWHERE})
