"""Encoders and predictors: modules, and the components that build them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from iwm_core.interfaces.component import Component
from iwm_core.interfaces.targets import Targets


class Encoder(nn.Module, ABC):
    """Images to patch tokens.

    Attributes:
        width: embedding dimension, ``d``.
        grid: rows and columns of patches, ``(gh, gw)``.
        lr_scale: what multiplies the learning rate of those of its parameters that require gradients.
    """

    width: int
    grid: tuple[int, int]
    lr_scale: float = 1.0

    @abstractmethod
    def forward(self, images: Float[Tensor, "b 3 h w"], keep: Int[Tensor, "b k"] | None = None) -> Float[Tensor, "b k d"]:
        """Tokens of the patches in ``keep`` (all patches when None), from images in [0, 1]; dropped patches cost nothing."""


class Predictor(nn.Module, ABC):
    """The world model: context tokens, asked positions and an action to the target's tokens."""

    @abstractmethod
    def forward(self, context: Float[Tensor, "b k d"], where: Targets, action: Float[Tensor, "b a"]) -> Float[Tensor, "b m t d"]:
        """Predicted teacher tokens at ``where.target`` from tokens at ``where.context``."""

    def untold(self) -> dict[str, Bool[Tensor, "..."]]:
        """Which entries of its parameters multiply numbers of the action, by the parameter's name: the null action's zeros reach none of
        them, so that tuning neither trains, decays nor counts them. What is a parameter as a whole is found without being named."""
        return {}


@dataclass(kw_only=True)
class EncoderComponent(Component, ABC):
    """Builds an encoder."""

    @abstractmethod
    def build(self, image_size: int) -> Encoder:
        """An initialised encoder for square images of ``image_size`` pixels.

        Raises:
            ValueError: the fields do not fit together or not to the image size.
        """

    def rebuild(self, image_size: int) -> Encoder:
        """As `build`, where a checkpoint's weights follow: overridden where initial weights would be fetched from elsewhere."""
        return self.build(image_size)


@dataclass(kw_only=True)
class PredictorComponent(Component, ABC):
    """Builds a predictor."""

    @abstractmethod
    def build(self, width: int, grid: tuple[int, int], action: int) -> Predictor:
        """An initialised predictor between tokens of ``width`` numbers on ``grid``, told ``action`` numbers (0: no action).

        Raises:
            ValueError: the fields do not fit together.
        """
