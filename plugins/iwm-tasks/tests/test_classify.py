"""Classes from labels and factors; the loss is torch's, the metrics are scikit-learn's, and each mistake has its line."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_tasks.tasks.classify import Classify
from known_images import Told, told
from sklearn.metrics import accuracy_score, balanced_accuracy_score, top_k_accuracy_score
from torch.nn import functional as F


def answered(images, classes, seed=0):
    """Random outputs, and classes that they lean to."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(classes, (images,), generator=generator)
    return torch.randn(images, classes, generator=generator) + F.one_hot(target, classes), target


@pytest.mark.parametrize(
    ("task", "names", "classes"),
    [
        (Classify(), ("cat", "dog", "hen"), [0, 1, 2]),
        (Classify(of="kind"), ("round", "square"), [0, 1, 1]),
        (Classify(of="size", values=[2, 3, 5]), ("2", "3", "5"), [0, 1, 2]),
        (Classify(of="size", bins=2, span=[2, 5]), ("size 2 to 3.5", "size 3.5 to 5"), [0, 0, 1]),
        (Classify(of="size", bins=2, span=[2.5, 4.5]), ("size 2.5 to 3.5", "size 3.5 to 4.5"), [0, 0, 1]),
        (Classify(of="hue", bins=4, names=["red", "lime", "cyan", "violet"]), ("red", "lime", "cyan", "violet"), [0, 0, 2]),
    ],
)
def test_classes_of_labels_and_factors(task, names, classes):
    assert task.outputs(told()) == names
    assert [int(task.target(told(), index)) for index in range(3)] == classes


@settings(deadline=None, derandomize=True)
@given(hue=st.floats(-3, 3), bins=st.integers(2, 12))
def test_sectors_of_a_turn_are_about_their_middles(hue, bins):
    images = Told([0], factors=told().factors, values=((hue, 0.0, 0.0),))
    found = int(Classify(of="hue", bins=bins).target(images, 0))
    away = abs((float(torch.tensor(hue)) - found / bins + 0.5) % 1 - 0.5)
    assert away <= 0.5 / bins + 1e-6


def test_loss_of_classes_and_of_shares_is_the_cross_entropy():
    output, target = answered(50, 7)
    expected = -sum(math.log(float(row.softmax(0)[place])) for row, place in zip(output, target, strict=True)) / 50
    assert float(Classify().loss(output, target)) == pytest.approx(expected, rel=1e-5)
    shares = torch.rand(50, 7).softmax(1)
    soft = -(shares * output.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(Classify().loss(output, shares), soft)
    torch.testing.assert_close(Classify().loss(output, F.one_hot(target, 7).float()), Classify().loss(output, target))


def test_gradient_of_the_loss_is_probability_less_truth():
    output, target = answered(20, 4)
    output.requires_grad_()
    Classify().loss(output, target).backward()
    torch.testing.assert_close(output.grad, (output.detach().softmax(1) - F.one_hot(target, 4)) / 20)


@pytest.mark.parametrize("classes", [2, 5, 6, 30])
def test_metrics_are_those_of_scikit_learn(classes):
    output, target = answered(200, classes)
    found = Classify().metrics(Classify().rows(output, target))
    named = output.argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, that a class which is named occurs nowhere
        expected = {"accuracy": accuracy_score(target, named), "balanced_accuracy": balanced_accuracy_score(target, named)}
    if classes > 5:
        expected["top5"] = top_k_accuracy_score(target, output, k=5, labels=range(classes))
    assert found == pytest.approx(expected, abs=1e-6)
    assert list(found) == list(expected)
    assert next(iter(found)) == Classify.main


def test_a_resample_without_some_classes():
    output = 10 * torch.eye(9)[[3, 3, 4, 8]] - torch.arange(9)  # of the last, five classes lie before the right one
    rows = Classify().rows(output, torch.tensor([3, 3, 4, 4]))
    assert Classify().metrics(rows) == pytest.approx({"accuracy": 0.75, "balanced_accuracy": 0.75, "top5": 0.75})


def test_right_answers_score_one_and_blind_ones_chance():
    target = torch.arange(60_000) % 10
    assert set(Classify().metrics(Classify().rows(F.one_hot(target, 10).float(), target)).values()) == {1.0}
    blind = Classify().metrics(Classify().rows(torch.randn(60_000, 10, generator=torch.Generator().manual_seed(0)), target))
    assert blind == pytest.approx({"accuracy": 0.1, "balanced_accuracy": 0.1, "top5": 0.5}, abs=4 * 0.5 / 60_000**0.5)  # 4 standard errors


def test_answers_are_probabilities():
    output, _ = answered(9, 4)
    answer = Classify().answer(output)
    torch.testing.assert_close(answer.sum(1), torch.ones(9))
    assert torch.equal(answer.argmax(1), output.argmax(1))


@pytest.mark.parametrize(
    ("task", "images", "message"),
    [
        (Classify(), Told([0]), "no labels; in a folder, each class is a folder"),
        (Classify(), Told([0], ("cat",)), "at least two classes, and the labels of this data tell 1: cat"),
        (Classify(of="colour"), Told([0], ("a", "b")), "knows no factors, so none called 'colour'"),
        (Classify(of="sise"), told(), "no factor 'sise'; did you mean size\\? it has hue, size, kind"),
        (Classify(of="size"), told(), "the factor size is a number; give values.*or take the task regress"),
        (Classify(of="hue"), told(), "the factor hue is a turn; give bins"),
        (Classify(of="hue", values=[0.5]), told(), "the factor hue is a turn; give bins"),
        (Classify(of="kind", bins=2), told(), "the factor kind has classes of its own; leave values and bins out"),
        (Classify(names=["a", "b"]), told(), "gives 2 names, and the labels of this data tell 3 classes; give one for each"),
    ],
)
def test_data_that_has_no_such_classes(task, images, message):
    with pytest.raises(ValueError, match=message):
        task.outputs(images)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Classify(), "picture 3 has label 7, and this data has classes 0 to 2; correct the label"),
        (Classify(of="kind"), "picture 3: its factor kind is 4, and this data has classes 0 to 1; correct it"),
        (Classify(of="size", values=[2, 3, 5]), "picture 3: its factor size is 7, none of classify.values=\\[2, 3, 5\\]; add it"),
        (Classify(of="hue", bins=3), "picture 3: its factor hue is nan; every image needs a finite number there"),
    ],
)
def test_an_image_of_no_class(task, message):
    with pytest.raises(ValueError, match=message):
        task.target(told(), 3)


def test_an_image_without_label():
    with pytest.raises(ValueError, match="picture 1 has no label; label it or take it out of the data"):
        Classify().target(Told([0, -1], ("cat", "dog")), 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"of": "x", "values": [1], "bins": 2}, "values or bins, not both"),
        ({"bins": 2}, "are about a factor; name it with of"),
        ({"of": "x", "values": [1, 1]}, "names a value twice"),
        ({"of": "x", "bins": 2, "span": [1, 1]}, "span must be two numbers, low and high"),
        ({"of": "x", "bins": 2, "span": [1]}, "span must be two numbers, low and high"),
    ],
)
def test_fields_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=message):
        Classify(**fields)
