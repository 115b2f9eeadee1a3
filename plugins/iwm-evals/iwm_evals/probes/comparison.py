"""Features beside the baselines that have seen no training: their numbers, and one picture of them."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from iwm_core.interfaces import Chart, Metric, Series
from iwm_evals.statistics.metrics import answer, answered, share_metrics

INPUTS = {"": "features", "raw": "raw pixels", "colour": "colours alone"}
"""What a probe is tried on, in words: the features, and the controls."""


def accuracies(right: dict[str, dict[str, Bool[Tensor, "m"]]]) -> dict[str, Metric]:
    """The share of right answers by measure, with intervals over the images: those of ``""`` held against the controls'."""
    table = torch.stack([column for answers in right.values() for column in answers.values()], 1).double()
    shares = iter(share_metrics(table))
    return {measure: answered({control: next(shares) for control in answers}) for measure, answers in right.items()}


def setting(measure: str, control: str) -> str:
    """What the settings call what was chosen for a measure from one of `INPUTS`."""
    return f"{measure}_{control}" if control else measure


def most_frequent(train: Int[Tensor, "n"], validation: Int[Tensor, "m"]) -> Bool[Tensor, "m"]:
    """Which validation images have the class that most training images have: the right answers of one who knows nothing else."""
    return validation == torch.bincount(train).argmax()


def compare(
    name: str, title: str, y: str, about: str, metrics: dict[str, Metric], groups: dict[str, str], levels: dict[str, float]
) -> Chart:
    """Bars of features, raw pixels and colours side by side.

    Args:
        name, title, y, about, levels: as in `Chart`.
        metrics: with each measure of ``groups``, held against the others of `INPUTS`.
        groups: what stands under each group of bars, by measure.
    """
    series = []
    for control, words in INPUTS.items():
        found = [answer(metrics[measure], control) for measure in groups]
        values, lows, highs = ([getattr(metric, part) for metric in found] for part in ("value", "low", "high"))
        series.append(Series(words, list(groups.values()), values, lows, highs))
    return Chart(name, title, "", y, "bars", tuple(series), about, levels)
