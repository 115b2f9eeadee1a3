"""Linear classifiers on frozen features, one for each learning rate and weight decay, trained together.

Decisions:
- Multinomial logistic regression by SGD with momentum 0.9 and a cosine to zero, as linear probes are trained in the field. All heads see
  the same minibatches, so they are one matrix product; the gradient is written out (softmax less truth), and nothing needs autograd.
- The features are standardised: learning rates then mean the same for every model. A feature that varies by less than the rounding of its
  numbers is constant and becomes 0. Biases start at the classes' shares and do not decay.
- The best learning rate and weight decay are those of the head with the most right answers on held-out training images, the smaller
  cross-entropy first where they are equal. Then that head alone is trained anew on all training images. Validation images choose nothing.
- A choice at the edge of the grid is reported: the best may lie beyond it. A weight decay of 0 is not an edge.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import Draws, Track
from iwm_evals.probes.held_out import held_out

MOMENTUM = 0.9
ROUNDING = 1e-6  # a spread this small beside the values themselves is rounding
AT_ONCE = 1024  # rows read or answered together


class Heads(NamedTuple):
    """Linear classifiers of ``d`` standardised features, ``c`` classes each, ``h`` of them."""

    weight: Float[Tensor, "d h c"]
    bias: Float[Tensor, "h c"]
    mean: Float[Tensor, "d"]
    scale: Float[Tensor, "d"]

    def standardise(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        return (x.to(self.mean) - self.mean) * self.scale

    def logits(self, standardised: Float[Tensor, "b d"]) -> Float[Tensor, "b h c"]:
        return (standardised @ self.weight.flatten(1)).unflatten(1, self.bias.shape) + self.bias


class Chosen(NamedTuple):
    """The one head that was chosen, and what it was trained with."""

    head: Heads
    settings: dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """What linear classifiers are trained with.

    Args:
        lrs, weight_decays: every pair of them is tried.
        epochs: passes over the training images.
        batch: images in a minibatch; all of them where there are fewer.
        seed: for the order of the images.
        device: where they are trained.
    """

    lrs: list[float]
    weight_decays: list[float]
    epochs: int
    batch: int
    seed: int
    device: torch.device

    def choose(self, x: Float[Tensor, "n d"], labels: Int[Tensor, "n"], classes: int, track: Track, label: str) -> Chosen:
        """The best classifier, trained on all of ``x``; ``label`` is that of the progress bars.

        Raises:
            NotApplicable: there are fewer than ten images.
        """
        held = held_out(len(x), self.seed)
        rest, held = (~held).nonzero()[:, 0], held.nonzero()[:, 0]
        pairs = [(lr, decay) for lr in self.lrs for decay in self.weight_decays]
        heads = self.train(x, labels, rest, classes, pairs, track, f"{label}, {len(pairs)} heads")
        right, loss = judge(heads, x, labels, held)
        best = min(range(len(pairs)), key=lambda head: (-right[head], loss[head]))
        head = self.train(x, labels, torch.arange(len(x)), classes, [pairs[best]], track, label)
        lr, decay = pairs[best]
        return Chosen(head, {"lr": lr, "weight_decay": decay, "at_edge": self.edges(lr, decay)})

    def edges(self, lr: float, decay: float) -> list[str]:
        """Which of the two lies at the end of what was tried."""
        ends = {"lr": (lr, self.lrs), "weight_decay": (decay, self.weight_decays)}
        return [name for name, (value, tried) in ends.items() if len(tried) > 1 and value and value in (min(tried), max(tried))]

    def train(
        self,
        x: Float[Tensor, "n d"],
        labels: Int[Tensor, "n"],
        rows: Int[Tensor, "m"],
        classes: int,
        pairs: list[tuple[float, float]],
        track: Track,
        label: str,
    ) -> Heads:
        """One head for each pair of learning rate and weight decay, on the images ``rows``."""
        mean, scale = standard(x, rows)
        shares = torch.bincount(labels[rows], minlength=classes).float().clamp_min(0.5) / len(rows)
        heads = Heads(
            torch.zeros(x.shape[1], len(pairs), classes, device=self.device),
            shares.log().repeat(len(pairs), 1).to(self.device),
            mean.to(self.device),
            scale.to(self.device),
        )
        pushes = torch.zeros_like(heads.weight), torch.zeros_like(heads.bias)
        rates, decays = torch.tensor(pairs, device=self.device).T[:, :, None]
        steps = self.epochs * max(len(rows) // self.batch, 1)
        for step, batch in enumerate(track(self.minibatches(rows), label, steps)):
            rate = rates * (1 + math.cos(math.pi * step / steps)) / 2
            descend(heads, pushes, x[batch].to(self.device), labels[batch].to(self.device), rate, decays)
        return heads

    def minibatches(self, rows: Int[Tensor, "m"]) -> Iterator[Int[Tensor, "batch"]]:
        """The images of each step, in a new order every epoch; the last few that fill no batch are left out."""
        size = min(self.batch, len(rows))
        for epoch in range(self.epochs):
            order = Draws(self.seed, epoch, torch.zeros(1, dtype=torch.int64), "linear/order").permutation(len(rows))[0]
            yield from rows[order[: len(rows) // size * size]].split(size)


def descend(
    heads: Heads,
    pushes: tuple[Float[Tensor, "d h c"], Float[Tensor, "h c"]],
    x: Float[Tensor, "b d"],
    labels: Int[Tensor, "b"],
    rate: Float[Tensor, "h 1"],
    decay: Float[Tensor, "h 1"],
) -> None:
    """One step of SGD with momentum on the mean cross-entropy of each head, in place."""
    x = heads.standardise(x)
    error = (heads.logits(x).softmax(2) - F.one_hot(labels, heads.bias.shape[1])[:, None]) / len(x)
    slope = (x.T @ error.flatten(1)).unflatten(1, heads.bias.shape)
    pushes[0].mul_(MOMENTUM).add_(slope).addcmul_(decay, heads.weight)
    pushes[1].mul_(MOMENTUM).add_(error.sum(0))
    heads.weight.addcmul_(rate, pushes[0], value=-1)
    heads.bias.addcmul_(rate, pushes[1], value=-1)


def standard(x: Float[Tensor, "n d"], rows: Int[Tensor, "m"]) -> tuple[Float[Tensor, "d"], Float[Tensor, "d"]]:
    """The mean of each feature over ``rows``, and one over its standard deviation, 0 where it is constant."""
    total, squares = torch.zeros(x.shape[1], dtype=torch.float64), torch.zeros(x.shape[1], dtype=torch.float64)
    for part in rows.split(AT_ONCE):
        total += x[part].double().sum(0)
    mean = total / len(rows)
    for part in rows.split(AT_ONCE):
        squares += (x[part].double() - mean).square().sum(0)
    spread = (squares / len(rows)).sqrt()
    return mean.float(), torch.where(spread <= ROUNDING * mean.abs(), 0, 1 / spread).float()


def judge(heads: Heads, x: Float[Tensor, "n d"], labels: Int[Tensor, "n"], rows: Int[Tensor, "m"]) -> tuple[list[int], list[float]]:
    """Right answers and the sum of cross-entropies of each head over ``rows``."""
    right, loss = torch.zeros(len(heads.bias), dtype=torch.int64), torch.zeros(len(heads.bias), dtype=torch.float64)
    for part in rows.split(AT_ONCE):
        answers, truth = heads.logits(heads.standardise(x[part])).cpu(), labels[part]
        right += (answers.argmax(2) == truth[:, None]).sum(0)
        loss -= answers.double().log_softmax(2)[torch.arange(len(truth)), :, truth].sum(0)
    return right.tolist(), loss.tolist()


def classify(head: Heads, x: Float[Tensor, "n d"]) -> Int[Tensor, "n"]:
    """The answer of the only head to each image."""
    return torch.cat([head.logits(head.standardise(part))[:, 0].argmax(1).cpu() for part in x.split(AT_ONCE)])
