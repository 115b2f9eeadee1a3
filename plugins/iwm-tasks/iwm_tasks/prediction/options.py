"""Reads the command line of ``iwm predict``."""

from typing import NamedTuple

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.sources import fetched
from iwm_core.run.directory import Run
from iwm_core.run.files import exists

USE = "iwm predict RUN IMAGE-or-FOLDER … [out=FOLDER|FILE.csv] [batch=64] [workers=2] [device=auto] [checkpoint=step_N]"


class Options(NamedTuple):
    """A command line, read."""

    run: str
    images: list[str]
    out: str | None
    batch: int
    workers: int
    device: str
    checkpoint: str | None = None


def read_options(arguments: list[str]) -> Options:
    """The run, the images and the options.

    Raises:
        UserError: something is missing or cannot be read.
    """
    options = {"batch": "64", "workers": "2", "device": "auto"}
    words = []
    for text in arguments:
        key, equals, value = text.partition("=")
        if equals and key in (*options, "out", "checkpoint"):
            options[key] = value
        elif text.startswith("-") or (equals and not exists(text)):
            raise UserError(f"cannot read {text!r}: {USE}")
        else:
            words.append(text)
    if len(words) < 2:
        raise UserError(f"say which {'images' if words else 'run and which images'}: {USE}")
    numbers = {}
    for key, least in (("batch", 1), ("workers", 0)):
        if not options[key].isdecimal() or int(options[key]) < least:
            raise UserError(f"{key}={options[key]} must be a whole number, at least {least}")
        numbers[key] = int(options[key])
    if options.get("out") == "":
        raise UserError("out= is empty: name a folder or a .csv file, or leave it out")
    words[0] = fetched(words[0])
    Run.open(words[0], options.get("checkpoint")).config()
    for word in words[1:]:
        if not exists(word):
            raise UserError(f"there is no file or folder {word}")
    return Options(
        words[0], words[1:], options.get("out"), numbers["batch"], numbers["workers"], options["device"], options.get("checkpoint")
    )
