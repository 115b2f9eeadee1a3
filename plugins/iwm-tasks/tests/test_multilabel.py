"""Several labels an image: the loss is torch's, the metrics are scikit-learn's, and each mistake has its line."""

import math

import numpy as np
import pytest
import torch
from iwm_tasks.tasks.multilabel import Multilabel
from known_images import Told
from sklearn.metrics import average_precision_score, f1_score

TASK = Multilabel()
PETS = Told([0, 1, 2], ("cat", "dog", "hen"), sets=((True, False, True), None, (True, False)))


def answered(images, labels, share=0.3):
    """Random outputs, and labels that they lean to."""
    generator = torch.Generator().manual_seed(0)
    shown = torch.rand(images, labels, generator=generator) < share
    return torch.randn(images, labels, generator=generator) + shown, shown


def test_targets_are_the_labels():
    assert TASK.outputs(PETS) == ("cat", "dog", "hen")
    assert TASK.target(PETS, 0).tolist() == [True, False, True]


def test_loss_is_binary_cross_entropy():
    output, shown = answered(20, 4)
    right = torch.where(shown, output.sigmoid(), 1 - output.sigmoid())
    torch.testing.assert_close(TASK.loss(output, shown), -right.log().mean())
    output.requires_grad_()
    TASK.loss(output, shown).backward()
    torch.testing.assert_close(output.grad, (output.detach().sigmoid() - shown.float()) / output.numel())


@pytest.mark.parametrize("labels", [1, 2, 20])
def test_metrics_are_those_of_scikit_learn(labels):
    output, shown = answered(300, labels)
    output = (4 * output).round() / 4  # with ties
    found = TASK.metrics(TASK.rows(output, shown))
    truth, said = shown.numpy(), output.sigmoid().numpy()
    expected = {
        "map": np.mean([average_precision_score(truth[:, label], said[:, label]) for label in range(labels)]),
        "f1": np.mean([f1_score(truth[:, label], said[:, label] > 0.5) for label in range(labels)]),
    }
    assert found == pytest.approx(expected, abs=1e-6)
    assert next(iter(found)) == TASK.main


def test_labels_that_no_image_shows_do_not_count():
    output, shown = answered(100, 4)
    shown[:, 2] = False
    kept = [0, 1, 3]
    assert TASK.metrics(TASK.rows(output, shown)) == pytest.approx(TASK.metrics(TASK.rows(output[:, kept], shown[:, kept])))
    nothing = TASK.metrics(TASK.rows(output, torch.zeros_like(shown)))
    assert all(math.isnan(value) for value in nothing.values())


def test_right_answers_score_one_and_blind_ones_the_share_of_images():
    _, shown = answered(20_000, 3, share=0.25)
    assert TASK.metrics(TASK.rows(shown * 8.0 - 4, shown)) == {"map": 1.0, "f1": 1.0}
    blind = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(1))
    assert TASK.metrics(TASK.rows(blind, shown))["map"] == pytest.approx(0.25, abs=0.02)


def test_answers_are_probabilities_of_each_label():
    output, _ = answered(5, 3)
    torch.testing.assert_close(TASK.answer(output), 1 / (1 + (-output).exp()))


@pytest.mark.parametrize("images", [Told([0]), Told([0], ("cat", "dog"))])
def test_data_with_one_label_or_none(images):
    with pytest.raises(ValueError, match="does not tell all classes that an image shows; choose data that does, or write"):
        TASK.outputs(images)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (1, "picture 1 does not tell the classes it shows; label it or take it out of the data"),
        (2, "picture 2 says yes or no to 2 classes, and this data has 3; correct its labels or the list of classes"),
    ],
)
def test_an_image_without_its_labels(index, message):
    with pytest.raises(ValueError, match=message):
        TASK.target(PETS, index)
