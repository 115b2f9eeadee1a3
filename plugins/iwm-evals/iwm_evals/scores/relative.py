"""Squared errors over images, relative to other squared distances, as ratios of sums.

Decisions:
- Where nothing lies apart but by rounding (a collapsed encoder), there is no distance to compare with, and no number is given.
- What an action changes may be less than what the predictor misses anyhow: then the ratio divides by almost nothing. A part is said to
  hardly move where even the null action's error is more than `LONGEST` times the movement.
- Bars end at `LONGEST`, numbers stay as they are. What moves the latents hardly at all gets an error of many times that, and the other
  bars would be too short to read.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Chart, Metric, Series
from iwm_core.plugins.near import enumerated
from iwm_evals.statistics.metrics import answer, ratio_metrics, share_metrics

STILL = 1e-10  # of the square of the latents: a distance that is rounding
LONGEST = 2.0
TOLD = {"told the action": "", "null action": "null"}


class Ratio(NamedTuple):
    """A metric, or a control of the one before it of its name, by the columns of a table whose sums it divides."""

    name: str
    control: str
    above: str
    below: str
    share: bool = False  # of images: 0 to 1 above, 1 below


def squared(one: Float[Tensor, "b *n"], other: Float[Tensor, "#b *n"]) -> Float[Tensor, "b"]:
    """The squared distance of tokens, or pixels, of each image; float64 on the CPU."""
    return (one - other).float().square().flatten(1).sum(1).cpu().double()


def spread_out(values: Float[Tensor, "c"], places: Tensor, size: int) -> Float[Tensor, "b"]:
    """Values of some of ``size`` images at their places, 0 elsewhere."""
    return values.new_zeros(size).index_copy(0, places.cpu(), values)


def relative_metrics(table: dict[str, Float[Tensor, "m"]], ratios: list[Ratio], least: float) -> dict[str, Metric]:
    """The ratios whose denominators sum to more than ``least``; ``n`` counts the images that tell of one."""
    ratios = [ratio for ratio in ratios if float(table[ratio.below].sum()) > least]
    if not ratios:
        return {}
    found = {}
    for ratio in ratios:
        above, below = table[ratio.above][:, None], table[ratio.below][:, None]
        counted = below[:, 0] > 0
        if ratio.above == ratio.below:
            metric = Metric.constant(1.0, int(counted.sum()))
        else:
            (metric,) = share_metrics(above[counted]) if ratio.share else ratio_metrics(above, below)
        found[ratio.name] = found[ratio.name].against(**{ratio.control: metric}) if ratio.control else metric
    return found


def hardly_moved(parts: dict[str, Metric]) -> str:
    """Which parts hardly move the tokens, as the end of a sentence; empty where none is."""
    names = [name for name, metric in parts.items() if "null" in metric.controls and metric.controls["null"].low > LONGEST]
    if not names:
        return ""
    return f"; {enumerated(names)} hardly {'moves' if len(names) == 1 else 'move'} the tokens, so that a ratio to the movement says little"


def chart_errors(
    measure: str, titles: tuple[str, str, str], metrics: dict[str, Metric], parts: list[str], level: str, reading: str
) -> Chart:
    """The error of all together and of each part, with the action and with the null action, as bars.

    Args:
        measure: name of the measure and of the chart.
        titles: of the chart, of its x and of its y axis.
        metrics: what was measured.
        parts: those of ``parts`` that were measured get bars.
        level: what an error of 1 means.
        reading: how to read it.
    """
    names = {"all": measure} | {part: f"{measure}.{part}" for part in parts if f"{measure}.{part}" in metrics}
    series = []
    for label, told in TOLD.items():
        bars = [answer(metrics[name], told)[:3] for name in names.values()]
        series.append(Series(label, list(names), *map(list, zip(*bars, strict=True))))
    beyond = [f"{name} {metrics[metric].value:.3g}" for name, metric in names.items() if metrics[metric].value > LONGEST]
    cut = f" Bars end at {LONGEST:g}; beyond it: {', '.join(beyond)}" if beyond else ""
    cut += f"{hardly_moved({name: metrics[metric] for name, metric in names.items() if name != 'all'})}." if beyond else ""
    return Chart(measure, *titles, "bars", tuple(series), reading + cut, {level: 1.0}, longest=LONGEST)
