"""The known name that is nearest to a misspelt one, in one wording for names of every kind."""

import difflib
from collections.abc import Callable, Iterable


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
