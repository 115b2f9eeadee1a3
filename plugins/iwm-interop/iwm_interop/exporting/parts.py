"""The parts of what is exported: modules of plain tensors, with the inputs that they are tried with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from iwm_core.interfaces import Encoder, Predictor, Targets

Inputs = Callable[[int, int], tuple[Tensor, ...]]
"""Inputs for a batch of a size, by a seed."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A module that is exported.

    Attributes:
        name: of its file.
        module: on the CPU, in evaluation mode; it takes tensors and gives one, or a tuple.
        inputs: what it is tried with.
        takes, gives: the names of inputs and outputs.
        told: in words, what they are.
        labels: what the numbers of an input or output stand for, by its name.
    """

    name: str
    module: nn.Module
    inputs: Inputs
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    told: str
    labels: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def outputs(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the module gives, as a tuple."""
        return as_tuple(self.module(*inputs))


def as_tuple(given: Any) -> tuple[Tensor, ...]:
    return (given,) if isinstance(given, Tensor) else tuple(given)


class Encoding(nn.Module):
    """An encoder that takes images alone."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder(images)


class Imagining(nn.Module):
    """A predictor that is asked for all patches of an image of which it sees all patches.

    Args:
        predictor: the world model.
        action: numbers of an encoded action; where there are none, it takes tokens alone.
    """

    def __init__(self, predictor: nn.Module, action: int) -> None:
        super().__init__()
        self.predictor, self.action = predictor, action

    def forward(self, tokens: Tensor, action: Tensor | None = None) -> Tensor:
        b, n, _ = tokens.shape
        everywhere = torch.arange(n, device=tokens.device).expand(b, n)
        told = tokens.new_zeros(b, 0) if action is None else action
        return self.predictor(tokens, Targets(context=everywhere, target=everywhere[:, None]), told)[:, 0]


def images_of(side: int) -> Inputs:
    """Images in [0, 1]."""

    def made(count: int, seed: int) -> tuple[Float[Tensor, "b 3 h w"]]:
        return (torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)),)

    return made


def encoder_part(encoder: Encoder, image_size: int) -> Part:
    """An encoder: images to tokens."""
    told = f"images [b, 3, {image_size}, {image_size}] to tokens [b, {encoder.grid[0] * encoder.grid[1]}, {encoder.width}]"
    return Part(name="model", module=Encoding(encoder), inputs=images_of(image_size), takes=("images",), gives=("tokens",), told=told)


def predictor_part(predictor: Predictor, encoder: Encoder, labels: tuple[str, ...], normalised: bool) -> Part:
    """A predictor: tokens of an image and an encoded action to the tokens after it."""
    n, d, a = encoder.grid[0] * encoder.grid[1], encoder.width, len(labels)

    def made(count: int, seed: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randn(count, n, d, generator=generator)
        return (tokens, torch.rand(count, a, generator=generator) * 2 - 1) if a else (tokens,)

    action = f" and actions [b, {a}], 0: no change," if a else ""
    told = f"tokens [b, {n}, {d}]{action} to the tokens after it{', layer-normalised' if normalised else ''}"
    takes = ("tokens", "action") if a else ("tokens",)
    named = {"action": list(labels)} if a else {}
    return Part(name="predictor", module=Imagining(predictor, a), inputs=made, takes=takes, gives=("predicted",), told=told, labels=named)
