"""The check of each kind of component: the core's kinds have theirs here, others name their own (`ComponentKind.check`)."""

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

from iwm_core.plugins.loader import load_plugins

OWN = ("encoder", "predictor", "action", "target_selector", "evaluator", "data_source")
"""The kinds whose checks are here; of ``action``, `iwm_devkit.actions.check_action`."""

Check = Callable[..., Any]
"""Takes an instance of a component, and works without further arguments.

It raises `AssertionError` where the component breaks its contract, and `iwm_devkit.fitting.Unfit` where its options do not let it be tried.
"""


def check_of(kind: str) -> Check | None:
    """The check of a kind; None where no installed plugin declares the kind, or it has none."""
    if kind in OWN:
        return resolve_name(f"{__package__}.{kind}s:check_{kind}")
    declared = load_plugins().kinds.get(kind)
    return resolve_name(declared.check) if declared and declared.check else None


def checks() -> dict[str, Check]:
    """The checks of all installed kinds that have one."""
    return {kind: check for kind in load_plugins().kinds if (check := check_of(kind))}
