"""The hook that iwm-evals declares, so that other plugins bring searches for actions, too."""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from iwm_evals.plans import Search

hookspec = pluggy.HookspecMarker("iwm")


@hookspec
def iwm_searches() -> "list[type[Search]]":  # pyright: ignore[reportReturnType]
    """Searches, by which ``model.plan`` finds the action between two images."""
