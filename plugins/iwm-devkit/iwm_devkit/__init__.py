"""The conformance kit: what every component of a kind must keep to, as plain functions for a plugin's tests.

``check_action(Gamma())`` is the whole test of an action's contract; there is one such function a kind. Each raises `AssertionError`, whose
text says what is wrong and how to mend it. They run in seconds on a CPU, need no data, and also find what goes wrong on a GPU only.
Kinds that other plugins declare bring their own checks, which have names here all the same: ``check_head`` is that of the kind ``head``.

`known_model` is a world whose latents are known functions of image and action: on it, every number that an evaluator finds has a value
that can be told in advance. `pytest_plugin` makes tests of an installed plugin's components; pytest loads it everywhere, so this module
imports the checks, and torch with them, only when they are asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iwm_devkit.actions import check_action as check_action
    from iwm_devkit.components import check_component as check_component
    from iwm_devkit.data_sources import check_data_source as check_data_source
    from iwm_devkit.encoders import check_encoder as check_encoder
    from iwm_devkit.evaluators import check_evaluator as check_evaluator
    from iwm_devkit.kinds import Check
    from iwm_devkit.predictors import check_predictor as check_predictor
    from iwm_devkit.target_selectors import check_target_selector as check_target_selector

    CHECKS: dict[str, Check]
    """The check of each installed kind."""


def __getattr__(name: str) -> Any:
    if not __debug__ and not name.startswith("__"):
        raise RuntimeError("the kit is made of assertions, which `python -O` leaves out; run without -O and PYTHONOPTIMIZE")
    if name == "CHECKS":
        from iwm_devkit.kinds import checks

        return checks()
    if name == "check_component":
        from iwm_devkit.components import check_component

        return check_component
    if name.startswith("check_"):
        from iwm_devkit.kinds import check_of

        if check := check_of(name.removeprefix("check_")):
            return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from iwm_devkit.kinds import checks

    return sorted({*globals(), "CHECKS", "check_component", *(f"check_{kind}" for kind in checks())})
