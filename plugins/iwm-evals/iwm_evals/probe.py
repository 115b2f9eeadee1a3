"""Linear probe and nearest neighbours: do the features know what is in the image (PAPER §7)?

Decisions:
- Both are tried on three things: the features (mean of the teacher's tokens), the raw pixels, and the colours alone. What the model adds
  is the difference. All three have the same sweep and the same neighbours.
- Training images train and choose, validation images are asked once.
- Chance is the answer that is always the most frequent class of the training images: what a constant encoder gets, exactly.
"""

from dataclasses import dataclass
from pathlib import Path

from iwm_core.interfaces import Evaluation, EvaluationData, Evaluator, NotApplicable, Track, WorldModel, option
from iwm_evals.probes.comparison import INPUTS, accuracies, compare, most_frequent, setting
from iwm_evals.probes.features import Features, Labelled, extract, left_out
from iwm_evals.probes.knn import Neighbours
from iwm_evals.probes.linear import Sweep, classify
from iwm_evals.words.answers import answer_and_better

ABOUT = {
    "linear": "share of validation images whose class a linear classifier of the features names; to be read against pixels, colours "
    "and chance: the class most frequent among its own training images",
    "knn": "share of validation images whose class their nearest training images name, by cosine of the features; nothing is trained",
}


@dataclass(kw_only=True)
class Probe(Evaluator):
    """Classes from frozen features: a linear probe, its learning rate and weight decay swept, and cosine nearest neighbours."""

    name = "probe"
    retired = ("resamples",)

    train_images: int = option(0, "training images used; 0: all of them", low=0)
    images: int = option(0, "validation images measured; 0: all of them", low=0)
    epochs: int = option(50, "passes over the training images by the linear probe", low=1)
    batch: int = option(256, "images in one of its minibatches", low=1)
    lrs: list[float] = option([0.01, 0.03, 0.1, 0.3, 1.0, 3.0], "learning rates tried, chosen on a tenth of the training images", low=0)
    weight_decays: list[float] = option([0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0], "weight decays tried with each of them", low=0)
    k: int = option(20, "nearest neighbours that vote", low=1)
    temperature: float = option(0.07, "a neighbour's vote weighs exp(similarity / temperature)", low=1e-3)
    chunk: int = option(256, "images encoded in one pass: bounds the memory", low=1)

    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: the images have no classes, or fewer than ten training images have one.
            ValueError: there are no images, or the model's latents are not finite.
        """
        (train, _), (validation, others) = self.features(model, data, folder, track)
        classes = len(data.classes)
        sweep = Sweep(self.lrs, self.weight_decays, self.epochs, self.batch, data.seed, model.device)
        right, chosen = {measure: {} for measure in ABOUT}, {}
        for control, words in INPUTS.items():
            x, asked = train.inputs[control], validation.inputs[control]
            found = sweep.choose(x, train.labels, classes, track, f"linear probe of {words}")
            chosen[setting("linear", control)] = found.settings
            right["linear"][control] = classify(found.head, asked) == validation.labels
            neighbours = Neighbours(x, train.labels, classes, self.k, self.temperature, model.device)
            right["knn"][control] = neighbours.classify(asked, track, f"neighbours by {words}") == validation.labels
        for measure in ABOUT:
            right[measure]["chance"] = most_frequent(train.labels, validation.labels)
        metrics = accuracies(right)
        settings = {
            "train_images": len(train.labels),
            "images": len(validation.labels),
            "epochs": self.epochs,
            "batch": self.batch,
            **chosen,
            "k": min(self.k, len(train.labels)),
            "temperature": self.temperature,
            "seed": data.seed,
        }
        linear = metrics["linear"]
        chance = linear.controls["chance"].value
        summary = (
            f"a linear probe classifies {linear.value:.1%} of the images correctly ({linear.low:.1%} to {linear.high:.1%}), "
            f"where pixels give {linear.controls['raw'].value:.1%}, colours {linear.controls['colour'].value:.1%} "
            f"and chance {chance:.1%}; nearest neighbours reach {metrics['knn'].value:.1%}{left_out(others, len(validation.labels))}"
        )
        chart = compare(
            "probe",
            "Classes from frozen features",
            "share of images classified correctly",
            "A linear classifier and nearest neighbours, by features, pixels and colours. Features worth something stand above both.",
            metrics,
            {"linear": "linear probe", "knn": "nearest neighbours"},
            {"chance": chance},
        )
        return Evaluation(metrics, settings, ABOUT, summary, (chart,), **answer_and_better("probe", metrics))

    def features(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> list[tuple[Features, int]]:
        """Those of the training and of the validation images that have a class, each with the number of images that have none."""
        if not data.classes:
            raise NotApplicable("this data names no classes to probe for")
        found = []
        for split, most in (("train", self.train_images), ("validation", self.images)):
            count = self.asked(data, most, split)
            batches = self.batches(data, count, self.chunk, track, split, f"features of {split} images")
            known = Labelled(batches, len(data.classes))
            found.append((extract(model, known, count, folder), known.others))
        return found
