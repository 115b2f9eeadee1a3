"""What a format of export is: it writes an encoder, and reads it back as its users will."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Encoder, Predictor
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.config import Recipe


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What is exported.

    Attributes:
        recipe: of its run.
        encoder: on the CPU, in evaluation mode.
        predictor: where a format has room for it.
    """

    recipe: Recipe
    encoder: Encoder
    predictor: Predictor

    def images(self, count: int, seed: int = 0) -> Float[Tensor, "b 3 h w"]:
        """Some input in [0, 1]."""
        side = self.recipe.image_size
        return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


class Format(ABC):
    """A way to write an encoder.

    Attributes:
        name: as ``--format`` names it.
        needs: packages that write or read it, besides those of iwm-interop.
        takes: what its users feed, in words.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[str]

    @abstractmethod
    def write(self, exported: Exported, folder: Path) -> None:
        """Write the files.

        Raises:
            UserError: the format cannot represent this encoder.
        """

    @abstractmethod
    def read(self, exported: Exported, folder: Path, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The tokens of images in [0, 1] by what was written, in a way that its users have, too."""

    @abstractmethod
    def lines(self, exported: Exported, folder: str) -> list[str]:
        """How to load it and use it, in three lines of Python, from beside the folder of this name."""


def refuse(format: str, why: str) -> UserError:
    """The error for an encoder that a format cannot represent."""
    return UserError(f"--format {format} {why}; --format torch takes any encoder")
