"""Images of which nothing is known but what a test says."""

import math
from dataclasses import dataclass

import torch

from iwm_core.interfaces import Factor, Images


@dataclass
class Told(Images):
    """Black images, one for each label; values of factors, masks and sets of labels may be told as well."""

    given: list[int]
    classes: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()
    mask_classes: tuple[str, ...] = ()
    values: tuple[tuple[float, ...], ...] = ()
    sets: tuple[tuple[bool, ...] | None, ...] = ()
    masks: tuple[torch.Tensor | None, ...] = ()

    def __len__(self):
        return len(self.given)

    def image(self, index):
        return torch.zeros(3, 4, 4, dtype=torch.uint8)

    def describe(self, index):
        return f"picture {index}"

    def label(self, index):
        return self.given[index]

    def labels(self, index):
        shown = self.sets[index] if self.sets else None
        return None if shown is None else torch.tensor(shown)

    def factor(self, index):
        return torch.tensor(self.values[index] if self.values else ())

    def mask(self, index):
        return self.masks[index] if self.masks else None


FACTORS = (
    Factor("hue", "turn"),
    Factor("size"),
    Factor("kind", "class", ("round", "square")),
)
VALUES = ((0.0, 2.0, 0.0), (0.95, 3.0, 1.0), (0.5, 5.0, 1.0), (math.nan, 7.0, 4.0))


def told() -> Told:
    """Four images, the last of which has values that no one can learn."""
    return Told([0, 1, 2, 7], ("cat", "dog", "hen"), FACTORS, values=VALUES)
