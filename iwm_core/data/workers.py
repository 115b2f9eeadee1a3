"""What is made of many parts, in their order: by data workers, where a plugin has them (`iwm_workers`), else here, with the same bits."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from iwm_core.plugins.loader import load_plugins
from iwm_core.process.shown import tell


def warn(why: str) -> None:
    """Tell that workers were lost where their work goes on without them."""
    tell(f"warning: {why}; going on without workers", sys.stderr)


def made_in_order(
    make: Any, parts: Iterable[Any], workers: int, lost: Callable[[str], None] = warn, pin: bool = False, ahead: int = 2
) -> Iterator[Any]:
    """What ``make`` gives for each of ``parts``, in their order.

    Args:
        make: a function of a part, pickled into the workers; a `UserError` of it arrives as it is.
        parts: each is asked for once.
        workers: processes; 0 for none.
        lost: told, once, why the rest is made in this process.
        pin: into pinned memory, from which a GPU copies without waiting.
        ahead: parts that each worker makes before they are asked for.
    """
    if not load_plugins().modules("iwm_workers"):
        return map(make, parts)
    has = load_plugins().only("iwm_workers", "launch.workers has several processes decode images")
    return has.made_in_order(make, parts, workers, lost, pin, ahead)
