"""Pairs of images of which the second is brighter by a share that is the observed action; one of them may be broken."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from iwm_core.interfaces import CorruptImage, DataSource, Draws, Images, Observed, option

FAULTS = {
    "": "nothing",
    "corrupt": "a target cannot be decoded",
    "small": "a target is smaller than its image",
    "nan": "an action is no number",
    "short": "an action has a number too few",
}
FAULTY = 5


class SeenImages(Images):
    """Smooth images, darker on the left; ``target - image`` is 60 times the action's first number everywhere, its second is noise."""

    classes = ("even", "odd")

    def __init__(self, count: int, epoch: int, fault: str = "") -> None:
        self.count, self.epoch, self.fault = count, epoch, fault

    def __len__(self):
        return self.count

    def image(self, index):
        coarse = Draws(5, self.epoch, torch.tensor([index])).uniform(48, 70, 180).reshape(1, 3, 4, 4)
        return F.interpolate(coarse, size=(20, 24), mode="bilinear")[0].round().byte()

    def faulty(self, index, fault):
        return index == FAULTY and self.fault == fault

    def target(self, index):
        if self.faulty(index, "corrupt"):
            raise CorruptImage("torn in two")
        brighter = (self.image(index) + (60 * self.drawn(index)[0]).round()).byte()
        return brighter[:, 2:] if self.faulty(index, "small") else brighter

    def drawn(self, index):
        return Draws(6, self.epoch, torch.tensor([index])).uniform(2, -1, 1)[0]

    def action(self, index):
        action = self.drawn(index)
        return torch.full((2,), torch.nan) if self.faulty(index, "nan") else action[:1] if self.faulty(index, "short") else action

    def label(self, index):
        return index % 2

    def describe(self, index):
        return f"pair {index}"


@dataclass(kw_only=True)
class Seen(DataSource):
    """Pairs, the second image brighter or darker."""

    name = "seen"

    count: int = option(64, "pairs in each split", low=1)
    mirror: bool = option(True, "say what a flip does: the second number changes its sign")
    fault: str = option("", "what is wrong with one pair", choices=tuple(FAULTS))

    @property
    def observed(self):
        return Observed("exposure", ("up", "aside"), mirror=(1, -1) if self.mirror else ())

    def open(self, split):
        if split not in ("train", "validation"):
            raise ValueError(f"seen has the splits train and validation, not {split!r}")
        return SeenImages(self.count, split == "validation", self.fault)
