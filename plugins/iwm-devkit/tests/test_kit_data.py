"""The conformance kit catches every way in which a data source can break its contract."""

import pytest
import torch
from kit_examples import LetterImages, Letters, broken, caught

from iwm_core.interfaces import CorruptImage

MADE: list[type] = []


def images_of(**changes):
    """A data source whose images are otherwise, and can be pickled, unlike their class."""
    number = len(MADE)
    MADE.append(type("LetterImages", (LetterImages,), {"__reduce__": lambda self: (reborn, (number, self.first)), **changes}))
    return {"module": MADE[number]}


def reborn(number, first):
    copy = MADE[number]("train")
    copy.first = first
    return copy


def torn(reason, *indices):
    """An `image` that fails for some indices, or for all."""

    def image(self, index):
        if not indices or index in indices:
            raise CorruptImage(reason)
        return LetterImages.image(self, index)

    return image


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"open": lambda self, split: LetterImages("train")}, ("open('no such split') must raise a ValueError",)),
        (images_of(__len__=lambda self: 0), ("has no images",)),
        (images_of(image=lambda self, i: torch.zeros(3, 6, 5)), ("image 0 of letters's train split must be uint8",)),
        (images_of(image=lambda self, i: torch.zeros(6, 5, dtype=torch.uint8)), ("must be [3, h, w]",)),
        (images_of(image=lambda self, i: torch.zeros(6, 5, 3, dtype=torch.uint8)), ("must be [3, h, w] in RGB",)),
        (images_of(image=lambda self, i: torch.zeros(3, 0, 5, dtype=torch.uint8)), ("has no pixels", "CorruptImage")),
        (images_of(image=lambda self, i: torch.randint(9, (3, 6, 5), dtype=torch.uint8)), ("global random generators",)),
        (images_of(image=torn("", 0)), ("image 0 of letters's train split is corrupt", "must say why")),
        (images_of(image=torn("torn")), ("not one of 32 images can be decoded",)),
        (images_of(__reduce__=lambda self: (lambda: None, ())), ("must be picklable", "lambda")),
        (images_of(images=lambda self, where: [self.image(0) for _ in where]), ("images() must give what image() gives", "image 1")),
        (images_of(describe=lambda self, i: ""), ("describe() must say",)),
        (images_of(label=lambda self, i: 2), ("a place in `classes`", "got 2, with 2 classes")),
        (images_of(label=lambda self, i: 0.5), ("must be an int", "float")),
        (images_of(labels=lambda self, i: torch.ones(3, dtype=torch.bool)), ("labels() of", "bool [2]")),
        (images_of(factor=lambda self, i: torch.ones(1)), ("factor() of", "[2]")),
        (images_of(factor=lambda self, i: torch.tensor([0.0, 2.0])), ("the factor 'half'", "a place in its `values`, got 2.0")),
        (images_of(mask=lambda self, i: torch.zeros(6, 5)), ("must be uint8",)),
        (images_of(mask=lambda self, i: torch.zeros(5, 6, dtype=torch.uint8)), ("height and width [6, 5], got [5, 6]",)),
        (images_of(mask=lambda self, i: torch.full((6, 5), 2, dtype=torch.uint8)), ("places in `mask_classes` or 255", "it has 2")),
    ],
)
def test_data_sources(changes, words):
    caught("data_source", broken(Letters, **changes), *words)


@pytest.mark.parametrize("what", ["classes", "factors", "mask_classes"])
def test_splits_are_alike(what):
    def reverse(self, split):
        LetterImages.__init__(self, split)
        if split == "validation":
            setattr(self, what, getattr(self, what)[::-1])

    known = {"factor": lambda self, index: torch.zeros(2)} if what == "factors" else {}
    caught("data_source", broken(Letters, **images_of(__init__=reverse, **known)), f"must have the same `{what}`")
