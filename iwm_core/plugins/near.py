"""Names in messages: the known one that is nearest to a misspelt one, and several in a sentence, worded alike for names of every kind."""

import difflib
from collections.abc import Callable, Iterable, Sequence


def did_you_mean(given: str, known: Iterable[str], form: str | Callable[[str], str] = "{}") -> str:
    """``"did you mean NAME? "``, or nothing where no known name is near.

    Args:
        given: what the user wrote, in capitals or not, with its path (``train.lr.peak``) or its end (``lr.peak``, ``peak``).
        known: the names that there are.
        form: how a name is typed, such as ``"recipe={}"``, or what makes of a name the words to type.
    """
    names = {name.lower(): name for name in known}
    lowered = given.lower()
    ends = [name for name in names if lowered and name.endswith((f".{lowered}", f"/{lowered}"))]
    near = ends[:1] or difflib.get_close_matches(lowered, names, n=1)
    typed = form.format if isinstance(form, str) else form
    return f"did you mean {typed(names[near[0]])}? " if near else ""


def enumerated(names: Sequence[str], most: int = 100) -> str:
    """Names as in a sentence, ``a, b and c``; of more than ``most``, the first of them and how many others."""
    names = names if len(names) <= most else [*names[:most], f"{len(names) - most} more"]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
