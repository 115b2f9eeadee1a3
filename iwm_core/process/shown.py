"""The one way by which text leaves for a terminal or a log.

Decisions:
- What comes from outside (names of files, classes, runs and plugins, values, texts of exceptions) may hold terminal escapes, line breaks or
  signs that turn the direction of writing: all of these are shown as JSON writes them, such as ``\\u001b``. So a line stays a line and a
  name can say nothing but itself.
- A line on standard error is bounded in length.
- Nothing else in the core prints: a test looks for it. Consoles of rich go through `NamesConsole` of the plugin that shows progress.
"""

import json
import shlex
import sys
import unicodedata
from typing import Any

JOINERS = "\u200c\u200d"
"""Invisible, but letters of Persian and Indic scripts and parts of emoji."""

LONGEST = 400
"""Signs of a line on standard error; a message's are no more, however long the value that it tells of."""


def shown(text: str, keep: str = "") -> str:
    """The text with everything escaped that is not a sign to be seen; ``keep`` is left as it is, such as the line breaks of a document."""
    if text.isprintable():
        return text
    return "".join(sign if visible(sign) or sign in keep else json.dumps(sign)[1:-1] for sign in text)


def visible(sign: str) -> bool:
    """Whether a sign may stand in a line: letters, symbols, and spaces of any width."""
    return sign.isprintable() or sign in JOINERS or unicodedata.category(sign) == "Zs"


def as_word(path: Any) -> str:
    """A path as one types it after a verb: quoted, and no switch."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def tell(text: str, to: Any = None, keep: str = "") -> None:
    """Print a line to a stream, standard output where none is named; ``keep`` as of `shown`."""
    line = shown(text, keep)
    print(shortened(line) if to is sys.stderr and not keep else line, file=to or sys.stdout, flush=True)


def shortened(line: str, most: int = LONGEST) -> str:
    """A line cut in its middle where it is too long: what was wrong stands at its beginning, what to do at its end."""
    kept = most // 2 - 2
    return line if len(line) <= most else f"{line[:kept]} … {line[-kept:]}"
