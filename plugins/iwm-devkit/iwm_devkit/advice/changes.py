"""What may not change of a run, and what to write instead."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean


def explain_change(override: Any, allowed: Sequence[str], verb: str, known: Iterable[str]) -> None:
    """Say what a verb changes of a run, whose keys are ``known``."""
    near = [key for key in known if key.endswith(f".{override.key_or_group}")]
    meant = near and all(key.split(".")[0] in allowed for key in near)
    other = did_you_mean(override.key_or_group.split(".")[0], allowed).rstrip() or "train another run for that"
    hint = f"write {' or '.join(instead(override, key) for key in near)}" if meant else other
    raise UserError(f"iwm {verb} changes only {', '.join(allowed)}, not {override.key_or_group!r}; {hint}")


def instead(override: Any, key: str) -> str:
    """An override's words with another key, as they are typed."""
    return shlex.quote(key + "".join(str(override.input_line).partition("=")[1:]))
