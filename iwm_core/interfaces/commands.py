"""A verb of the command line, as a plugin gives it. Needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Command:
    """A verb: what ``iwm --help`` and ``iwm VERB --help`` print of it, and the function that carries it out.

    Attributes:
        name: the words after ``iwm`` that choose it: ``tune``, or two as in ``plugins new``.
        forms: how it is written, from its name on, each with a few words about it: ``{"tune RUN recipe=NAME": "tune a world model"}``.
        run: ``module:function``, imported when the verb is called; the function takes the words after the verb and returns the exit status.
        more: sentences for its own help.
        examples: lines to try.
    """

    name: str
    forms: dict[str, str]
    run: str
    more: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
