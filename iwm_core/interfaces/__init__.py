"""What a plugin implements: one abstract base class a kind, and the few records that pass between them.

A component is a dataclass; its fields are its config, its command-line overrides and its documentation. Stateless kinds (actions,
target selectors, evaluators, data sources) *are* the dataclass; kinds with weights (encoders, predictors) are built by it.

Axes: ``b`` batch · ``h w`` pixels · ``n`` patches (gh*gw) · ``k`` context patches · ``m`` target groups · ``t`` patches a group ·
``d`` width · ``a`` numbers of an encoded action · ``p`` parameters of an action · ``o`` outputs of a head.

Each name is loaded when it is asked for: what needs no torch, such as settings and command lines, imports this package without it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iwm_core.interfaces.actions import *
    from iwm_core.interfaces.commands import *
    from iwm_core.interfaces.component import *
    from iwm_core.interfaces.constant import *
    from iwm_core.interfaces.data import *
    from iwm_core.interfaces.draws import *
    from iwm_core.interfaces.errors import *
    from iwm_core.interfaces.evaluation import *
    from iwm_core.interfaces.kinds import *
    from iwm_core.interfaces.results import *
    from iwm_core.interfaces.runs import *
    from iwm_core.interfaces.targets import *
    from iwm_core.interfaces.weights import *

NAMES = {
    "iwm_core.interfaces.component": "Component option",
    "iwm_core.interfaces.constant": "constant",
    "iwm_core.interfaces.draws": "Draws",
    "iwm_core.interfaces.actions": "Action ActionParams Transformation Views",
    "iwm_core.interfaces.data": "NOT_COUNTED CorruptImage DataSource Factor Images Observed Sample",
    "iwm_core.interfaces.evaluation": "EvaluationData Evaluator ImageBatch Track WorldModel check_finite",
    "iwm_core.interfaces.targets": "Targets TargetSelector",
    "iwm_core.interfaces.weights": "Encoder EncoderComponent Predictor PredictorComponent",
    "iwm_core.interfaces.commands": "Command",
    "iwm_core.interfaces.errors": "UserError",
    "iwm_core.interfaces.kinds": "ComponentKind",
    "iwm_core.interfaces.runs": "ModelSource RunKind Schema",
    "iwm_core.interfaces.results": "CONTROLS QUESTIONS Answer Chart Evaluation Gallery Metric NotApplicable Row Series",
}
"""What each module gives."""

__all__ = [name for names in NAMES.values() for name in names.split()]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    for module, names in NAMES.items():
        if name in names.split():
            globals()[name] = found = getattr(importlib.import_module(module), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
