"""From a data source to samples: splits, and what is done about what cannot be read.

Decisions:
- A pair is read as one sample: one of which a side, or the action, cannot be had is corrupt as a whole.
- In training the next readable image stands in the place of a corrupt one, so that shapes stay fixed and the order of all others does
  not change; in evaluation it is left out.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.data.quarantine import Corrupt
from iwm_core.interfaces import CorruptImage, DataSource, Images, Observed, Sample
from iwm_core.interfaces.errors import UserError


def open_split(source: DataSource, split: str) -> Images:
    """A split of a data source; a `UserError` where it cannot be opened, or is empty."""
    try:
        images = source.open(split)
    except ValueError as error:
        raise UserError(str(error)) from error
    if len(images) == 0:
        raise UserError(f"the {split} split of data={source.name} has no images; check its options with `iwm components data_source`")
    return images


class Read(NamedTuple):
    """What was read of some images: samples, the indices they have in the split, and the corrupt ones met."""

    samples: list[Any]
    shown: list[int]
    corrupt: list[Corrupt]


class Reader:
    """Reads samples. Instances are pickled into data workers.

    Args:
        images: the split.
        observed: the action that its pairs show; None where images come singly.
        parts: what else is read of an image: ``mask`` and ``label``, as fields of `Sample`.
        known: indices already known to be corrupt.
    """

    def __init__(self, images: Images, observed: Observed | None = None, parts: tuple[str, ...] = (), known: Iterable[int] = ()) -> None:
        self.images, self.observed, self.bad = images, observed, set(known)
        self.parts = (*parts, *(("action",) if observed else ()))

    def __len__(self) -> int:
        return len(self.images)

    def samples(self, index: Int[Tensor, "b"]) -> Iterator[Sample | CorruptImage]:
        """The samples at ``index``; in the place of one of which a part cannot be had stands the error."""
        sides = [self.images.images(index), *([self.images.targets(index)] if self.observed else [])]
        for i, *both in zip(index.tolist(), *sides, strict=True):
            yield next((side for side in both if isinstance(side, CorruptImage)), None) or self._sample(i, *both)

    def _sample(self, index: int, image: Tensor, target: Tensor | None = None) -> Sample | CorruptImage:
        try:
            sample = Sample(image, target, **{part: getattr(self.images, part)(index) for part in self.parts})
        except CorruptImage as error:
            return error
        fault = fault_of(sample, self.observed) if self.observed else ""
        return CorruptImage(fault) if fault else sample

    def read(self, index: Int[Tensor, "b"]) -> Read:
        """The samples at ``index`` that can be read."""
        found, corrupt = self._found(index.tolist())
        return Read(list(found.values()), list(found), corrupt)

    def read_all(self, index: Int[Tensor, "b"]) -> Read:
        """As many samples as indices: in the place of a corrupt one stands the next that can be read. What is bad is kept in mind.

        Raises:
            UserError: not one can be read.
        """
        found, corrupt = self._found([i for i in index.tolist() if i not in self.bad])
        shown = []
        for i in index.tolist():
            while i not in found:
                if i in self.bad:
                    i = (i + 1) % len(self)
                else:
                    more, worse = self._found([i])
                    found, corrupt = found | more, corrupt + worse
                if len(self.bad) == len(self):
                    first = self.images.describe(0)
                    raise UserError(f"not one of the {len(self)} training images can be read, such as {first}; check the dataset")
            shown.append(i)
        return Read([found[i] for i in shown], shown, corrupt)

    def _found(self, indices: list[int]) -> tuple[dict[int, Sample], list[Corrupt]]:
        found: dict[int, Sample] = {}
        corrupt: list[Corrupt] = []
        for i, sample in zip(indices, self.samples(torch.tensor(indices)) if indices else (), strict=True):
            if isinstance(sample, CorruptImage):
                corrupt.append(Corrupt(i, self.images.describe(i), str(sample)))
                self.bad.add(i)
            else:
                found[i] = sample
        return found, corrupt


def fault_of(pair: Sample, observed: Observed) -> str:
    """What is wrong with a pair: its sides differ in size, or its action is not what the source promises; empty where nothing is."""
    assert pair.target is not None, "of pairs, all is read"
    if pair.image.shape != pair.target.shape:
        sizes = " and ".join(f"{side.shape[1]} x {side.shape[2]}" for side in (pair.image, pair.target))
        return f"the images of the pair have {sizes} pixels; they must have one size"
    return fault_of_action(pair.action, observed)


def fault_of_action(action: Float[Tensor, "..."] | None, observed: Observed) -> str:
    """What is wrong with the numbers of an observed action; empty where nothing is."""
    count = len(observed.labels)
    whole = action is not None and action.shape == (count,) and bool(action.isfinite().all())
    return "" if whole else f"its action must be {count} finite numbers, got {None if action is None else action.tolist()}"
