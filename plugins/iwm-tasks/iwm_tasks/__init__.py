"""Tuning a world model for tasks: task types, heads and protocols."""

from pathlib import Path

from iwm_core import hookimpl


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


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent / "recipes"]
