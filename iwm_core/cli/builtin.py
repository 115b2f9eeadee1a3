"""The core as a plugin: its verbs, its kind of run and the kinds of components that it trains with. It brings no component."""

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.kinds import ComponentKind
from iwm_core.interfaces.runs import RunKind


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_core.cli.verbs import VERBS

    return VERBS


@hookimpl
def iwm_run_kinds() -> list[RunKind]:
    from iwm_core.training.kind import Pretraining

    return [Pretraining()]


@hookimpl
def iwm_component_kinds() -> list[ComponentKind]:
    base = "iwm_core.interfaces:"
    return [
        ComponentKind(name="encoder", hook="iwm_encoders", base=f"{base}EncoderComponent", group="encoder"),
        ComponentKind(name="predictor", hook="iwm_predictors", base=f"{base}PredictorComponent", group="predictor"),
        ComponentKind(name="action", hook="iwm_actions", base=f"{base}Action", group="actions", several=True),
        ComponentKind(name="target_selector", hook="iwm_target_selectors", base=f"{base}TargetSelector", group="targets"),
        ComponentKind(name="evaluator", hook="iwm_evaluators", base=f"{base}Evaluator", group="evaluators", several=True),
        ComponentKind(name="data_source", hook="iwm_data_sources", base=f"{base}DataSource", group="data"),
    ]
