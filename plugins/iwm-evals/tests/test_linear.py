"""The swept linear classifier against torch's own optimiser and scikit-learn."""

import math

import numpy as np
import pytest
import torch
from iwm_devkit.known_model import quiet
from iwm_evals.probes.held_out import held_out
from iwm_evals.probes.linear import Sweep, classify, judge, standard
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

from iwm_core.interfaces import Draws, NotApplicable

CPU = torch.device("cpu")
CLASSES, WIDTH = 5, 16


def clouds(count: int, split: int, spread: float = 1.0, classes: int = CLASSES) -> tuple[torch.Tensor, torch.Tensor]:
    """Overlapping gaussian classes of unequal frequency, on features of unequal scale and offset."""
    draws = Draws(0, split, torch.arange(count), "clouds")
    centres = Draws(0, 0, torch.arange(classes), "centres").normal(WIDTH) * 0.5 * spread
    labels = (draws.uniform(1)[:, 0].square() * classes).long()
    scales = 10.0 ** torch.linspace(-2, 2, WIDTH)
    return (centres[labels] + draws.normal(WIDTH)) * scales + 3 * scales, labels


def sweep(**fields) -> Sweep:
    defaults = {"lrs": [0.01, 0.1, 1.0], "weight_decays": [0.0, 1e-3, 1e-2, 1e-1], "epochs": 20, "batch": 256, "seed": 0, "device": CPU}
    return Sweep(**{**defaults, **fields})


def by_torch(found: Sweep, x: torch.Tensor, labels: torch.Tensor, rows: torch.Tensor, lr: float, decay: float) -> torch.nn.Linear:
    """The same training with autograd, torch.optim.SGD and its cosine, on features standardised by numpy."""
    array = x[rows].double().numpy()
    x = (x - torch.tensor(array.mean(0))) / torch.tensor(array.std(0))
    layer = torch.nn.Linear(x.shape[1], CLASSES, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_((torch.bincount(labels[rows], minlength=CLASSES) / len(rows)).log())
    groups = [{"params": [layer.weight], "weight_decay": decay}, {"params": [layer.bias], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=0.9)
    batches = list(found.minibatches(rows))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(batches))
    for batch in batches:
        optimizer.zero_grad()
        F.cross_entropy(layer(x[batch]), labels[batch]).backward()
        optimizer.step()
        schedule.step()
    return layer


def test_heads_trained_together_are_those_that_torch_trains_one_by_one():
    x, labels = clouds(500, 0)
    rows = torch.arange(0, 500, 2)
    found, pairs = sweep(batch=100, epochs=4), [(0.03, 0.0), (0.3, 0.0), (0.3, 0.05)]
    heads = found.train(x, labels, rows, CLASSES, pairs, quiet, "x")
    for number, pair in enumerate(pairs):
        expected = by_torch(found, x, labels, rows, *pair)
        assert torch.allclose(heads.weight[:, number].T.double(), expected.weight, rtol=1e-3, atol=1e-5)
        assert torch.allclose(heads.bias[number].double(), expected.bias, rtol=1e-3, atol=1e-5)
    assert not torch.allclose(heads.weight[:, 1], heads.weight[:, 2], rtol=0.05)


def test_every_epoch_shows_each_image_once_in_a_new_order():
    rows = torch.arange(100, 200)
    batches = list(sweep(batch=25, epochs=3).minibatches(rows))
    epochs = [torch.cat(batches[start : start + 4]) for start in (0, 4, 8)]
    assert [len(batch) for batch in batches] == [25] * 12
    assert all(torch.equal(epoch.sort().values, rows) for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])
    assert [len(batch) for batch in sweep(batch=60, epochs=2).minibatches(rows)] == [60, 60]
    assert [len(batch) for batch in sweep(batch=1000, epochs=2).minibatches(rows)] == [100, 100]


def test_it_names_as_many_rightly_as_sklearn():
    """Acceptance: within 0.5 points on the same features, C chosen on the same held-out images."""
    (x, labels), (asked, truth) = clouds(3000, 0), clouds(5000, 1)
    chosen = sweep(epochs=30).choose(x, labels, CLASSES, quiet, "x")
    ours = float((classify(chosen.head, asked) == truth).double().mean())

    mean, scale = x.double().mean(0).numpy(), x.double().std(0, correction=0).numpy()
    train, test, held = (x.double().numpy() - mean) / scale, (asked.double().numpy() - mean) / scale, held_out(3000, 0).numpy()
    scores = {}
    for c in 10.0 ** np.arange(-4, 3):
        logistic = LogisticRegression(C=c, max_iter=1000).fit(train[~held], labels.numpy()[~held])
        scores[c] = logistic.score(train[held], labels.numpy()[held])
    best = max(scores, key=scores.__getitem__)
    theirs = LogisticRegression(C=best, max_iter=1000).fit(train, labels.numpy()).score(test, truth.numpy())
    most = float(torch.bincount(labels).max()) / len(labels)
    assert most + 0.15 < theirs < 0.95, "classes overlap, and there is something to know"
    assert abs(ours - theirs) <= 0.005


def test_the_choice_is_the_best_of_the_held_out_tenth():
    x, labels = clouds(600, 0, spread=0.4)
    found = sweep(epochs=5)
    chosen = found.choose(x, labels, CLASSES, quiet, "x")
    held = held_out(600, 0)
    right = {}
    for lr in found.lrs:
        for decay in found.weight_decays:
            heads = found.train(x, labels, (~held).nonzero()[:, 0], CLASSES, [(lr, decay)], quiet, "x")
            right[lr, decay] = int((classify(heads, x[held]) == labels[held]).sum())
    assert right[chosen.settings["lr"], chosen.settings["weight_decay"]] == max(right.values()) > min(right.values())
    pair = (chosen.settings["lr"], chosen.settings["weight_decay"])
    anew = found.train(x, labels, torch.arange(600), CLASSES, [pair], quiet, "x")
    assert torch.equal(chosen.head.weight, anew.weight), "and it is trained on all images"


def test_a_choice_at_the_edge_is_told():
    found = sweep(lrs=[0.1, 0.3, 1.0], weight_decays=[0.0, 0.01, 0.1])
    assert found.edges(0.3, 0.01) == []
    assert found.edges(0.1, 0.0) == ["lr"]
    assert found.edges(1.0, 0.1) == ["lr", "weight_decay"]
    assert sweep(weight_decays=[0.01, 0.1]).edges(0.1, 0.01) == ["weight_decay"]
    assert sweep(lrs=[0.1], weight_decays=[0.01]).edges(0.1, 0.01) == []


def test_features_are_standardised_and_constant_ones_say_nothing():
    x, labels = clouds(300, 0)
    x = torch.cat([x, torch.full((300, 1), 0.1), 1e4 + 1e-4 * Draws(0, 0, torch.arange(300), "rounding").normal()], 1)
    mean, scale = standard(x, torch.arange(0, 300, 3))
    assert np.allclose(mean.numpy(), x[::3].double().numpy().mean(0), rtol=1e-6)
    assert np.allclose(scale[:-2].numpy(), 1 / x[::3, :-2].double().numpy().std(0), rtol=1e-5)
    assert scale[-2:].tolist() == [0.0, 0.0]
    heads = sweep().train(x[:, -2:], labels, torch.arange(300), CLASSES, [(0.1, 0.0)], quiet, "x")
    assert classify(heads, x[:, -2:]).unique().tolist() == [int(labels.bincount().argmax())]


def test_heads_are_judged_by_right_answers_and_cross_entropy():
    x, labels = clouds(200, 0)
    rows = torch.arange(50, 200)
    heads = sweep(epochs=2).train(x, labels, rows, CLASSES, [(0.01, 0.0), (0.1, 0.0)], quiet, "x")
    right, loss = judge(heads, x, labels, rows)
    for number in range(2):
        logits = ((x[rows] - heads.mean) * heads.scale) @ heads.weight[:, number] + heads.bias[number]
        assert right[number] == int((logits.argmax(1) == labels[rows]).sum())
        assert math.isclose(loss[number], float(F.cross_entropy(logits.double(), labels[rows], reduction="sum")), rel_tol=1e-5)


def test_too_few_images_are_nothing_to_probe():
    x, labels = clouds(9, 0)
    with pytest.raises(NotApplicable, match="at least 10 training images, and there are 9"):
        sweep().choose(x, labels, CLASSES, quiet, "x")
    chosen = sweep(epochs=2).choose(*clouds(10, 0), CLASSES, quiet, "x")
    assert chosen.head.weight.isfinite().all()
