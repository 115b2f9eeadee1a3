"""What the words of ``iwm push`` ask for."""

import re
from typing import NamedTuple

from iwm_core.cli.words import read_run
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.overrides import checkpoint_in
from iwm_core.run.directory import Run
from iwm_interop.verbs import Push

REST = "OWNER/NAME [--public] [licence=TEXT] [checkpoint=step_N]"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
LONGEST = 96
"""Signs of a name on the Hub."""


def is_name(name: str) -> bool:
    """Whether the Hub takes a name, OWNER/NAME."""
    return (
        bool(NAME.fullmatch(name)) and len(name) <= LONGEST and not any(part in name for part in ("--", "..")) and not name.endswith(".git")
    )


def is_revision(name: str) -> bool:
    """Whether a name may be that of a branch, a tag or a commit."""
    return bool(REVISION.fullmatch(name)) and ".." not in name and "//" not in name


class Asked(NamedTuple):
    """A command line, read."""

    run: Run
    name: str
    public: bool
    licence: str | None


def read_arguments(words: list[str], given: Push) -> Asked:
    """The run and the name on the Hub.

    Raises:
        UserError: something is missing or cannot be read.
    """
    path, words = read_run(words, "push", REST)
    checkpoint, words = checkpoint_in(words)
    names, licence = list[str](), None
    for word in words:
        key, equals, value = word.partition("=")
        if key == "licence" and value.strip() and licence is None:
            licence = value.strip()
        elif equals:
            meant = "licence= takes one text, once; " if key == "licence" else did_you_mean(key, ("licence", "checkpoint"))
            raise UserError(f"cannot read {word!r}; {meant}write iwm push RUN {REST}")
        else:
            names.append(word.removeprefix("hf://"))
    if len(names) != 1 or not is_name(names[0]):
        raise UserError(f"say as what, once, with the owner before it: iwm push RUN {REST}")
    return Asked(Run.open(path, checkpoint), names[0], given.public, licence)
