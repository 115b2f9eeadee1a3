"""Reads the command line of ``iwm explore``; needs no torch and no gradio."""

from typing import NamedTuple

from iwm_core.cli.words import check_words, read_run
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import kind_of
from iwm_core.plugins.lineage import dotted
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.overrides import ON_RESUME, checkpoint_in, parse_changes
from iwm_core.recipe.own_settings import check_settings
from iwm_core.run.directory import Run

REST = "[--port 7860] [--open] [data=NAME …] [checkpoint=step_N]"
PORT = 7860
MOST = 65535


class Asked(NamedTuple):
    """A command line, read.

    Attributes:
        overrides: on the run's config, of data and launch.
        port: of the page; 0 for any that is free.
        open: whether a browser is opened.
    """

    run: Run
    overrides: list[str]
    port: int
    open: bool


def read_arguments(arguments: list[str]) -> Asked:
    """The run, its overrides and the switches.

    Raises:
        UserError: something is missing or cannot be read.
    """
    path, words = read_run(arguments, "explore", REST)
    checkpoint, words = checkpoint_in(words)
    overrides, port, opens = list[str](), str(PORT), False
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if word == "--open":
            opens = True
        elif name == "--port":
            port = value if equals else next(left, "")
        elif equals and name.partition(".")[0] in ON_RESUME:
            overrides.append(word)
        else:
            meant = did_you_mean(name, ("--port", "--open", "data", "launch", "checkpoint"))
            raise UserError(f"cannot read {word!r}; {meant}write iwm explore RUN {REST}")
    if not (port.isascii() and port.isdecimal() and len(port) <= len(str(MOST)) and int(port) <= MOST):
        raise UserError(f"--port is a number from 0, for any that is free, to {MOST}, got {port!r}; write --port {PORT + 1}")
    check_words(overrides)
    run = Run.open(path, checkpoint)
    config = run.config()
    check_settings(parse_changes(overrides, ON_RESUME, "explore", dotted(config)), kind_of(config).schema(), str(config.get("recipe")))
    return Asked(run, overrides, int(port), opens)
