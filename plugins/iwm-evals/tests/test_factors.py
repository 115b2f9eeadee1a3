"""Factors on worlds whose truth is known, and against scikit-learn."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import PIXELS, KnownData, KnownModel, quiet
from iwm_evals.factors import Factors, above, in_one_sentence, readable, regress, targets
from iwm_evals.probes.held_out import held_out
from iwm_evals.probes.ridge import PENALTIES
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from iwm_core.interfaces import Draws, Factor, ImageBatch, Metric, NotApplicable


def factors(**fields) -> Factors:
    return Factors(**{"epochs": 30, "batch": 50, **fields})


@dataclass
class Turning(KnownData):
    """The direction of a gradient in the blue channel, in turns; besides it a number that does not vary and one known of some images."""

    factors = (Factor("direction", "turn"), Factor("still"), Factor("some"))

    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        side = torch.linspace(-1, 1, PIXELS)
        for batch in super().batches(split, count, size):
            turn = Draws(3, 0, batch.index, split).uniform()[:, 0]
            cosine, sine = ((2 * math.pi * turn).double().cos().float(), (2 * math.pi * turn).double().sin().float())
            gradient = cosine[:, None, None] * side[None, :, None] + sine[:, None, None] * side[None, None, :]
            blue = batch.images[:, 2:] * 0.2 + 0.4 + 0.3 * gradient[:, None]
            some = torch.where(batch.index % 7 == 0, torch.nan, turn)
            known = torch.stack([turn, torch.full_like(turn, 2.0), some], 1)
            yield batch._replace(images=torch.cat([batch.images[:, :2], blue], 1), factors=known)


class Cells(KnownModel):
    """Tokens that say where their patch is: the mean of the tokens then knows all pixels."""

    def encode(self, images):
        tokens = super().encode(images)
        return (tokens[:, :, None] * torch.eye(4)[None, :, :, None]).flatten(2) * 4


def test_a_linear_factor_is_known_to_precision_and_fate_is_not(tmp_path):
    data = KnownData(images=300, train=3000)
    found = flat(factors(epochs=5).evaluate(KnownModel(), data, tmp_path, quiet))
    names = [f"factor.{name}{ending}" for name in ("red", "shade", "fate") for ending in ("", "_raw", "_colour", "_chance")]
    assert list(found.metrics) == names
    for name in ("factor.red", "factor.red_raw"):
        metric = found.metrics[name]
        assert all(abs(bound - 1) < 1e-10 for bound in metric[:3])
        assert metric.n == 300
    assert 0.5 < found.metrics["factor.red_colour"].value < 0.99, "a histogram knows red but coarsely"
    for ending in ("", "_raw", "_colour"):
        fate = found.metrics[f"factor.fate{ending}"]
        assert fate.low - 0.005 < 0 < fate.high + 0.005, "it is not read at all; a penalty that is not the strongest costs a little"
        assert abs(fate.value) < 0.02
    assert found.metrics["factor.fate_chance"] == (0.0, 0.0, 0.0, 300)
    assert found.metrics["factor.shade"].value > 0.98
    labels = [next(data.batches(split, 3000, 3000)).labels for split in ("train", "validation")]
    majority = float((labels[1] == labels[0].bincount().argmax()).double().mean())
    assert found.metrics["factor.shade_chance"].value == majority
    assert found.settings["left_out"] == []
    (chart,) = found.charts
    assert [series.label for series in chart.series] == ["features", "raw pixels", "colours alone"]
    assert chart.series[0].x == ["red", "shade", "fate"]
    assert chart.series[0].y[0] == found.metrics["factor.red"].value
    assert math.isclose(chart.series[0].y[1], (found.metrics["factor.shade"].value - majority) / (1 - majority))
    assert "of 3 factors the features know best " in found.summary


def test_a_constant_encoder_knows_nothing(tmp_path):
    found = flat(factors().evaluate(KnownModel(constant=True), KnownData(images=300), tmp_path, quiet)).metrics
    for name in ("factor.red", "factor.fate"):  # the mean of the training images, not quite that of the validation images
        assert -0.03 < found[name].value <= 0
    assert found["factor.shade"] == found["factor.shade_chance"]
    assert found["factor.red_raw"].value > 0.999


def test_an_angle_is_read_around_the_turn(tmp_path):
    """The gradient is its cosine and sine times two patterns: what reads the angle itself would fail where 1 becomes 0."""
    found = flat(factors().evaluate(Cells(), Turning(images=200), tmp_path, quiet))
    assert list(found.metrics) == [f"factor.direction{ending}" for ending in ("", "_raw", "_colour", "_chance")]
    assert found.metrics["factor.direction"].value > 0.98
    assert found.metrics["factor.direction_raw"].value > 0.98
    assert found.metrics["factor.direction_colour"].value < 0.2, "colours do not know where they are"
    assert found.settings["left_out"] == ["still", "some"]
    straight = regress_number(Turning(images=200))
    assert straight < 0.8


def regress_number(data: KnownData) -> float:
    """R² of the angle as a plain number, by scikit-learn, from all pixels."""
    train, validation = (next(data.batches(split, 400, 400)) for split in ("train", "validation"))
    ridge = Ridge(alpha=1.0).fit(train.images.flatten(1).numpy(), train.factors[:, 0].numpy())
    return r2_score(validation.factors[:, 0].numpy(), ridge.predict(validation.images.flatten(1).numpy()))


def test_numbers_and_angles_are_read_as_sklearn_reads_them(tmp_path):
    """Standardised ridge, its penalty chosen for each output on the held-out tenth, R² as `r2_score` defines it."""

    class Both(Turning):
        factors = (Factor("direction", "turn"), Factor("still"), Factor("redness"))

        def batches(self, split, count, size):
            for batch in super().batches(split, count, size):
                redness = batch.images[:, 0].mean((1, 2)).square() + 0.02 * Draws(5, 0, batch.index, split).normal()[:, 0]
                yield batch._replace(factors=torch.stack([batch.factors[:, 0], batch.factors[:, 1], redness], 1))

    data, model = Both(images=150), KnownModel()
    found = flat(factors().evaluate(model, data, tmp_path, quiet)).metrics
    train, validation = (next(data.batches(split, 400, 400)) for split in ("train", "validation"))
    x, asked = (model.encode(batch.images).mean(1).double().numpy() for batch in (train, validation))
    held = held_out(400, 0).numpy()

    def read(y: np.ndarray) -> np.ndarray:
        errors = []
        for penalty in PENALTIES:
            scaler = StandardScaler().fit(x[~held])
            ridge = Ridge(alpha=penalty * int((~held).sum())).fit(scaler.transform(x[~held]), y[~held])
            errors.append(((ridge.predict(scaler.transform(x[held])) - y[held]) ** 2).sum())
        scaler = StandardScaler().fit(x)
        return Ridge(alpha=PENALTIES[int(np.argmin(errors))] * 400).fit(scaler.transform(x), y).predict(scaler.transform(asked))

    expected = r2_score(validation.factors[:, 2].numpy(), read(train.factors[:, 2].double().numpy()))
    assert 0.05 < expected < 0.95
    assert math.isclose(found["factor.redness"].value, expected, rel_tol=1e-5)
    angles = [targets("turn", batch.factors[:, 0]).numpy() for batch in (train, validation)]
    guessed = np.stack([read(angles[0][:, place]) for place in (0, 1)], 1)
    expected = r2_score(angles[1], guessed, multioutput="variance_weighted")
    assert math.isclose(found["factor.direction"].value, expected, rel_tol=1e-5, abs_tol=1e-6)


def test_parts_of_the_data_are_regressed_as_the_whole(monkeypatch):
    draws = Draws(0, 0, torch.arange(200), "regress")
    x, y = draws.normal(5), draws.normal(2).double()
    whole = regress(x, y, held_out(200, 0), x[:50])
    monkeypatch.setattr("iwm_evals.factors.AT_ONCE", 7)
    assert torch.allclose(regress(x, y, held_out(200, 0), x[:50]), whole, rtol=1e-9)


def test_what_cannot_be_read_is_left_out():
    assert readable(torch.tensor([1.0, 2.0]))
    assert not readable(torch.tensor([2.0, 2.0]))
    assert not readable(torch.tensor([1.0, torch.nan]))
    score = Metric(0.625, 0.25, 1.0, 9).against(raw=Metric(0.25, 0.25, 0.4, 9), chance=Metric.constant(0.25, 9))
    assert above(score) == Metric(0.5, 0.0, 1.0, 9).against(raw=Metric(0.0, 0.0, pytest.approx(0.2), 9))


def test_the_summary_counts_what_lies_clearly_apart():
    exact, near, far = Metric(1.0, 1.0, 1.0, 9), Metric(0.9995, 0.9995, 0.9995, 9), Metric(-0.001, -0.2, 0.9, 9)
    pairs = {"a": (exact, near), "b": (exact, far), "c": (far, exact), "d": (far, far)}
    scaled = {f"factor.{name}": features.against(raw=pixels) for name, (features, pixels) in pairs.items()}
    expected = "of 4 factors the features know best a 1.00, b 1.00, c 0.00 (1 is perfect, 0 chance); 1 clearly better than pixels, 1 worse"
    assert in_one_sentence(scaled, list(pairs)) == expected


def test_measuring_again_gives_the_same_numbers(tmp_path):
    few = factors(train_images=150, images=60, epochs=3)
    first, again = (flat(few.evaluate(KnownModel(), KnownData(), tmp_path, quiet)) for _ in range(2))
    assert first == again
    assert (first.settings["train_images"], first.settings["images"]) == (150, 60)


def test_nothing_to_measure_is_told(tmp_path):
    data = KnownData()
    data.factors = ()
    with pytest.raises(NotApplicable, match="knows no factors"):
        factors().evaluate(KnownModel(), data, tmp_path, quiet)
    with pytest.raises(NotApplicable, match="no factor of this data varies"):
        factors().evaluate(KnownModel(), KnownData(images=1), tmp_path, quiet)
    with pytest.raises(NotApplicable, match="at least 10 training images"):
        factors().evaluate(KnownModel(), KnownData(train=6), tmp_path, quiet)
