"""What the words of ``iwm export`` ask for."""

from pathlib import Path
from typing import NamedTuple

from iwm_core.cli.words import read_run
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.overrides import checkpoint_in
from iwm_core.run.directory import Run
from iwm_core.run.files import exists
from iwm_interop.verbs import FORMATS, Export

KNOWN = ("out", "licence", "checkpoint")
REST = f"out=FOLDER --format {'|'.join(FORMATS)} [--student] [licence=TEXT] [checkpoint=step_N]"


class Asked(NamedTuple):
    """A command line, read."""

    run: Run
    out: Path
    format: str
    student: bool
    licence: str | None


def read_arguments(words: list[str], given: Export) -> Asked:
    """The run, the place and the format.

    Raises:
        UserError: something is missing, cannot be read, or is taken.
    """
    path, words = read_run(words, "export", REST)
    checkpoint, words = checkpoint_in(words)
    told = dict[str, str]()
    for word in words:
        key, equals, value = word.partition("=")
        if key in ("out", "licence") and value.strip() and key not in told:
            told[key] = value.strip()
        else:
            once = equals and key in ("out", "licence")
            meant = f"{key}= takes one value, once; " if once else did_you_mean(key, KNOWN)
            raise UserError(f"cannot read {word!r}; {meant}write iwm export RUN {REST}")
    if "out" not in told:
        raise UserError(f"say where to: out=FOLDER; write iwm export RUN {REST}")
    out = Path(told["out"])
    if exists(str(out)):
        raise UserError(f"out={out} exists, and nothing is written over; choose another folder, or remove it")
    return Asked(Run.open(path, checkpoint), out, given.format, given.student, told.get("licence"))
