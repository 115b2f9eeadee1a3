"""Images and tasks whose targets are easily checked: the class, the classes shown, and the mask of an image."""

import torch
from iwm_tasks.interfaces import Task
from torch.nn import functional as F

from iwm_core.interfaces import CorruptImage, Draws, Images

COUNT = 24


class Known(Task):
    """What training asks of a task, and nothing else."""

    main = "none"

    def outputs(self, images):
        raise NotImplementedError

    def target(self, images, index):
        raise NotImplementedError

    def loss(self, output, target):
        raise NotImplementedError

    def rows(self, output, target):
        raise NotImplementedError

    def metrics(self, rows):
        raise NotImplementedError

    def answer(self, output):
        raise NotImplementedError


class Label(Known):
    name = "label"

    def target(self, images, index):
        if images.label(index) < 0:
            raise ValueError(f"{images.describe(index)} has no label: give it one")
        return torch.tensor(images.label(index))


class Shown(Known):
    name = "shown"

    def target(self, images, index):
        return images.labels(index)


class Mask(Known):
    name = "mask"
    dense = True

    def target(self, images, index):
        return images.mask(index)


class Patches(Images):
    """Images of eight by eight patches of one colour each, of different sizes; a mask is 1 where its image is light.

    The label is the index, so that a target tells whose it is.
    """

    classes = tuple(f"c{i}" for i in range(COUNT))
    mask_classes = ("dark", "light")

    def __init__(self, corrupt=(), no_mask=(), unlabelled=(), square=False):
        self.corrupt, self.no_mask, self.unlabelled, self.square = set(corrupt), set(no_mask), set(unlabelled), square

    def __len__(self):
        return COUNT

    def side(self, index):
        return (32, 32) if self.square else (32 + 8 * (index % 3), 40 - 8 * (index % 2))

    def coarse(self, index):
        light = Draws(3, 0, torch.tensor([index])).bernoulli(0.5, 64).reshape(1, 1, 8, 8)
        return F.interpolate(light.float(), size=self.side(index), mode="nearest-exact")[0]

    def image(self, index):
        if index in self.corrupt:
            raise CorruptImage(f"broken at byte {index}")
        return (self.coarse(index) * 180 + 30 + index).byte().expand(3, -1, -1).contiguous()

    def mask(self, index):
        if index in self.no_mask:
            raise CorruptImage("a broken mask")
        return self.coarse(index)[0].byte()

    def label(self, index):
        return -1 if index in self.unlabelled else index

    def labels(self, index):
        return torch.arange(COUNT) % 5 == index % 4

    def describe(self, index):
        return f"image {index}"


class BadMasks(Patches):
    """Some masks are of another size."""

    def mask(self, index):
        return super().mask(index)[:, 1:] if index in (8, 20) else super().mask(index)
