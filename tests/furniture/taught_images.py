"""Images with labels, factors and masks that can be learned, or with one thing wrong: what tunings in tests learn from."""

from dataclasses import dataclass

import torch

from iwm_core.interfaces import DataSource, Draws, Factor, Images, option

FAULTS = {
    "": "nothing",
    "no classes": "the data has no labels",
    "no label": "an image has none",
    "wrong label": "an image has one that no class has",
    "other classes": "one class more",
    "renamed": "the classes have other names",
    "empty class": "no image shows the last class",
    "no masks": "the data has no masks",
    "no mask": "an image has none",
    "small mask": "a mask is smaller than its image",
    "wrong mask": "a mask has a value that no class has",
    "no factor": "an image's factor is no number",
}
FAULTY = 3
"""The image that has the fault. Among 64 images or more it is none of those whose masks are looked at before a run."""


class TaughtImages(Images):
    """The class of an image is its colour; a brighter disc lies in the middle of each, and its mask tells where."""

    factors = (Factor("amount"), Factor("kind", "class", ("dark", "light")))

    def __init__(self, count: int, epoch: int, fault: str) -> None:
        self.count, self.epoch, self.fault = count, epoch, fault
        names = ("red", "green", "blue", *(("grey",) if fault == "other classes" else ()))
        self.classes = () if fault == "no classes" else tuple(reversed(names)) if fault == "renamed" else names
        self.mask_classes = () if fault == "no masks" else ("ground", "disc")

    def __len__(self):
        return self.count

    def colour(self, index):
        return index % (2 if self.fault == "empty class" else 3)

    def image(self, index):
        noise = Draws(7, self.epoch, torch.tensor([index])).uniform(3 * 20 * 20, 0, 60).reshape(3, 20, 20)
        noise[self.colour(index)] += 100
        return (noise + 60 * self.disc()).byte()

    def disc(self):
        rows, columns = torch.meshgrid(torch.arange(20), torch.arange(20), indexing="ij")
        return (rows - 9.5).square() + (columns - 9.5).square() < 25

    def describe(self, index):
        return f"picture {index}"

    def faulty(self, index, fault):
        return index == FAULTY and self.fault == fault

    def label(self, index):
        return -1 if self.faulty(index, "no label") else 9 if self.faulty(index, "wrong label") else self.colour(index)

    def labels(self, index):
        return torch.nn.functional.one_hot(torch.tensor(self.colour(index)), len(self.classes)).bool() if self.classes else None

    def factor(self, index):
        return torch.tensor([torch.nan if self.faulty(index, "no factor") else self.colour(index) / 2, float(self.colour(index) == 2)])

    def mask(self, index):
        if self.fault == "no masks" or self.faulty(index, "no mask"):
            return None
        mask = self.disc().byte()
        mask[0] = 255
        if self.faulty(index, "wrong mask"):
            mask[5] = 7
        return mask[:18, :19].contiguous() if self.faulty(index, "small mask") else mask


@dataclass(kw_only=True)
class Taught(DataSource):
    """Coloured noise with a disc."""

    name = "taught"

    count: int = option(48, "images in each split", low=0)
    train: str = option("", "what is wrong with the training images", choices=tuple(FAULTS))
    validation: str = option("", "what is wrong with the validation images", choices=tuple(FAULTS))

    def open(self, split):
        return TaughtImages(self.count, split == "validation", getattr(self, split))
