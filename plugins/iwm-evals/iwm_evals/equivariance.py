"""What features keep of an action: can it be read from them (equivariance), and how far does it move them (invariance)?

Decisions:
- Views are drawn as training draws them, destructive operations included; features are the mean of the teacher's tokens.
- Equivariance: the encoded action is regressed from the features of source and target side by side, by ridge regression (`ridge`),
  fitted on training images, several pairs of each, and measured on validation images as R²: 1 less the squared error over that of the
  training images' mean action, which is chance and gets exactly 0. The whole is the mean over the numbers that vary.
- Invariance (`invariance`) is of the same validation pairs, and of pairs that one action of the recipe alone sets apart.
- Both of raw pixels and of colours alone (`features`), beside the model's features: photometric actions are written in the pixels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from iwm_core.interfaces import (
    Chart,
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
from iwm_evals.probes.comparison import INPUTS, compare
from iwm_evals.probes.features import colour, raw
from iwm_evals.probes.held_out import held_out
from iwm_evals.probes.ridge import Moments, fit, merge, moments, predict
from iwm_evals.questions.parts import Part, each_action, whole
from iwm_evals.questions.views import draw_params, make_views
from iwm_evals.scores.invariance import Similarity
from iwm_evals.statistics.metrics import answer, answered, r_squared_metrics
from iwm_evals.words.answers import answer_and_better

STILL = 1e-12  # the variance of a number that does not vary
ABOUT = {
    "equivariance": "R² of the action, read linearly from the features of source and target: 1 is all of it, 0 is nothing",
    "invariance": "1: features do not see the action; 0: it moves them as far as to the features of another image",
}


class Pairs(NamedTuple):
    """``q`` pairs of views of each image of a batch.

    Attributes:
        features: of source and target, for each of `INPUTS`.
        action: from source to target, encoded.
        differ: where the action is not the null action.
    """

    features: dict[str, Float[Tensor, "b q 2 _"]]
    action: Float[Tensor, "b q a"]
    differ: Bool[Tensor, "b q"]


@dataclass(kw_only=True)
class Equivariance(Evaluator):
    """How well actions are read from features (R²), and how far they move them (invariance), beside pixels and colours."""

    name = "equivariance"
    retired = ("resamples",)

    train: int = option(2048, "training images that the regression is fitted on; all of them where there are fewer", low=10)
    images: int = option(256, "validation images measured; all of them where there are fewer", low=3)
    draws: int = option(2, "pairs of views of each image", low=1)
    chunk: int = option(64, "images encoded in one pass: bounds the memory", low=1)

    @torch.inference_mode()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: the recipe has no action or none that varies, or there are too few images to fit or to compare.
            ValueError: there are no validation images, or the model's latents are not finite.
        """
        if not model.names:
            raise NotApplicable("this recipe has no action")
        count = self.asked(data, self.images, least=3)

        everything, parts = whole(model.parts), each_action(model.parts)
        sums = self.gather(model, data, everything, track)
        known = {ending: merge(*both) for ending, both in sums.items()}
        mean, varies = known[""].y_mean, (known[""].yy > STILL * known[""].n).nonzero()[:, 0]
        if not len(varies):
            raise NotApplicable("no number of this recipe's action varies")
        ridges = {ending: fit(*both) for ending, both in sums.items()}
        alike = {
            (part.name, ending): Similarity(both.x_mean.unflatten(0, (2, -1)).mean(0), self.draws)
            for part in [everything, *parts]
            for ending, both in known.items()
        }
        errors, spreads = {ending: [] for ending in INPUTS}, []
        for batch in self.batches(data, count, self.chunk, track, doing="measure"):
            for part in [everything, *parts]:
                pairs = self.make_pairs(model, batch, data.seed, part)
                for ending, features in pairs.features.items():
                    alike[part.name, ending].add(features, pairs.differ)
                    if part is everything:
                        read = predict(ridges[ending], features.flatten(0, 1).flatten(1)).view_as(pairs.action)
                        errors[ending].append((read - pairs.action).square().sum(1)[:, varies])
                if part is everything:
                    spreads.append((mean - pairs.action).square().sum(1)[:, varies])

        spread = torch.cat(spreads)
        found = {ending: r_squared_metrics(torch.cat(table), spread) for ending, table in errors.items()}
        numbers = [f".{model.names[place]}.{model.actions.labels[place]}" for place in varies.tolist()]
        metrics = {
            f"equivariance{number}": answered({ending: each[place] for ending, each in found.items()})
            for place, number in enumerate(["", *numbers])
        }
        metrics["equivariance"] = metrics["equivariance"].against(chance=Metric.constant(0.0, len(spread)))
        for part in [everything, *parts]:
            kept = {ending: metric for ending in INPUTS if (metric := alike[part.name, ending].invariance()) is not None}
            if "" in kept:
                metrics[f"invariance.{part.name}".rstrip(".")] = answered(kept)
        settings = {"train": known[""].n // self.draws, "images": len(spread), "draws": self.draws}
        charts = draw_charts(metrics, numbers, [f".{part.name}" for part in parts])
        return Evaluation(
            metrics,
            settings | {"seed": data.seed},
            about=ABOUT,
            summary=in_one_sentence(metrics),
            charts=charts,
            **answer_and_better("equivariance", metrics),
        )

    def gather(self, model: WorldModel, data: EvaluationData, part: Part, track: Track) -> dict[str, tuple[Moments, Moments]]:
        """For each of `INPUTS`, what a regression needs of the training images: those that are fitted, and those that are held out."""
        count = min(self.train, data.count("train"))
        held, done = held_out(count, data.seed), 0
        found: dict[str, tuple[Moments, Moments]] = {}
        for batch in self.batches(data, count, self.chunk, track, "train", "fit"):
            pairs = self.make_pairs(model, batch, data.seed, part)
            out = held[done : done + len(batch.index)]
            done += len(batch.index)
            for ending, features in pairs.features.items():
                sides = [moments(features.cpu()[rows].flatten(0, 1).flatten(1), pairs.action[rows].flatten(0, 1)) for rows in (~out, out)]
                before = found.get(ending)
                found[ending] = (sides[0], sides[1]) if before is None else (merge(before[0], sides[0]), merge(before[1], sides[1]))
        return found

    def make_pairs(self, model: WorldModel, batch: ImageBatch, seed: int, part: Part) -> Pairs:
        """Pairs of views in which a part of the actions varies, as training draws them.

        Raises:
            ValueError: the model's latents are not finite.
        """
        features, actions, differ = [], [], []
        for version in range(self.draws):
            views = make_views(model, batch, draw_params(model, batch, seed, version, "equivariance/pair"), part)
            sides = (views.source, views.target)
            inputs = {"": [model.encode(view).float().mean(1) for view in sides], "raw": map(raw, sides), "colour": map(colour, sides)}
            features.append({ending: torch.stack(list(both), 1) for ending, both in inputs.items()})
            actions.append(views.action.cpu().double())
            differ.append((views.action != 0).any(1))
        together = {ending: torch.stack([version[ending] for version in features], 1) for ending in INPUTS}
        check_finite(together[""])
        return Pairs(together, torch.stack(actions, 1), torch.stack(differ, 1))


def in_one_sentence(metrics: dict[str, Metric]) -> str:
    """The position of the model between invariant and equivariant."""
    read = metrics["equivariance"]
    text = f"the action is read from the features with R² {read.value:.2f} (from pixels {read.controls['raw'].value:.2f})"
    if "invariance" in metrics:
        kept = metrics["invariance"]
        text += f", and invariance to it is {kept.value:.2f}"
        text += f" (pixels {kept.controls['raw'].value:.2f})" if "raw" in kept.controls else ""
    return text


def draw_charts(metrics: dict[str, Metric], numbers: list[str], actions: list[str]) -> tuple[Chart, ...]:
    """The position between both ends; R² of each number; invariance to each action."""
    charts = []
    if "invariance" in metrics:
        kept, read = metrics["invariance"], metrics["equivariance"]
        known = [(ending, label) for ending, label in INPUTS.items() if not ending or ending in kept.controls]
        places = [(label, answer(kept, ending), answer(read, ending)) for ending, label in known]
        charts.append(
            Chart(
                name="position",
                title="Between invariance and equivariance",
                x="invariance (1: the action is not seen)",
                y="equivariance (R² of the action)",
                kind="points",
                series=tuple(Series(label, [x.value], [y.value], [y.low], [y.high]) for label, x, y in places),
                about="To the right, features do not see the action, good for a linear probe; higher up, the action can be read from them.",
            )
        )
    charts.append(
        compare(
            "numbers",
            "How well each number of the action is read",
            "R²",
            "Of a linear regression from source and target. 1: the features say all of it; 0: nothing, which is chance.",
            metrics,
            {f"equivariance{number}": number[1:] for number in numbers},
            {"chance": 0.0},
        )
    )
    kept = {f"invariance{action}": action[1:] for action in actions if f"invariance{action}" in metrics}
    moved = {name: words for name, words in kept.items() if metrics[name].controls.keys() == INPUTS.keys() - {""}}
    if moved:
        charts.append(
            compare(
                "invariance",
                "How little each action moves the features",
                "invariance",
                "1: the features do not see the action; 0: it moves them as far as to those of another image.",
                metrics,
                moved,
                {},
            )
        )
    return tuple(charts)
