"""Composition: does predicting twice lead to where predicting once leads?

Decisions:
- Of each clean image two targets are drawn, p1 and p2. One step is told the action from the image to p2. Two steps are told the action
  from the image to p1, and then the one from p1 to p2. Truth is the latent of p2 for both.
- A prediction is made of `targets`, layer-normalised tokens, and a predictor eats `encode`d ones. To be a source, a prediction passes
  through an affine map of each channel, fitted by least squares from `targets` to `encode` on clean training images, streamed. Layer norm
  took the mean and the spread of each token with it, which no map of channels brings back: `reentry` is the R² of the map, on the true
  latents of p1 of the validation images, about the mean of training images.
- Where two steps lose, three numbers tell why: `compose.second` is the second step alone, from p1's own tokens; `compose.reentered` is
  the same from p1's true latents through the map; `compose.twice` has the prediction of p1 in their place.
- All errors are squared and relative to not moving: the sum of |prediction - truth|² over that of |start - truth|². The start of `once`
  and `twice` is the clean image, the start of `second` and `reentered` is p1: a model that answers with its source gets exactly 1.
  `compose.difference` is |twice - once|², relative to the same as these two.
- *null*: each step with the null action.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import (
    Chart,
    Draws,
    Evaluation,
    EvaluationData,
    Evaluator,
    ImageBatch,
    Metric,
    NotApplicable,
    Series,
    Track,
    WorldModel,
    check_finite,
    option,
)
from iwm_evals.plans import drawn_targets
from iwm_evals.statistics.metrics import answer, ratio_metrics
from iwm_evals.words.answers import answer_and_better

STILL = 1e-10  # of the square of the latents: a movement that is rounding
ABOUT = {
    "compose": "squared error over that of not moving: in one step (once), in two (twice), of the second step from the true first "
    "(second), also through the re-entry map (reentered); and between one step and two (difference): 0 is perfect, 1 is no better than not "
    "moving",
    "reentry": "R² of the map by which a prediction becomes a source again: below 1, two steps lose what layer norm took away",
}
STARTS = {"once": "moved", "twice": "moved", "difference": "moved", "second": "moved_second", "reentered": "moved_second"}
"""What is measured, and the movement that it is relative to."""
SHOWN = {
    "once": "one step",
    "twice": "two steps",
    "second": "second step from the truth",
    "reentered": "the same, re-entered",
    "difference": "between one step and two",
}


class Reentry(NamedTuple):
    """From `targets` to `encode`d tokens: ``tokens = targets * gain + offset``; ``mean`` is that of the tokens."""

    gain: Float[Tensor, "d"]
    offset: Float[Tensor, "d"]
    mean: Float[Tensor, "d"]


@dataclass(kw_only=True)
class Compose(Evaluator):
    """Composition: two predictions, one after the other, against one prediction of the whole."""

    name = "compose"
    retired = ("resamples",)

    images: int = option(64, "validation images measured; all of them where there are fewer", low=1)
    pairs: int = option(2, "pairs of actions for each image", low=1)
    fit: int = option(256, "training images that the re-entry map is fitted on; all of them where there are fewer", low=1)
    chunk: int = option(64, "images encoded, or actions predicted, in one pass: bounds the memory", low=3)

    @torch.no_grad()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: no action changes a target, or none moves the latents.
            ValueError: there are no training or validation images, or the model's latents are not finite.
        """
        drawn = drawn_targets(model.actions, data.seed, model.device)
        if (drawn == drawn[:1]).all():
            raise NotApplicable("no action of this recipe changes a target, so that there is nothing to compose")
        count, fit = self.asked(data, self.images), self.asked(data, self.fit, "train")

        size = self.chunk // 3  # images in a batch: three actions are predicted of each at once
        reentry = fit_reentry(model, self.batches(data, fit, size, track, "train", "fitting"))
        pieces: dict[str, list[Tensor]] = {}
        for batch in self.batches(data, count, size, track):
            for name, sums in self.measure(model, batch, reentry, data.seed).items():
                pieces.setdefault(name, []).append(sums)
        sums = {name: torch.cat(column) for name, column in pieces.items()}
        check_finite(*sums.values())
        if min(sums["moved"].sum(), sums["moved_second"].sum()) <= STILL * sums["size"].sum():
            raise NotApplicable("no action of this recipe moves the latents of this model: has its encoder collapsed?")

        metrics = metrics_of(sums)
        settings = {"images": len(sums["moved"]), "pairs": self.pairs, "fit": fit, "seed": data.seed}
        return Evaluation(
            metrics, settings, ABOUT, in_one_sentence(metrics), (chart_steps(metrics),), **answer_and_better("compose", metrics)
        )

    def measure(self, model: WorldModel, batch: ImageBatch, reentry: Reentry, seed: int) -> dict[str, Float[Tensor, "b"]]:
        """The sums of squares of each image of a batch, over its pairs of actions."""
        tokens, start = model.encode(batch.images), model.targets(batch.images)
        total: dict[str, Tensor] = {}
        for pair in range(self.pairs):
            for name, difference in compare(model, batch, pair, reentry, tokens, start, seed).items():
                total[name] = total.get(name, 0) + difference.flatten(1).cpu().double().square().sum(1)
        return total


def fit_reentry(model: WorldModel, batches: Iterable[ImageBatch]) -> Reentry:
    """The affine map of each channel from `targets` to `encode` by least squares; sums in float64 on the CPU."""
    sums = torch.zeros(())
    for batch in batches:
        x, y = (side(batch.images).flatten(0, 1).cpu().double() for side in (model.targets, model.encode))
        sums = sums + torch.stack([column.sum(0) for column in (torch.ones_like(x), x, y, x * x, x * y)])
    count, *others = sums
    x, y, xx, xy = (other / count for other in others)
    spread = xx - x * x
    gain = torch.where(spread > STILL * xx, (xy - x * y) / spread, 0)
    return Reentry(*(number.float().to(model.device) for number in (gain, y - gain * x, y)))


def compare(
    model: WorldModel,
    batch: ImageBatch,
    pair: int,
    reentry: Reentry,
    tokens: Float[Tensor, "b n d"],
    start: Float[Tensor, "b n d"],
    seed: int,
) -> dict[str, Float[Tensor, "b n d"]]:
    """One pair of actions for each image: the differences whose squares are summed."""
    number = torch.full_like(batch.index, pair)
    first, second = (model.actions.sample(Draws(seed, number, batch.index, f"compose/{side}")).target for side in ("first", "second"))
    rest = model.actions.identity.to(first).expand_as(first)
    to_first, onward, whole = (model.actions.encode(*ends) for ends in ((rest, first), (first, second), (rest, second)))
    nothing = torch.zeros_like(whole)

    image, goal = model.actions.apply_target(batch.images, first), model.actions.apply_target(batch.images, second)
    between, own, truth = model.targets(image), model.encode(image), model.targets(goal)
    halfway, once, still = predict(model, tokens, to_first, whole, nothing)
    onwards, stay = predict(model, own, onward, nothing)
    reentered, stay_reentered = predict(model, reenter(reentry, between), onward, nothing)
    (twice,) = predict(model, reenter(reentry, halfway), onward)
    (still_twice,) = predict(model, reenter(reentry, still), nothing)
    return {
        "moved": start - truth,
        "moved_second": between - truth,
        "size": truth,
        "once": once - truth,
        "once_null": still - truth,
        "twice": twice - truth,
        "twice_null": still_twice - truth,
        "difference": twice - once,
        "second": onwards - truth,
        "second_null": stay - truth,
        "reentered": reentered - truth,
        "reentered_null": stay_reentered - truth,
        "reentry": reenter(reentry, between) - own,
        "own": own - reentry.mean,
    }


def predict(model: WorldModel, tokens: Float[Tensor, "b n d"], *actions: Float[Tensor, "b a"]) -> tuple[Float[Tensor, "b n d"], ...]:
    """The prediction of each action."""
    return model.predict(tokens, torch.stack(actions, 1)).unbind(1)


def reenter(reentry: Reentry, targets: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
    """What a prediction, or true targets, become as a source."""
    return targets * reentry.gain + reentry.offset


def metrics_of(sums: dict[str, Float[Tensor, "m"]]) -> dict[str, Metric]:
    """Relative errors, and the R² of the re-entry map."""
    told = [(name, control) for name in STARTS for control in ("", "null") if column(name, control) in sums]
    above = torch.stack([*(sums[column(*one)] for one in told), sums["reentry"]], 1)
    below = torch.stack([*(sums[STARTS[name]] for name, _ in told), sums["own"]], 1)
    *errors, lost = ratio_metrics(above, below)
    found = dict(zip(told, errors, strict=True))
    metrics = {
        f"compose.{name}": found[name, ""].against(**({"null": found[name, "null"]} if (name, "null") in found else {})) for name in STARTS
    }
    return metrics | {"reentry": lost._replace(value=1 - lost.value, low=1 - lost.high, high=1 - lost.low)}


def column(name: str, control: str) -> str:
    """Where the sums of squares of a step lie, with the action or with the null action."""
    return f"{name}_{control}" if control else name


def chart_steps(metrics: dict[str, Metric]) -> Chart:
    """One step and two, with the actions and with the null action."""
    series = []
    for label, control in (("told the action", ""), ("null action", "null")):
        shown = {words: metrics[f"compose.{name}"] for name, words in SHOWN.items()}
        found = {words: answer(metric, control) for words, metric in shown.items() if not control or control in metric.controls}
        columns = ([getattr(metric, field) for metric in found.values()] for field in ("value", "low", "high"))
        series.append(Series(label, list(found), *columns))
    return Chart(
        name="compose",
        title="One step and two",
        x="prediction",
        y="squared error / that of not moving",
        kind="bars",
        series=tuple(series),
        about="The error of predicting a transformed image in one step and in two, each relative to staying where it starts. 0 is perfect. "
        "Where two steps are far above one, the model's predictions are poor sources.",
        levels={"not moving": 1.0},
    )


def in_one_sentence(metrics: dict[str, Metric]) -> str:
    """The numbers that matter, in one sentence."""
    once, twice, second = (metrics[f"compose.{name}"] for name in ("once", "twice", "second"))
    interval = f"{twice.low:.2f} to {twice.high:.2f}"
    return (
        f"the squared error of two steps is {twice.value:.2f} ({interval}) times that of not moving, of one step {once.value:.2f}; "
        f"the second step alone has {second.value:.2f}, and predictions become sources again with an R² of {metrics['reentry'].value:.2f}"
    )
