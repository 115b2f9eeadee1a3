"""The known name that is nearest to a misspelt one, in one wording for names of every kind."""

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, known: Iterable[str], form: str = "{}") -> str:
    """``"did you mean NAME? "``, or nothing where no known name is near.

    Args:
        given: what the user wrote, in capitals or not, with its path (``train.lr.peak``) or its end (``lr.peak``, ``peak``).
        known: the names that there are.
        form: how a name is typed, such as ``"recipe={}"``.
    """
    names = {name.lower(): name for name in known}
    lowered = given.lower()
    ends = [name for name in names if lowered and name.endswith((f".{lowered}", f"/{lowered}"))]
    near = ends[:1] or difflib.get_close_matches(lowered, names, n=1)
    return f"did you mean {form.format(names[near[0]])}? " if near else ""
