"""What a task must keep to (PAPER §7)."""

import math
import re

import torch
from iwm_devkit.actions import gradient
from iwm_devkit.components import check_component
from iwm_devkit.conduct import check_device, conduct
from iwm_devkit.fitting import fitting
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, Draws, Factor, Images
from iwm_tasks.interfaces import Task

METRIC = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_ -]+)?")
ANSWERS = ("class", "labels", "numbers")


class KnownImages(Images):
    """A dozen images of which everything is known: label, labels, a factor of each kind, and a mask; of odd and unequal sides."""

    classes = ("round", "square", "star")
    factors = (Factor("size"), Factor("hue", "turn"), Factor("shape", "class", ("round", "square", "star")))
    mask_classes = ("ground", "thing", "rim")

    def __len__(self) -> int:
        return 12

    def image(self, index: int) -> Tensor:
        return torch.full((3, 7, 5), 20 * index, dtype=torch.uint8)

    def describe(self, index: int) -> str:
        return f"known image {index}"

    def label(self, index: int) -> int:
        return index % 3

    def labels(self, index: int) -> Tensor:
        return (torch.tensor([1, 2, 4]) & (index + 1)) > 0

    def factor(self, index: int) -> Tensor:
        return torch.tensor([(index + 0.5) / 12, index / 12, float(index % 3)])

    def mask(self, index: int) -> Tensor:
        values = (torch.arange(35).reshape(7, 5) + index) % 4
        return torch.where(values == 3, NOT_COUNTED, values).to(torch.uint8)


def check_task(task: Task, images: Images | None = None) -> None:
    """Check a task: documentation, what it tells of itself, outputs, targets, loss, gradient, devices, rows, metrics, answers.

    Args:
        task: the task.
        images: what it is to learn of; by default `KnownImages`, which have labels, factors and masks of all kinds.

    Raises:
        AssertionError: the task breaks its contract; the text says how to mend it.
        Unfit: these images have nothing of the kind: give it others, or options that fit them.
    """
    check_component(task)
    what, images = task.name, images or KnownImages()
    assert isinstance(getattr(task, "main", None), str), f'{what} needs `main`, the metric that comparisons show, as in main = "accuracy"'
    assert task.answer_kind in ANSWERS, f"{what}.answer_kind must be one of {', '.join(ANSWERS)}, got {task.answer_kind!r}"
    assert not task.dense or task.answer_kind == "class", f'{what} is dense: it needs answer_kind = "class"'
    fits = not task.mixes or (task.answer_kind == "class" and not task.dense)
    assert fits, f'{what} cannot mix its targets: only one class an image can be, answer_kind = "class" of a task that is not dense'
    with fitting():
        task.outputs(images)
    with conduct(f"outputs() of {what}"):
        names = task.outputs(images)
    assert isinstance(names, tuple), f"outputs() of {what} must be a tuple of texts, got {names!r}"
    assert all(isinstance(name, str) for name in names), f"outputs() of {what} must be texts, got {names!r}"
    assert len(names) > 0, f"outputs() of {what} must not be empty: raise a ValueError that says what the data lacks"
    assert len(set(names)) == len(names), f"outputs() of {what} must differ from each other, got {', '.join(names)}"
    targets = check_targets(task, images, len(names))
    sides = tuple(targets.shape[1:]) if task.dense else ()
    count = math.prod((len(targets), len(names), *sides))
    output = Draws(0, 0, torch.arange(1)).normal(count).reshape(len(targets), len(names), *sides)
    check_loss(task, output, targets)
    check_metrics(task, output, targets)
    check_answer(task, output)


def check_targets(task: Task, images: Images, outputs: int) -> Tensor:
    """Check `target`; returns those of all images, of one size."""
    places, found = range(min(len(images), 12)), []
    for index in places:
        label = f"target() of {task.name} for {images.describe(index)}"
        with conduct(label):
            target = task.target(images, index)
        assert isinstance(target, Tensor), f"{label} must be a tensor, got {type(target).__name__}"
        if task.dense:
            mask = images.mask(index)
            assert target.dtype == torch.uint8, f"{label} must be a mask, uint8 [h, w], got {target.dtype}"
            fits = mask is None or target.shape == mask.shape
            assert fits, f"{label} must have the height and width of its image, got {list(target.shape)}"
            inside = ((target < outputs) | (target == NOT_COUNTED)).all()
            assert inside, f"{label} must hold numbers of outputs, 0 to {outputs - 1}, or {NOT_COUNTED}, which does not count"
        elif task.answer_kind == "class":
            assert target.dtype == torch.int64, f"{label} must be one class, int64 [], got {target.dtype}"
            assert target.ndim == 0, f"{label} must be one class, int64 [], got {list(target.shape)}"
            assert 0 <= target < outputs, f"{label} must be the number of an output, 0 to {outputs - 1}, got {int(target)}"
        elif task.answer_kind == "labels":
            assert target.dtype == torch.bool, f"{label} must say yes or no to each label, bool [{outputs}], got {target.dtype}"
            assert target.shape == (outputs,), f"{label} must say yes or no to each label, bool [{outputs}], got {list(target.shape)}"
        else:
            assert target.dtype == torch.float32, f"{label} must be numbers, float32 [v], got {target.dtype}"
            assert target.isfinite().all(), f"{label} must be finite: raise a ValueError that names the image"
        found.append(target)
        again = task.target(images, index)
        assert torch.equal(again, target), f"{label} must be the same each time: augmentation is the core's"
    return torch.stack(found)


def check_loss(task: Task, output: Tensor, targets: Tensor) -> None:
    """Check `loss`, also of one image, and its gradient."""
    label = f"loss() of {task.name}"
    with conduct(label, output, targets):
        loss = task.loss(output, targets)
    assert loss.shape == (), f"{label} must be one number, the mean over the batch, got {list(loss.shape)}"
    assert loss.dtype == torch.float32, f"{label} must be float32 for float32 outputs, got {loss.dtype}"
    assert loss.isfinite(), f"{label} must be finite"
    slope = gradient(lambda leaf: task.loss(leaf, targets), output)
    assert slope.isfinite().all(), f"{label} must have finite gradients: mind square roots and logarithms of 0"
    assert slope.abs().max() > 0, f"{label} must have a gradient: no argmax, rounding or detach() on the way from the outputs"
    single = torch.stack([task.loss(output[i : i + 1], targets[i : i + 1]) for i in range(len(output))])
    assert single.isfinite().all(), f"{label} must be finite for a batch of one image"
    if task.mixes:
        shares = torch.nn.functional.one_hot(targets, output.shape[1]).float()
        same = torch.allclose(task.loss(output, shares), loss, atol=1e-5)
        assert same, f"{task.name} mixes: {label} must take shares of classes, float [b, o], and of whole shares give that of classes"
    check_device(
        label,
        lambda device: [
            task.loss(torch.zeros(output.shape, device=device), torch.zeros(targets.shape, dtype=targets.dtype, device=device))
        ],
    )


def check_metrics(task: Task, output: Tensor, targets: Tensor) -> None:
    """Check `rows` and `metrics`."""
    label = f"rows() of {task.name}"
    with conduct(label, output, targets):
        rows = task.rows(output, targets)
    assert rows.ndim == 2, f"{label} must be one row for each image, [b, v], got {list(rows.shape)}"
    assert len(rows) == len(output), f"{label} must be one row for each image, got {len(rows)} for {len(output)} images"
    assert rows.dtype == torch.float32, f"{label} must be float32, got {rows.dtype}"
    single = torch.cat([task.rows(output[i : i + 1], targets[i : i + 1]) for i in range(len(output))])
    apart = torch.allclose(single, rows, atol=1e-5, equal_nan=True)
    assert apart, f"{label} must be about each image alone: what images have in common belongs into metrics()"
    label = f"metrics() of {task.name}"
    with conduct(label, rows):
        found = task.metrics(rows)
    plain = isinstance(found, dict) and all(isinstance(value, float) for value in found.values())
    assert plain, f"{label} must be a dict of floats: float(tensor) makes one"
    assert next(iter(found), None) == task.main, f"{label} must begin with `main`, {task.main!r}, got {', '.join(found) or 'nothing'}"
    for name in found:
        assert METRIC.fullmatch(name), f"the metric {name!r} must be called measure[.part], in lower-case letters, digits and _"
    assert math.isfinite(found[task.main]), f"{label} must have a finite {task.main} where all that it needs is known"
    turned = task.metrics(rows.flip(0))
    steady = all(math.isclose(found[name], turned[name], abs_tol=1e-5) or math.isnan(found[name]) for name in found)
    assert steady, f"{label} must not depend on the order of the images"
    alone = task.metrics(rows[:1])
    assert alone.keys() == found.keys(), f"{label} must have the same names for any number of images: NaN is for what cannot be told"


def check_answer(task: Task, output: Tensor) -> None:
    """Check `answer`."""
    label = f"answer() of {task.name}"
    with conduct(label, output):
        answer = task.answer(output)
    assert answer.shape == output.shape, f"{label} must have the shape of the outputs, {list(output.shape)}, got {list(answer.shape)}"
    assert answer.isfinite().all(), f"{label} must be finite"
    if task.answer_kind != "numbers":
        inside = answer.min() >= 0 and answer.max() <= 1
        assert inside, f"{label} must be probabilities, in [0, 1]: softmax() of classes, sigmoid() of labels"
    if task.answer_kind == "class":
        whole = torch.allclose(answer.sum(1), torch.ones(()), atol=1e-4)
        assert whole, f"{label} must be probabilities of classes of which one is right: their sum is 1, as softmax(1) makes it"
    single = torch.cat([task.answer(output[i : i + 1]) for i in range(len(output))])
    assert torch.allclose(single, answer, atol=1e-5), f"{label} must be about each image alone"
