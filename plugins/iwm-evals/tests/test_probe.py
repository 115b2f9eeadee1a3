"""Linear probe and nearest neighbours on worlds whose truth is known, and against scikit-learn."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import KnownData, KnownModel, quiet
from iwm_evals.probe import Probe
from iwm_evals.probes.knn import Neighbours
from sklearn.neighbors import KNeighborsClassifier

from iwm_core.interfaces import Draws, ImageBatch, NotApplicable

CPU = torch.device("cpu")
NAMES = [f"{measure}{control}" for measure in ("linear", "knn") for control in ("", "_raw", "_colour", "_chance")]


def probe(**fields) -> Probe:
    return Probe(**{"epochs": 8, "batch": 50, **fields})


@dataclass
class Rewritten(KnownData):
    """The same images with other labels, given by a function of the images and the labels."""

    write: object = staticmethod(lambda images, labels: labels)

    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        for batch in super().batches(split, count, size):
            yield batch._replace(labels=self.write(split, batch.labels))


def directions(count: int, split: int, classes: int = 6, width: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Classes around overlapping directions, with an offset in common, as features have."""
    draws = Draws(0, split, torch.arange(count), "directions")
    labels = draws.integers(classes)[:, 0]
    return Draws(0, 0, torch.arange(classes), "centres").normal(width)[labels] * 0.5 + draws.normal(width) + 0.3, labels


def test_a_class_that_tokens_know_is_found(tmp_path):
    found = flat(probe(epochs=50).evaluate(KnownModel(), KnownData(), tmp_path, quiet))
    assert list(found.metrics) == NAMES
    for name in ("linear", "linear_raw"):  # the classes' red means lie nine standard deviations apart
        assert (found.metrics[name].value, found.metrics[name].high, found.metrics[name].n) == (1.0, 1.0, 100)
        assert 0.95 < found.metrics[name].low < 0.97, "of 100 images, all right is no certainty"
    train, validation = (next(KnownData().batches(split, 400, 400)).labels.bincount() for split in ("train", "validation"))
    chance = float(validation[train.argmax()]) / 100
    assert found.metrics["linear_chance"] == found.metrics["knn_chance"]
    assert found.metrics["linear_chance"].value == chance
    assert found.metrics["knn"].value > 0.8
    assert found.metrics["knn"].low <= found.metrics["knn"].value <= found.metrics["knn"].high
    assert found.settings["train_images"] == 400
    assert set(found.settings["linear"]) == {"lr", "weight_decay", "at_edge"}
    assert set(found.about) == {"linear", "knn"}
    assert "a linear probe classifies 100.0% of the images correctly" in found.summary
    (chart,) = found.charts
    assert [(series.label, series.x) for series in chart.series] == [
        (label, ["linear probe", "nearest neighbours"]) for label in ("features", "raw pixels", "colours alone")
    ]
    assert chart.series[0].y == [1.0, found.metrics["knn"].value]
    assert chart.levels == {"chance": chance}


def test_a_constant_encoder_gets_chance(tmp_path):
    """Every image is given one class: by the linear probe that of most training images, by neighbours some class."""
    data = KnownData(images=300)
    found = flat(probe().evaluate(KnownModel(constant=True), data, tmp_path, quiet))
    counts = next(data.batches("validation", 300, 300)).labels.bincount()
    assert found.metrics["linear"] == found.metrics["linear_chance"]
    assert found.metrics["linear"].value in [float(count) / 300 for count in counts]
    assert found.metrics["knn"].value in [float(count) / 300 for count in counts]
    assert found.metrics["linear_raw"].value > 0.95, "the images know it"


def test_labels_that_no_image_knows_are_named_as_by_chance(tmp_path):
    def shuffled(split: str, labels: torch.Tensor) -> torch.Tensor:
        return Draws(9, len(split), torch.arange(len(labels)), "labels").integers(3)[:, 0]

    data = Rewritten(images=400, write=shuffled)
    found = flat(probe(chunk=400).evaluate(KnownModel(), data, tmp_path, quiet)).metrics
    for name in ("linear", "linear_raw", "linear_colour", "knn", "knn_raw", "knn_colour"):
        assert found[name].low < 1 / 3 < found[name].high
        assert abs(found[name].value - 1 / 3) < 4 * (2 / 9 / 400) ** 0.5


def test_validation_images_choose_nothing(tmp_path):
    right = flat(probe().evaluate(KnownModel(), KnownData(), tmp_path, quiet))
    wrong = Rewritten(write=lambda split, labels: (labels + 1) % 3 if split == "validation" else labels)
    found = flat(probe().evaluate(KnownModel(), wrong, tmp_path, quiet))
    assert found.settings == right.settings
    assert found.metrics["linear"].value == 0.0


def test_measuring_again_gives_the_same_numbers_and_leaves_the_generator_alone(tmp_path):
    state = torch.get_rng_state()
    first, again = (flat(probe().evaluate(KnownModel(), KnownData(), tmp_path, quiet)) for _ in range(2))
    assert first == again
    assert torch.equal(torch.get_rng_state(), state)
    other = flat(probe().evaluate(KnownModel(), replace(KnownData(), seed=1), tmp_path, quiet))
    assert other.metrics["linear_chance"] != first.metrics["linear_chance"]


def test_images_are_capped_and_those_without_a_class_left_out(tmp_path):
    found = flat(probe(train_images=120, images=40, chunk=32).evaluate(KnownModel(), KnownData(), tmp_path, quiet))
    assert (found.settings["train_images"], found.settings["images"]) == (120, 40)
    half = Rewritten(write=lambda split, labels: labels.where(torch.arange(len(labels)) % 2 == 0, -1))
    found = flat(probe(chunk=50).evaluate(KnownModel(), half, tmp_path, quiet))
    assert (found.settings["train_images"], found.metrics["linear"].n) == (200, 50)
    assert found.metrics["linear"].value > 0.9, "labels are still those of their images"
    assert found.summary.endswith("; 50 of 100 validation images have no class that training knows, and are left out")


def test_data_without_classes_is_nothing_to_measure(tmp_path):
    data = KnownData()
    data.classes = ()
    with pytest.raises(NotApplicable, match="names no classes"):
        probe().evaluate(KnownModel(), data, tmp_path, quiet)
    with pytest.raises(NotApplicable, match="no image of this data has a class"):
        probe().evaluate(KnownModel(), Rewritten(write=lambda split, labels: labels * 0 - 1), tmp_path, quiet)
    with pytest.raises(NotApplicable, match="at least 10 training images"):
        probe().evaluate(KnownModel(), KnownData(train=5), tmp_path, quiet)
    with pytest.raises(ValueError, match="needs validation images, and this data has none"):
        probe().evaluate(KnownModel(), KnownData(images=0), tmp_path, quiet)
    assert flat(probe().evaluate(KnownModel(), KnownData(images=1), tmp_path, quiet)).metrics["linear"].n == 1


@pytest.mark.parametrize(("k", "bank"), [(20, 3000), (1, 3000), (20, 12)])
def test_neighbours_are_those_of_sklearn(k, bank):
    """Acceptance: within 0.5 points on the same features; image by image, all but a few that rounding decides."""
    (x, labels), (asked, truth) = directions(bank, 0), directions(4000, 1)
    ours = Neighbours(x, labels, 6, k, 0.07, CPU).classify(asked, quiet, "x")
    reference = KNeighborsClassifier(min(k, bank), metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    theirs = torch.from_numpy(reference.fit(x.double().numpy(), labels.numpy()).predict(asked.double().numpy()))
    assert 0.2 < float((theirs == truth).double().mean()) < 0.9
    assert abs(float((ours == truth).double().mean() - (theirs == truth).double().mean())) <= 0.005
    assert int((ours != theirs).sum()) <= 2


def test_the_temperature_weighs_votes():
    x, labels = torch.eye(3), torch.tensor([0, 1, 1])
    near_first = torch.tensor([[0.8, 0.55, 0.55]])
    assert Neighbours(x, labels, 2, 3, 0.01, CPU).classify(near_first, quiet, "x").tolist() == [0]
    assert Neighbours(x, labels, 2, 3, 10.0, CPU).classify(near_first, quiet, "x").tolist() == [1]
