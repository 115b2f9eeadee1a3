"""What the core asks of this plugin (`iwm_launchers`): to carry a command out in processes that somebody has started, and to start some;
and, of the processes of a training, what they share."""

import os
from collections.abc import Callable
from typing import Any

from iwm_cluster import group
from iwm_cluster.children import end_with_parent
from iwm_cluster.spawn import spawn as spawn


def together(lead: Callable[[], int], take_part: Callable[[str, list[str]], int]) -> int:
    """See `iwm_cluster.group.together`; a job of a sweep or a comparison ends with what has started it."""
    if os.environ.pop("IWM_JOB", ""):
        end_with_parent()
    return group.together(lead, take_part)


def spread(module: Any, launch: Any, accelerator: Any) -> Any:
    """See `iwm_cluster.parts.spread`."""
    from iwm_cluster import parts

    return parts.spread(module, launch, accelerator)


def agreement() -> Callable[[int], int]:
    """See `iwm_cluster.parts.agreement`."""
    from iwm_cluster import parts

    return parts.agreement()
