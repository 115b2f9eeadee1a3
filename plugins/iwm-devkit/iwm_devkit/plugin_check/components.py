"""The conformance kit on a component as it is installed, with its default options."""

from typing import Any

import torch

from iwm_core.interfaces import Draws
from iwm_core.interfaces.component import required_options
from iwm_core.interfaces.results import NotApplicable
from iwm_devkit import CHECKS
from iwm_devkit.components import check_class

SIZES = (64, 56, 96, 224)
"""Sides of images that encoders are tried with, as patches of 14 pixels do not divide 64."""


def check_installed(kind: str, component: Any) -> str | None:
    """Check a component with its default options.

    Returns:
        A note where it cannot be tried with them.

    Raises:
        AssertionError: it breaks its contract.
    """
    check_class(component)
    required = required_options(component)
    if required:
        return untried(kind, component, f"has no default for {', '.join(required)}", required[0])
    try:
        made = component()
        more = tried(kind, made)
    except ValueError as error:
        return untried(kind, component, f"says of its defaults: {' '.join(str(error).split())}", "option")
    try:
        CHECKS[kind](made, **more)
    except NotApplicable as error:
        return untried(kind, component, f"says of the kit's known world: {' '.join(str(error).split())}", "option")
    return None


def untried(kind: str, component: Any, why: str, option: str) -> str:
    """A note about a component that only its author can try."""
    return f"{why}; only its documentation is checked here: test it with check_{kind}({component.__name__}({option}=…))"


def tried(kind: str, component: Any) -> dict[str, Any]:
    """Call what may refuse the kit's small world with a ValueError; returns what the kit is to be told."""
    if kind == "encoder":
        return {"image_size": fitting_size(component)}
    if kind == "target_selector":
        component.select(Draws(0, 0, torch.arange(1)), (12, 12))
    if kind == "predictor":
        component.build(24, (3, 4), 3)
    if kind == "head":
        component.build(24, 5)
    if kind == "data_source":
        component.open("train")
    if kind == "task":
        from iwm_devkit.tasks import KnownImages

        component.outputs(KnownImages())
    if kind == "protocol":
        from iwm_devkit.protocols import small_world_model

        component.build(small_world_model(), 1)
    return {}


def fitting_size(component: Any) -> int:
    """The first of `SIZES` that an encoder can be built for.

    Raises:
        ValueError: there is none.
    """
    for size in SIZES[:-1]:
        try:
            component.build(size)
        except ValueError:
            continue
        return size
    component.build(SIZES[-1])
    return SIZES[-1]
