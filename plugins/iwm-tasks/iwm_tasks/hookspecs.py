"""The hooks that iwm-tasks declares, so that other plugins bring tasks, protocols and heads, too."""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from iwm_tasks.interfaces import HeadComponent, Protocol, Task

hookspec = pluggy.HookspecMarker("iwm")


@hookspec
def iwm_heads() -> "list[type[HeadComponent]]":  # pyright: ignore[reportReturnType]
    """Head components."""


@hookspec
def iwm_task_types() -> "list[type[Task]]":  # pyright: ignore[reportReturnType]
    """Task types."""


@hookspec
def iwm_protocols() -> "list[type[Protocol]]":  # pyright: ignore[reportReturnType]
    """Protocols."""
