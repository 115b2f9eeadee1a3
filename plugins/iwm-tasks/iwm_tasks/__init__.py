"""Tuning a world model for tasks: task types, heads and protocols."""

from pathlib import Path
from types import ModuleType
from typing import Any

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.kinds import ComponentKind
from iwm_core.interfaces.runs import RunKind


@hookimpl
def iwm_hookspecs() -> list[ModuleType]:
    from iwm_tasks import hookspecs

    return [hookspecs]


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_tasks.verbs import VERBS

    return VERBS


@hookimpl
def iwm_run_kinds() -> list[RunKind]:
    from iwm_tasks.tuning.kind import Tuning

    return [Tuning()]


@hookimpl
def iwm_component_kinds() -> list[ComponentKind]:
    tune = "iwm tune runs/quickstart recipe=tune/predictor budget=cpu"
    return [
        ComponentKind(
            name="head",
            hook="iwm_heads",
            base="iwm_tasks.interfaces:HeadComponent",
            group="heads",
            several=True,
            check="iwm_tasks.kit.heads:check_head",
            template="iwm_tasks:scaffold/head",
            use=f'{tune} "heads=[example]"',
        ),
        ComponentKind(
            name="task",
            hook="iwm_task_types",
            base="iwm_tasks.interfaces:Task",
            group="tasks",
            several=True,
            check="iwm_tasks.kit.tasks:check_task",
            template="iwm_tasks:scaffold/task",
            use=f'{tune} "tasks=[example]"',
        ),
        ComponentKind(
            name="protocol",
            hook="iwm_protocols",
            base="iwm_tasks.interfaces:Protocol",
            group="protocol",
            check="iwm_tasks.kit.protocols:check_protocol",
            template="iwm_tasks:scaffold/protocol",
            use=f"{tune} protocol=example",
        ),
    ]


@hookimpl
def iwm_heads() -> list[type]:
    from iwm_tasks.attentive import Attentive
    from iwm_tasks.linear import Linear
    from iwm_tasks.segmentation import Segmentation
    from iwm_tasks.segmentation_conv import SegmentationConv

    return [Linear, Attentive, Segmentation, SegmentationConv]


@hookimpl
def iwm_task_types() -> list[type]:
    from iwm_tasks.tasks.classify import Classify
    from iwm_tasks.tasks.multilabel import Multilabel
    from iwm_tasks.tasks.regress import Regress
    from iwm_tasks.tasks.segment import Segment

    return [Classify, Multilabel, Segment, Regress]


@hookimpl
def iwm_protocols() -> list[type]:
    from iwm_tasks.protocols.encoder import FinetunedEncoder, Frozen
    from iwm_tasks.protocols.pixels import Pixels
    from iwm_tasks.protocols.predictor import EndToEnd, OneQuery, RandomPredictor, TunedPredictor

    return [Pixels, Frozen, FinetunedEncoder, TunedPredictor, RandomPredictor, OneQuery, EndToEnd]


@hookimpl(optionalhook=True)
def iwm_report_sections(page: Any) -> None:
    from iwm_tasks.comparison.costs import add_costs

    add_costs(page)


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent / "recipes"]
