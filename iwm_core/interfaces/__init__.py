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
    from iwm_core.interfaces.actions import Action as Action
    from iwm_core.interfaces.actions import ActionParams as ActionParams
    from iwm_core.interfaces.actions import Transformation as Transformation
    from iwm_core.interfaces.actions import Views as Views
    from iwm_core.interfaces.commands import Command as Command
    from iwm_core.interfaces.component import Component as Component
    from iwm_core.interfaces.component import option as option
    from iwm_core.interfaces.constant import constant as constant
    from iwm_core.interfaces.data import NOT_COUNTED as NOT_COUNTED
    from iwm_core.interfaces.data import CorruptImage as CorruptImage
    from iwm_core.interfaces.data import DataSource as DataSource
    from iwm_core.interfaces.data import Factor as Factor
    from iwm_core.interfaces.data import Images as Images
    from iwm_core.interfaces.data import Observed as Observed
    from iwm_core.interfaces.data import Sample as Sample
    from iwm_core.interfaces.draws import Draws as Draws
    from iwm_core.interfaces.errors import UserError as UserError
    from iwm_core.interfaces.evaluation import EvaluationData as EvaluationData
    from iwm_core.interfaces.evaluation import Evaluator as Evaluator
    from iwm_core.interfaces.evaluation import ImageBatch as ImageBatch
    from iwm_core.interfaces.evaluation import Track as Track
    from iwm_core.interfaces.evaluation import WorldModel as WorldModel
    from iwm_core.interfaces.evaluation import check_finite as check_finite
    from iwm_core.interfaces.kinds import ComponentKind as ComponentKind
    from iwm_core.interfaces.results import CONTROLS as CONTROLS
    from iwm_core.interfaces.results import Chart as Chart
    from iwm_core.interfaces.results import Evaluation as Evaluation
    from iwm_core.interfaces.results import Gallery as Gallery
    from iwm_core.interfaces.results import Metric as Metric
    from iwm_core.interfaces.results import NotApplicable as NotApplicable
    from iwm_core.interfaces.results import Row as Row
    from iwm_core.interfaces.results import Series as Series
    from iwm_core.interfaces.runs import ModelSource as ModelSource
    from iwm_core.interfaces.runs import RunKind as RunKind
    from iwm_core.interfaces.runs import Schema as Schema
    from iwm_core.interfaces.targets import Targets as Targets
    from iwm_core.interfaces.targets import TargetSelector as TargetSelector
    from iwm_core.interfaces.weights import Encoder as Encoder
    from iwm_core.interfaces.weights import EncoderComponent as EncoderComponent
    from iwm_core.interfaces.weights import Predictor as Predictor
    from iwm_core.interfaces.weights import PredictorComponent as PredictorComponent

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
    "iwm_core.interfaces.results": "CONTROLS Chart Evaluation Gallery Metric NotApplicable Row Series",
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
