"""A verb of the command line, as a plugin gives it. Needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Command:
    """A verb: what ``iwm --help`` and ``iwm VERB --help`` print of it, what may be typed, and the function that carries it out.

    Attributes:
        name: the words after ``iwm`` that choose it: ``tune``, or two as in ``plugins new``.
        forms: how it is written, from its name on, each with a few words about it: ``{"tune RUN recipe=NAME": "tune a world model"}``.
        run: ``module:function``, imported when the verb is called; takes the words after it, and its switches, and returns the exit status.
        switches: a dataclass of `option` fields, each a switch, ``port: int`` for ``--port 8642``; the function is given an instance.
        words: how many words it takes at most besides its switches; None: its function checks that.
        leads: its switches stand before all other words, which are another verb's.
        common: help lists it early, as one that everybody types.
        more, examples: sentences for its own help, and lines to try.
    """

    name: str
    forms: dict[str, str]
    run: str
    switches: type | None = None
    words: int | None = None
    leads: bool = False
    common: bool = False
    more: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
