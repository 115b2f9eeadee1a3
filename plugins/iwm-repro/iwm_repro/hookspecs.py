"""The hook that iwm-repro declares, so that any plugin brings claims."""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from iwm_repro.claim import Claim

hookspec = pluggy.HookspecMarker("iwm")


@hookspec
def iwm_claims() -> "list[Claim]":  # pyright: ignore[reportReturnType]
    """Claims. Marked ``@hookimpl(optionalhook=True)``, a plugin works without iwm-repro, too. Nothing imported for it may import torch."""
