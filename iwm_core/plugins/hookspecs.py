"""The hooks a plugin may implement.

Registration hooks are pure and return classes (or folders); lifecycle hooks return nothing. No hook depends on the order of
plugins. A plugin's entry-point module should import its classes inside the hooks, so that ``iwm plugins`` stays light.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from iwm_core.interfaces import (
        Action,
        DataSource,
        EncoderComponent,
        Evaluator,
        HeadComponent,
        PredictorComponent,
        Protocol,
        TargetSelector,
        Task,
    )
    from iwm_core.interfaces.events import StepEnd, TrainEnd, TrainStart

hookspec = pluggy.HookspecMarker("iwm")


@hookspec
def iwm_encoders() -> "list[type[EncoderComponent]]":  # pyright: ignore[reportReturnType]
    """Encoder components."""


@hookspec
def iwm_predictors() -> "list[type[PredictorComponent]]":  # pyright: ignore[reportReturnType]
    """Predictor components."""


@hookspec
def iwm_actions() -> "list[type[Action]]":  # pyright: ignore[reportReturnType]
    """Actions."""


@hookspec
def iwm_target_selectors() -> "list[type[TargetSelector]]":  # pyright: ignore[reportReturnType]
    """Target selectors."""


@hookspec
def iwm_heads() -> "list[type[HeadComponent]]":  # pyright: ignore[reportReturnType]
    """Head components."""


@hookspec
def iwm_evaluators() -> "list[type[Evaluator]]":  # pyright: ignore[reportReturnType]
    """Evaluators."""


@hookspec
def iwm_data_sources() -> "list[type[DataSource]]":  # pyright: ignore[reportReturnType]
    """Data sources."""


@hookspec
def iwm_task_types() -> "list[type[Task]]":  # pyright: ignore[reportReturnType]
    """Task types."""


@hookspec
def iwm_protocols() -> "list[type[Protocol]]":  # pyright: ignore[reportReturnType]
    """Protocols."""


@hookspec
def iwm_recipe_dirs() -> "list[Path]":  # pyright: ignore[reportReturnType]
    """Folders of recipes; a recipe's name is its path below the folder, without ``.yaml``."""


@hookspec
def iwm_train_start(event: "TrainStart") -> None:
    """Called once before the first step, also after a resume."""


@hookspec
def iwm_step_end(event: "StepEnd") -> None:
    """Called after every optimizer step; reading a tensor's value here costs a synchronisation."""


@hookspec
def iwm_train_end(event: "TrainEnd") -> None:
    """Called once after the last step, when the last checkpoint is written."""
