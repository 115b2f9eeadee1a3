"""What the words of ``iwm explore`` ask for; needs no torch and no gradio."""

from typing import NamedTuple

from iwm_core.cli.words import read_changes
from iwm_core.recipe.overrides import checkpoint_in
from iwm_core.run.directory import Run
from iwm_explore.verbs import Explore


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
    path, words = read_changes(words, "explore")
    checkpoint, overrides = checkpoint_in(words)
    return Asked(Run.open(path, checkpoint), overrides, given.port, given.open)
