"""What the features know of the factors that made an image, where the data tells them.

Decisions:
- A ``number`` is read by ridge regression; a ``turn`` as its cosine and sine, both at once, since 0 and 1 are one angle. The score is R²:
  1 less the squared error over that of the mean of the validation images, which knows nothing. It is below 0 for a reading that is worse.
- A ``class`` is named by the swept linear classifier of the ``probe``; the score is the share of right answers, and chance that
  of the most frequent class of the training images. In the picture it stands on the scale of R²: (score - chance) / (1 - chance).
- Features, raw pixels and colours are read alike. A factor that the features know worse than pixels do has been thrown away; a model
  whose loss asks for invariance throws away what its actions change.
- A factor that does not vary, or is not known of every image, cannot be read and is left out; ``settings.left_out`` names it.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from iwm_core.interfaces import Evaluation, EvaluationData, Evaluator, Factor, Metric, NotApplicable, Track, WorldModel, option
from iwm_evals.probes.comparison import INPUTS, accuracies, compare, most_frequent
from iwm_evals.probes.features import Features, extract
from iwm_evals.probes.held_out import held_out
from iwm_evals.probes.linear import Sweep, classify
from iwm_evals.probes.ridge import fit, moments, predict, total
from iwm_evals.statistics.metrics import answered, r_squared_metrics
from iwm_evals.words.answers import answer_and_better

AT_ONCE = 4096  # images regressed together
VISIBLE = 1e-3  # a difference that is told in words
ABOUT = {
    "factor": "how well a factor is read from the features, linearly: R² of numbers and angles, share of right answers for classes; "
    "1 is perfect, to be read against pixels, colours and chance",
}


class Known(NamedTuple):
    """A factor of the training and the validation images."""

    train: Float[Tensor, "n"]
    validation: Float[Tensor, "m"]


@dataclass(kw_only=True)
class Factors(Evaluator):
    """Known factors from frozen features: ridge regression for numbers and angles, a linear classifier for classes."""

    name = "factors"
    retired = ("resamples",)

    train_images: int = option(0, "training images used; 0: all of them", low=0)
    images: int = option(0, "validation images measured; 0: all of them", low=0)
    epochs: int = option(20, "passes over the training images by the classifiers", low=1)
    batch: int = option(256, "images in one of their minibatches", low=1)
    lrs: list[float] = option([0.01, 0.1, 1.0], "their learning rates, chosen on a tenth of the training images", low=0)
    weight_decays: list[float] = option([0.0, 1e-3, 1e-1], "their weight decays, tried with each of them", low=0)
    chunk: int = option(256, "images encoded in one pass: bounds the memory", low=1)

    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: the data knows no factors, none of them varies, or there are fewer than ten training images.
            ValueError: there are no images, or the model's latents are not finite.
        """
        if not data.factors:
            raise NotApplicable("this data knows no factors of its images")
        train, validation = (
            extract(model, self.batches(data, count, self.chunk, track, split, f"features of {split} images"), count, folder)
            for split, most in (("train", self.train_images), ("validation", self.images))
            for count in [self.asked(data, most, split)]
        )
        asked = {
            factor: Known(train.factors[:, place], validation.factors[:, place])
            for place, factor in enumerate(data.factors)
            if all(readable(known[:, place]) for known in (train.factors, validation.factors))
        }
        if not asked:
            raise NotApplicable("no factor of this data varies over the images measured")
        numbers = {factor: known for factor, known in asked.items() if factor.kind != "class"}
        found = self.read(numbers, train, validation, data.seed) if numbers else {}
        for factor in asked.keys() - numbers.keys():
            found[factor.name] = self.name_class(factor, asked[factor], train, validation, data.seed, model.device, track)
        metrics = {f"factor.{factor.name}": found[factor.name] for factor in asked}
        scaled = {name: above(metric) for name, metric in metrics.items()}
        settings = {
            "train_images": len(train.labels),
            "images": len(validation.labels),
            "left_out": [factor.name for factor in data.factors if factor not in asked],
            "epochs": self.epochs,
            "batch": self.batch,
            "lrs": self.lrs,
            "weight_decays": self.weight_decays,
            "seed": data.seed,
        }
        chart = compare(
            "factors",
            "What the features know of each factor",
            "R²; for classes (share right - chance) / (1 - chance)",
            "Each factor read linearly from features, pixels and colours: 1 is perfect, 0 knows nothing.",
            scaled,
            {f"factor.{factor.name}": factor.name for factor in asked},
            {"chance": 0.0},
        )
        summary = in_one_sentence(scaled, [factor.name for factor in asked])
        return Evaluation(metrics, settings, ABOUT, summary, (chart,), **answer_and_better("factors", scaled))

    def read(self, asked: dict[Factor, Known], train: Features, validation: Features, seed: int) -> dict[str, Metric]:
        """R² of numbers and angles by the factor's name, from each input."""
        sizes = [2 if factor.kind == "turn" else 1 for factor in asked]
        y = torch.cat([targets(factor.kind, known.train) for factor, known in asked.items()], 1)
        truth = torch.cat([targets(factor.kind, known.validation) for factor, known in asked.items()], 1)
        held = held_out(len(y), seed)
        spread = per_factor((truth - truth.mean(0)).square(), sizes)
        errors = {
            control: per_factor((regress(train.inputs[control], y, held, validation.inputs[control]) - truth).square(), sizes)
            for control in INPUTS
        }
        lost, whole = torch.cat(list(errors.values()), 1), spread.repeat(1, len(errors))
        columns = iter(r_squared_metrics(lost, whole)[1:])
        found = {control: {factor.name: next(columns) for factor in asked} for control in errors}
        chance = Metric.constant(0.0, len(truth))
        return {
            factor.name: answered({control: known[factor.name] for control, known in found.items()} | {"chance": chance})
            for factor in asked
        }

    def name_class(
        self, factor: Factor, known: Known, train: Features, validation: Features, seed: int, device: torch.device, track: Track
    ) -> Metric:
        """The share of right answers about a class, from each input."""
        sweep = Sweep(self.lrs, self.weight_decays, self.epochs, self.batch, seed, device)
        labels, truth = known.train.long(), known.validation.long()
        classes, right = 1 + int(torch.cat([labels, truth]).max()), {}
        for control, words in INPUTS.items():
            chosen = sweep.choose(train.inputs[control], labels, classes, track, f"{factor.name} from {words}")
            right[control] = classify(chosen.head, validation.inputs[control]) == truth
        right["chance"] = most_frequent(labels, truth)
        return accuracies({factor.name: right})[factor.name]


def readable(values: Float[Tensor, "n"]) -> bool:
    """Whether a factor is known of every image, and varies."""
    return bool(values.isfinite().all()) and float(values.min()) < float(values.max())


def targets(kind: str, values: Float[Tensor, "n"]) -> Float[Tensor, "n o"]:
    """What is regressed: a number itself, of a turn the cosine and sine; float64."""
    values = values.double()
    angle = 2 * math.pi * values
    return torch.stack([angle.cos(), angle.sin()] if kind == "turn" else [values], 1)


def per_factor(squares: Float[Tensor, "m o"], sizes: list[int]) -> Float[Tensor, "m f"]:
    """Squares added up over the numbers of each factor."""
    return torch.stack([part.sum(1) for part in squares.split(sizes, 1)], 1)


def regress(x: Float[Tensor, "n d"], y: Float[Tensor, "n o"], held: Bool[Tensor, "n"], asked: Float[Tensor, "m d"]) -> Float[Tensor, "m o"]:
    """What ridge regression, its penalties chosen on the rows ``held``, reads from ``asked``."""
    parts = list(zip(x.split(AT_ONCE), y.split(AT_ONCE), held.split(AT_ONCE), strict=True))
    fitted = fit(
        total(moments(features[~chosen], numbers[~chosen]) for features, numbers, chosen in parts),
        total(moments(features[chosen], numbers[chosen]) for features, numbers, chosen in parts),
    )
    return torch.cat([predict(fitted, part) for part in asked.split(AT_ONCE)])


def above(metric: Metric) -> Metric:
    """A score and those that it is held against, on a scale where chance is 0 and perfect is 1."""
    chance = metric.controls["chance"].value

    def scaled(one: Metric) -> Metric:
        value, low, high = ((bound - chance) / (1 - chance) for bound in one[:3])
        return Metric(value, low, high, one.n)

    return scaled(metric).against(**{name: scaled(one) for name, one in metric.controls.items() if name != "chance"})


def in_one_sentence(scaled: dict[str, Metric], names: list[str]) -> str:
    """The factors known best, and how many the features know better or worse than pixels do, by intervals that lie apart."""
    found = {name: (scaled[f"factor.{name}"], scaled[f"factor.{name}"].controls["raw"]) for name in names}
    by = sorted(names, key=lambda name: -found[name][0].value)
    best = ", ".join(f"{name} {round(found[name][0].value, 2) + 0:.2f}" for name in by[:3])
    over = sum(features.low > pixels.high + VISIBLE for features, pixels in found.values())
    under = sum(features.high < pixels.low - VISIBLE for features, pixels in found.values())
    return (
        f"of {len(names)} factors the features know best {best} (1 is perfect, 0 chance); {over} clearly better than pixels, {under} worse"
    )
