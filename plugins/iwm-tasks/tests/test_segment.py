"""Masks: the loss is torch's over the pixels that count, the metrics are scikit-learn's, and each mistake has its line."""

import math

import pytest
import torch
from iwm_tasks.tasks.segment import Segment
from known_images import Told
from sklearn.metrics import jaccard_score

TASK = Segment()


def masks_of(*values):
    return Told(
        [0] * len(values),
        mask_classes=("ground", "cat", "dog"),
        masks=tuple(None if value is None else torch.tensor(value, dtype=torch.uint8) for value in values),
    )


def answered(images=6, classes=4, side=8, ignored=0.2):
    """Random outputs and masks, a share of which does not count."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.randint(classes, (images, side, side), generator=generator, dtype=torch.uint8)
    mask[torch.rand(mask.shape, generator=generator) < ignored] = 255
    return torch.randn(images, classes, side, side, generator=generator), mask


def test_targets_are_masks():
    images = masks_of([[0, 255], [2, 1]])
    assert TASK.outputs(images) == ("ground", "cat", "dog")
    assert torch.equal(TASK.target(images, 0), images.masks[0])


def test_loss_is_the_cross_entropy_of_the_pixels_that_count():
    output, mask = answered(images=2, side=3)
    losses = [
        -float(output[image, :, row, column].log_softmax(0)[int(mask[image, row, column])])
        for image, row, column in (mask != 255).nonzero().tolist()
    ]
    assert float(TASK.loss(output, mask)) == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_pixels_that_do_not_count_have_no_gradient():
    output, mask = answered()
    output.requires_grad_()
    TASK.loss(output, mask).backward()
    seen = output.grad.abs().sum(1) > 0
    assert torch.equal(seen, mask != 255)
    nothing = TASK.loss(output, torch.full_like(mask, 255))
    assert nothing == 0
    nothing.backward()


def test_metrics_are_those_of_scikit_learn():
    output, mask = answered()
    found = TASK.metrics(TASK.rows(output, mask))
    counted, named = mask != 255, output.argmax(1)
    expected = {
        "miou": jaccard_score(mask[counted], named[counted], average="macro"),
        "pixel_accuracy": float((mask[counted] == named[counted]).float().mean()),
    }
    assert found == pytest.approx(expected, abs=1e-6)
    assert next(iter(found)) == TASK.main


def test_rows_count_pixels_image_by_image():
    output, mask = answered(images=3, classes=4)
    named = output.argmax(1)
    for row, said, truth in zip(TASK.rows(output, mask), named, mask, strict=True):
        counted = truth != 255
        right = [int(((said == c) & (truth == c)).sum()) for c in range(4)]
        wrong = [int(((said == c) & (truth != c) & counted).sum()) for c in range(4)]
        missed = [int(((said != c) & (truth == c)).sum()) for c in range(4)]
        assert row.tolist() == [*right, *wrong, *missed]


def test_classes_that_occur_in_no_mask_do_not_count():
    output, mask = answered(ignored=0)
    mask[mask == 2] = 1
    counts = [((output.argmax(1) == c) & (mask == c)).sum() / ((output.argmax(1) == c) | (mask == c)).sum() for c in (0, 1, 3)]
    assert TASK.metrics(TASK.rows(output, mask))["miou"] == pytest.approx(float(sum(counts)) / 3)
    nothing = TASK.metrics(TASK.rows(output, torch.full_like(mask, 255)))
    assert all(math.isnan(value) for value in nothing.values())


def test_right_answers_score_one():
    _, mask = answered(ignored=0)
    output = torch.nn.functional.one_hot(mask.long(), 4).movedim(-1, 1).float()
    assert TASK.metrics(TASK.rows(output, mask)) == {"miou": 1.0, "pixel_accuracy": 1.0}


def test_answers_are_probabilities_of_each_pixel():
    output, _ = answered()
    answer = TASK.answer(output)
    torch.testing.assert_close(answer.sum(1), torch.ones(6, 8, 8))
    assert torch.equal(answer.argmax(1), output.argmax(1))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((), "no masks; to a folder, add data.masks=MY_MASKS"),
        (("ground",), "those of this data have 1"),
        (tuple("a" * 256), "those of this data have 256"),
    ],
)
def test_data_without_masks(classes, message):
    with pytest.raises(ValueError, match=message):
        TASK.outputs(Told([0], ("cat", "dog"), mask_classes=classes))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, "picture 0 has no mask; give it one or take it out of the data"),
        (
            [[0, 3]],
            "the mask of picture 0 has the value 3, and this data has classes 0 to 2; correct the mask .*255.* or the list of its classes",
        ),
        ([[254, 0]], "has the value 254"),
    ],
)
def test_an_image_with_a_wrong_mask(mask, message):
    with pytest.raises(ValueError, match=message):
        TASK.target(masks_of(mask), 0)
