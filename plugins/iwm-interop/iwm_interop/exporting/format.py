"""What a format of export is: it writes a model, and reads it back as its users will."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from iwm_core.interfaces import Encoder
from iwm_core.interfaces.errors import UserError
from iwm_interop.exporting.parts import Part


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What is exported.

    Attributes:
        config, recipe: of its run; the config as plain data that may leave this machine.
        parts: the model, and what a format may have room for besides, such as a predictor.
        encoder: of a world model, on the CPU, in evaluation mode; None of a model with heads, whose answers are not an encoder's tokens.
    """

    config: dict[str, Any]
    recipe: Any
    parts: list[Part]
    encoder: Encoder | None = None

    @property
    def model(self) -> Part:
        return self.parts[0]


class Format(ABC):
    """A way to write a model.

    Attributes:
        name: as ``--format`` names it.
        needs: packages that write or read it, besides those of iwm-interop.
        takes: what its users feed, in words.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[str]

    def parts(self, exported: Exported) -> list[Part]:
        """What it has room for."""
        return [exported.model]

    @abstractmethod
    def write(self, exported: Exported, folder: Path) -> None:
        """Write the files.

        Raises:
            UserError: the format cannot represent this model.
        """

    @abstractmethod
    def read(self, exported: Exported, folder: Path, part: Part, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The outputs of a part by what was written, in a way that its users have, too; images are in [0, 1]."""

    @abstractmethod
    def lines(self, exported: Exported, folder: str, part: Part) -> list[str]:
        """How to load a part and use it, in three lines of Python, from beside the folder of this name."""

    def loads(self, exported: Exported, folder: str) -> list[list[str]]:
        """The lines of the model, then those of what is beside it."""
        return [self.lines(exported, folder, part) for part in self.parts(exported)]


def refuse(format: str, why: str) -> UserError:
    """The error for a model that a format cannot represent."""
    return UserError(f"--format {format} {why}; --format torch takes any model")
