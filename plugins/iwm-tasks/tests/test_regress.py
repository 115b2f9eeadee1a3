"""Numbers and angles: they come back as they went in, R² is scikit-learn's, and each mistake has its line."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_tasks.tasks.regress import Regress
from known_images import Told, told
from sklearn.metrics import r2_score

from iwm_core.interfaces import Factor

TASK = Regress(of=["size", "age"], turns=["hue"], low=[0, 10], high=[1, 90])
FACTORS = (Factor("hue", "turn"), Factor("age"), Factor("size"))


def targets(values):
    """Targets of images with these hues, ages and sizes."""
    images = Told([0] * len(values), factors=FACTORS, values=tuple(values))
    return torch.stack([TASK.target(images, index) for index in range(len(values))])


def drawn(images=200):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(images, 3, generator=generator) * torch.tensor([1.0, 80.0, 1.0]) + torch.tensor([0.0, 10.0, 0.0])
    target = targets(values.tolist())
    return values, target, target + 0.3 * torch.randn(target.shape, generator=generator)


def test_outputs_are_named():
    assert TASK.outputs(Told([0], factors=FACTORS)) == ("size", "age", "hue", "hue.certainty")


@settings(deadline=None, derandomize=True)
@given(hue=st.floats(-2, 2), age=st.floats(0, 100), size=st.floats(0, 1))
def test_answering_with_the_target_gives_the_values(hue, age, size):
    answer = TASK.answer(targets([(hue, age, size)]))[0].tolist()
    assert answer[:2] == pytest.approx([size, age], abs=1e-4)
    assert abs((answer[2] - hue + 0.5) % 1 - 0.5) < 1e-5
    assert 0 <= answer[2] <= 1
    assert answer[3] == pytest.approx(1, abs=1e-5)


def test_low_and_high_are_learned_as_minus_one_and_one():
    assert targets([(0.25, 10, 1)])[0].tolist() == pytest.approx([1, -1, 0, 1], abs=1e-6)


def test_loss_is_the_mean_squared_error():
    _, target, output = drawn()
    assert float(TASK.loss(output, target)) == pytest.approx(
        float(sum((a - b) ** 2 for a, b in zip(output.flatten(), target.flatten(), strict=True)) / 800), rel=1e-4
    )


def test_metrics():
    values, target, output = drawn()
    hue, age, size = values.double().unbind(1)
    angle = 2 * math.pi * hue
    waves = torch.stack([angle.cos(), angle.sin()], 1)
    lost, whole = (output[:, 2:] - waves).square().sum(), (waves - waves.mean(0)).square().sum()
    said_age, said_size = 50 + 40 * output[:, 1], 0.5 + 0.5 * output[:, 0]
    said_hue = [math.atan2(y, x) / (2 * math.pi) for x, y in output[:, 2:].tolist()]
    expected = {
        "r2.size": r2_score(size, said_size),
        "mae.size": float((size - said_size).abs().mean()),
        "r2.age": r2_score(age, said_age),
        "mae.age": float((age - said_age).abs().mean()),
        "r2.hue": float(1 - lost / whole),
        "mae.hue": sum(min(abs(a - b + turn) for turn in (-1, 0, 1, 2)) for a, b in zip(said_hue, hue.tolist(), strict=True)) / len(hue),
    }
    expected = {"r2": (expected["r2.size"] + expected["r2.age"] + expected["r2.hue"]) / 3} | expected
    found = TASK.metrics(TASK.rows(output, target))
    assert found == pytest.approx(expected, abs=1e-5)
    assert list(found) == list(expected)
    assert next(iter(found)) == TASK.main


def test_right_answers_score_one_and_the_mean_zero():
    _, target, _ = drawn()
    right = TASK.metrics(TASK.rows(target, target))
    assert [right[name] for name in right if name.startswith("r2")] == pytest.approx([1, 1, 1, 1])
    assert [right[name] for name in right if name.startswith("mae")] == pytest.approx([0, 0, 0], abs=1e-6)
    assert TASK.metrics(TASK.rows(target.mean(0).expand_as(target), target))["r2"] == pytest.approx(0, abs=1e-5)


def test_small_and_few_numbers_are_measured_too():
    """What torchmetrics alone would take for numbers that do not vary."""
    task = Regress(of=["size"])
    truth = torch.tensor([[0.501], [0.502], [0.503]])
    said = truth + torch.tensor([[0.0005], [0.0], [0.0]])
    assert task.metrics(torch.cat([said, truth], 1))["r2"] == pytest.approx(1 - 0.25 / 2, abs=1e-3)


def test_a_factor_that_does_not_vary_has_no_r2():
    values, _, output = drawn()
    values[:, 1] = 33.3
    target = targets(values.tolist())
    found = TASK.metrics(TASK.rows(output, target))
    assert math.isnan(found["r2.age"])
    assert found["r2"] == pytest.approx((found["r2.size"] + found["r2.hue"]) / 2)
    values[:, 0] = 0.3
    still = targets(values.tolist())
    assert math.isnan(TASK.metrics(TASK.rows(output, still))["r2.hue"])
    one = TASK.metrics(TASK.rows(output[:1], target[:1]))
    assert math.isnan(one["r2"])


@pytest.mark.parametrize("task", [Regress(of=["size"]), Regress(turns=["hue"])])
def test_numbers_or_turns_alone(task):
    images = Told([0, 0], factors=FACTORS, values=((0.2, 0, 0.3), (0.7, 0, 0.8)))
    target = torch.stack([task.target(images, index) for index in (0, 1)])
    assert target.shape == (2, len(task.outputs(images)))
    assert task.metrics(task.rows(target, target))["r2"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("task", "images", "message"),
    [
        (Regress(), told(), "needs to know which factors to learn; this data has of=\\[size\\] and turns=\\[hue\\]"),
        (Regress(), Told([0], ("a", "b")), "knows no factors that are numbers; choose data that does"),
        (Regress(of=["size"]), Told([0], ("a", "b")), "knows no factors, so none called 'size'"),
        (Regress(of=["sizes"]), told(), "no factor 'sizes'; did you mean size\\?"),
        (Regress(of=["hue"]), told(), "regress.of names the factor hue, which is a turn; name it in turns"),
        (Regress(turns=["size"]), told(), "regress.turns names the factor size, which is a number; name it in of"),
        (Regress(of=["kind"]), told(), "the factor kind, which is a class; learn it with the task classify"),
    ],
)
def test_data_that_has_no_such_factors(task, images, message):
    with pytest.raises(ValueError, match=message):
        task.outputs(images)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Regress(turns=["hue"]), "picture 3: its factor hue is nan; every image needs a finite number there"),
        (Regress(of=["size"]), "picture 3: its factor size is 7, far from the range 0 to 1; set regress.low and regress.high"),
    ],
)
def test_an_image_that_cannot_be_learned(task, message):
    with pytest.raises(ValueError, match=message):
        task.target(told(), 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"of": ["x", "x"]}, "names a factor twice"),
        ({"of": ["x"], "turns": ["x"]}, "names a factor twice"),
        ({"of": ["x", "y"], "low": [0, 0, 0]}, "regress.low has 3 values for 2 numbers; give one, or one for each"),
        ({"of": ["x"], "high": []}, "regress.high has 0 values for 1 numbers"),
        ({"of": ["x", "y"], "high": [1, 0]}, "must lie below"),
    ],
)
def test_fields_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=message):
        Regress(**fields)
