"""What a verb's words ask for, as its function gets them."""

from collections.abc import Callable
from typing import Any

from iwm_core.cli.switches import read_switches
from iwm_core.plugins.loader import load_plugins


def asked_by(verb: str, read: Callable[..., Any], words: list[str]) -> Any:
    """What ``read`` makes of words and switches after a verb."""
    rest, given = read_switches(load_plugins().commands[verb], words)
    return read(rest, *given)
