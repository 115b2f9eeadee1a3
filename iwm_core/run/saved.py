"""What a run has saved: its checkpoints, what the ``state.json`` of one tells, the lines of its logs. Needs no torch."""

import re
from pathlib import Path
from typing import Any, NotRequired, TypedDict, get_type_hints

from iwm_core.plugins.kinds import schemas, several
from iwm_core.process.shown import as_word
from iwm_core.recipe.shapes import Name, fitting
from iwm_core.run.stored import SEALS, Damaged, check_folder, check_owner, read_record


def read_config(path: Path) -> dict[str, Any]:
    """A run's frozen config, as plain data."""
    back = "bring back a copy of it; without its settings, a run is lost"
    config = {key: value for key, value in read_record(path, dict[Name, Any], back).items() if key not in SEALS}
    shapes = {"recipe": str, "kind": str, **{part: dict[str, Any] for schema in schemas() for part in (*schema.sections, *schema.groups)}}
    shapes |= dict.fromkeys(several(), dict[Name, dict[str, Any]])
    for key in shapes.keys() & config.keys():
        try:
            fitting(config[key], shapes[key], key)
        except ValueError as error:
            raise Damaged(path, f"is damaged ({error})", back) from error
    return config


class Logged(TypedDict):
    """What every line of metrics.jsonl has, and what is added up."""

    step: int
    skipped: NotRequired[int | None]
    corrupt: NotRequired[int | None]


class State(TypedDict):
    """The numbers in ``state.json``.

    Attributes:
        step, steps: done, and of the whole training.
        images: training images.
        seconds: of training, over all resumes.
        device: that trained it last, by its name.
        checksum, checksums: of this record, and of the tensors' files.
        config: checksum of the config.yaml that it was trained with.
    """

    step: int
    steps: int
    images: NotRequired[int]
    seconds: NotRequired[float]
    device: NotRequired[str]
    checksum: NotRequired[str]
    checksums: NotRequired[dict[str, str]]
    config: NotRequired[str | None]


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in ``folder``, or None where there is none yet."""
    steps = saved_steps(folder)
    return folder / f"step_{steps[-1]}" if steps else None


def saved_steps(folder: Path) -> list[int]:
    """Steps of the complete checkpoints, ascending."""
    return sorted(step for step in (step_of(path.name) for path in folder.glob("step_*")) if step >= 0)


def step_of(name: str) -> int:
    """The step in a checkpoint's name; -1 where it is none."""
    return int(name.removeprefix("step_")) if re.fullmatch(r"step_(0|[1-9][0-9]{0,17})", name) else -1


def read_state(checkpoint: Path, **needed: Any) -> dict[str, Any]:
    """The numbers in ``state.json``, and what else a kind of run keeps there, which must be of these types: ``outputs=list[str]``;
    `Damaged` where the file is missing or damaged, or of another step or recipe than the folder's."""
    path, back = checkpoint / "state.json", way_back(checkpoint)
    check_folder(checkpoint.parent)
    check_folder(checkpoint, back)
    shape: Any = TypedDict("shape", {**get_type_hints(State, include_extras=True), **needed})  # pyright: ignore
    state: dict[str, Any] = read_record(path, shape, back)
    if "checksums" in state and "checksum" not in state:
        raise Damaged(path, "is damaged (it lacks checksum)", back)
    if step_of(checkpoint.name) >= 0 and checkpoint.name != f"step_{state['step']}":
        raise Damaged(path, f"is of step {state['step']}, not of its folder's", back)
    together = "put back the config.yaml and the checkpoints that belong together"
    check_owner(path, state, checkpoint.parent.parent / "config.yaml", together)
    return state


def way_back(checkpoint: Path) -> str:
    """What to do where a checkpoint is damaged: the command that goes on from another, an older one if there is."""
    folder = checkpoint.parent
    others = [f"step_{step}" for step in saved_steps(folder) if f"step_{step}" != checkpoint.name]
    if not others:
        return f"there is no other checkpoint: remove {checkpoint} to start the run again from step 0"
    before = [name for name in others if step_of(name) < step_of(checkpoint.name)]
    return f"go on from another checkpoint with `iwm resume {as_word(folder.parent)} checkpoint={(before or others)[-1]}`"
