"""Reads the command line of ``iwm push``."""

import re
from typing import NamedTuple

from iwm_core.cli.words import read_run
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.overrides import checkpoint_in
from iwm_core.run.directory import Run

REST = "OWNER/NAME [--public] [licence=TEXT] [checkpoint=step_N]"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class Asked(NamedTuple):
    """A command line, read."""

    run: Run
    name: str
    public: bool
    licence: str | None


def read_arguments(arguments: list[str]) -> Asked:
    """The run and the name on the Hub.

    Raises:
        UserError: something is missing or cannot be read.
    """
    path, words = read_run(arguments, "push", REST)
    checkpoint, words = checkpoint_in(words)
    names, public, licence = list[str](), False, None
    for word in words:
        key, equals, value = word.partition("=")
        if word == "--public":
            public = True
        elif key == "licence" and value.strip() and licence is None:
            licence = value.strip()
        elif equals or word.startswith("-"):
            raise UserError(f"cannot read {word!r}; {did_you_mean(key, ('--public', 'licence', 'checkpoint'))}write iwm push RUN {REST}")
        else:
            names.append(word.removeprefix("hf://"))
    if len(names) != 1 or not NAME.fullmatch(names[0]):
        raise UserError(f"say as what, once, with the owner before it: iwm push RUN {REST}")
    return Asked(Run.open(path, checkpoint), names[0], public, licence)
