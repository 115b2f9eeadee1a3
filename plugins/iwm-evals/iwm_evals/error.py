"""Prediction error, relative to not applying the action and to the mean of the targets.

Decisions:
- Source and target are drawn as in training, the source with its destructive operations, but whole: all patches are seen and all are
  predicted. Validation images, several pairs each.
- `error` is the sum of |prediction - target|² over that of |source - target|²: 1 is what leaving the source as it is gets. It is a ratio
  of sums, so pairs with hardly any action, whose own ratio could be anything, weigh hardly anything.
- `unexplained` is the sum of |prediction - target|² over that of |mean - target|², with the mean of all measured targets at each
  position: the share of the targets' variance that is missed. The mean takes a pass over the targets of its own, so that no token need be
  kept; the bootstrap holds it fixed.
- Control *shuffled*: told the action of another pair of the same image, drawn until it is another action, as one of few values often is
  not, by its numbers and by what it makes of the image: an action may round. An observed one is that of another image. *null*: told
  nothing. *identity*: the source as the prediction.
- Parts: one action is drawn as in training and all others rest on both sides; pairs whose sides are then equal, most of those of a rare
  operation, are left out: nothing is to be predicted, and their sources are perfect answers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import (
    ActionParams,
    Draws,
    Evaluation,
    EvaluationData,
    Evaluator,
    ImageBatch,
    Metric,
    NotApplicable,
    Track,
    Views,
    WorldModel,
    check_finite,
    option,
)
from iwm_evals.questions.parts import Part, alone, each_action
from iwm_evals.questions.views import draw_params, draw_views, make_views, other_action
from iwm_evals.scores.relative import STILL, Ratio, chart_errors, hardly_moved, relative_metrics, spread_out, squared
from iwm_evals.words.answers import answer_and_better

STREAM = "error/pairs"
TRIES = 20  # a flip of probability 0.5 is then its own in one of a million
ABOUT = {
    "error": "squared prediction error over that of leaving the source as it is: 0 is perfect, 1 is no better; parts: one action alone; "
    "far above 1, an action hardly moves the tokens",
    "unexplained": "squared prediction error over that of the mean target: the share of variance missed; 0 is perfect, 1 is no better",
}
TITLES = ("Prediction error", "what differs between source and target", "squared error, relative to leaving the source as it is")
READING = (
    "How far predictions are from targets, relative to how far the sources are: 0 is perfect, 1 is no better than the source as it is. \
With the null action, a model can only do what it guesses from the source."
)


@dataclass(kw_only=True)
class Error(Evaluator):
    """Prediction error relative to not applying the action, for all and for each, and to the mean of the targets."""

    name = "error"
    retired = ("resamples",)

    images: int = option(256, "validation images measured; all of them where there are fewer", low=1)
    draws: int = option(4, "pairs of source and target drawn for each image", low=1)
    chunk: int = option(32, "images in one pass: bounds the memory", low=1)

    @torch.inference_mode()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: the recipe has no action, or no source lies apart from its target.
            ValueError: there are no validation images, or the model's latents are not finite.
        """
        if not model.actions.labels:
            raise NotApplicable("this recipe has no action, so that there is nothing to apply")
        count = self.asked(data, self.images)

        total = -(-count // self.chunk) * self.draws
        mean = self.mean_target(model, data.seed, track(self.pairs(data, count), "error: mean target", total))
        pool = data.actions("validation", count)
        rows: list[dict[str, Tensor]] = []
        for batch, version in track(self.pairs(data, count), "error", total):
            found = self.measure(model, batch, data.seed, version, mean, pool)
            if version:
                rows[-1] = {name: values + found[name] for name, values in rows[-1].items()}
            else:
                rows.append(found)
        table = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        check_finite(*table.values())

        metrics = relative_metrics(table, self.ratios(list(model.parts)), STILL * float(table["size"].sum()))
        if "error" not in metrics:
            raise NotApplicable("the latents of sources and targets do not differ, so that no error can be compared with their distance")
        settings = {"images": count, "draws": self.draws, "seed": data.seed}
        chart = chart_errors("error", TITLES, metrics, list(model.parts), "action not applied", READING)
        return Evaluation(metrics, settings, ABOUT, in_one_sentence(metrics), (chart,), **answer_and_better("error", metrics))

    def pairs(self, data: EvaluationData, count: int) -> Iterator[tuple[ImageBatch, int]]:
        """Each batch of images with the number of each of its draws."""
        for batch in data.batches("validation", count, self.chunk):
            for version in range(self.draws):
                yield batch, version

    def mean_target(self, model: WorldModel, seed: int, pairs: Iterable[tuple[ImageBatch, int]]) -> Float[Tensor, "1 n d"]:
        """The mean of all targets at each position."""
        total, size = torch.zeros(()), 0
        for batch, version in pairs:
            latents = model.targets(draw_views(model, batch, seed, version, STREAM).target)
            total, size = total + latents.sum(0, keepdim=True).cpu().double(), size + len(latents)
        return (total / size).float().to(model.device)

    def measure(
        self, model: WorldModel, batch: ImageBatch, seed: int, version: int, mean: Float[Tensor, "1 n d"], pool: Float[Tensor, "q a"]
    ) -> dict[str, Tensor]:
        """Squared distances of one pair of each image, by name, each [b]."""
        params = draw_params(model, batch, seed, version, STREAM)
        views = make_views(model, batch, params)
        shuffled = self.another(model, batch, seed, version, views, pool)
        actions = {"error": views.action, "error_shuffled": shuffled, "error_null": torch.zeros_like(views.action)}
        start, target = model.targets(views.source), model.targets(views.target)
        found = errors(model, views, target, actions)
        found |= {"moved": squared(start, target), "spread": squared(target, mean), "size": squared(target, torch.zeros_like(target))}
        for part in each_action(model.parts):
            source, goal = (alone(part, side, model.actions.identity) for side in params)
            apart = (source != goal).any(1).nonzero()[:, 0]
            rested, kept = ActionParams(source[apart], goal[apart]), batch.take(apart)
            for name, values in self.measure_part(model, kept, rested, part).items():
                found[f"{name}.{part.name}"] = spread_out(values, apart, len(batch.index))
        return found

    def another(
        self, model: WorldModel, batch: ImageBatch, seed: int, version: int, own: Views, pool: Float[Tensor, "q o"]
    ) -> Float[Tensor, "b a"]:
        """The action of another pair of each image, another one than its own; its own where none of `TRIES` is."""
        found, same = own.action.clone(), torch.arange(len(own.action), device=own.action.device)
        for number in range(TRIES):
            kept, place = batch.take(same), version + number * self.draws
            drawn = draw_params(model, kept, seed, self.draws + place, STREAM)
            other = other_action(model, drawn, pool, Draws(seed, place, kept.index, STREAM))
            views = make_views(model, kept, other)
            found[same] = views.action
            looks = [(made == shown[same]).flatten(1).all(1) for made, shown in zip(views[:2], own[:2], strict=True)]
            same = same[(views.action == own.action[same]).all(1) | (looks[0] & looks[1])]
            if not len(same):
                break
        return found

    def measure_part(self, model: WorldModel, batch: ImageBatch, params: ActionParams, part: Part) -> dict[str, Float[Tensor, "c"]]:
        """Squared distances of some images' pairs that a part of the action sets apart, by name."""
        if not len(batch.index):
            return {name: torch.zeros(0, dtype=torch.float64) for name in ("error", "error_null", "moved")}
        views = make_views(model, batch, params, part)
        target = model.targets(views.target)
        actions = {"error": views.action, "error_null": torch.zeros_like(views.action)}
        return errors(model, views, target, actions) | {"moved": squared(model.targets(views.source), target)}

    def ratios(self, parts: list[str]) -> list[Ratio]:
        """The metrics, in the order to be shown."""
        answers = {"": "error", "shuffled": "error_shuffled", "null": "error_null", "identity": "moved"}
        measures = {"error": "moved", "unexplained": "spread"}
        found = [Ratio(measure, told, above, below) for measure, below in measures.items() for told, above in answers.items()]
        for part in parts:
            found += [Ratio(f"error.{part}", told, f"{answers[told]}.{part}", f"moved.{part}") for told in ("", "null")]
        return found


def errors(
    model: WorldModel, views: Views, target: Float[Tensor, "b n d"], actions: dict[str, Float[Tensor, "b a"]]
) -> dict[str, Float[Tensor, "b"]]:
    """The squared error of the prediction from the source under each action."""
    tokens = model.encode(views.source)
    return {name: squared(model.predict(tokens, action[:, None])[:, 0], target) for name, action in actions.items()}


def in_one_sentence(metrics: dict[str, Metric]) -> str:
    """The numbers that matter, in one sentence."""
    error = metrics["error"]
    null = error.controls["null"].value
    text = (
        f"the squared prediction error is {error.value:.3f} ({error.low:.3f} to {error.high:.3f}) times that of not acting, "
        f"{null:.3f} times with the null action"
    )
    text += f"; {metrics['unexplained'].value:.3f} of the targets' variance is not explained" if "unexplained" in metrics else ""
    return text + hardly_moved({name.partition(".")[2]: metric for name, metric in metrics.items() if name.startswith("error.")})
