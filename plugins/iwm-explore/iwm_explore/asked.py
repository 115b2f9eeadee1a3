"""What the words of ``iwm explore`` ask for; needs no torch and no gradio."""

from typing import NamedTuple

from iwm_core.cli.words import check_words, read_run
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import kind_of
from iwm_core.plugins.lineage import dotted
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.overrides import ON_RESUME, checkpoint_in, parse_changes
from iwm_core.recipe.own_settings import check_settings
from iwm_core.run.directory import Run
from iwm_explore.verbs import Explore

REST = "[--port 7860] [--open] [data=NAME …] [checkpoint=step_N]"


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


def read_arguments(words: list[str], given: Explore) -> Asked:
    """The run, its overrides and the switches.

    Raises:
        UserError: something is missing or cannot be read.
    """
    path, words = read_run(words, "explore", REST)
    checkpoint, words = checkpoint_in(words)
    for word in words:
        name, equals, _ = word.partition("=")
        if not (equals and name.partition(".")[0] in ON_RESUME):
            meant = did_you_mean(name, ("data", "launch", "checkpoint"))
            raise UserError(f"cannot read {word!r}; {meant}write iwm explore RUN {REST}")
    check_words(words)
    run = Run.open(path, checkpoint)
    config = run.config()
    check_settings(parse_changes(words, ON_RESUME, "explore", dotted(config)), kind_of(config).schema(), str(config.get("recipe")))
    return Asked(run, words, given.port, given.open)
