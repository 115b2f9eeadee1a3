"""Metrics and their controls in one mapping, ``mrr`` and ``mrr_chance``: for tests that look at all numbers at once."""

from typing import NamedTuple

from iwm_core.interfaces import Evaluation, Metric


class Numbers(NamedTuple):
    """The numbers of a metric, without its controls."""

    value: float
    low: float
    high: float
    n: int


class Plain(Numbers):
    """The same; and whether it is exact, which two that are equal may differ in."""

    exact: bool


def flat(found: Evaluation) -> Evaluation:
    """What an evaluator found, each control as a metric of its own behind what it controls."""
    metrics = {}
    for name, metric in found.metrics.items():
        metrics |= {name: plain(metric), **{f"{name}_{control}": plain(other) for control, other in metric.controls.items()}}
    return found._replace(metrics=metrics)


def plain(metric: Metric) -> Plain:
    """A metric without its controls."""
    numbers = Plain(*metric[:4])
    numbers.exact = metric.exact
    return numbers
