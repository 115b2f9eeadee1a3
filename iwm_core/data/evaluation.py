"""The data of a run as evaluators see it: the centre square of each image, at the model's size."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from iwm_core.data.pairs import channels, has_action, known_actions, paired, sides
from iwm_core.data.quarantine import Corrupt, named, too_many
from iwm_core.data.training import open_split
from iwm_core.data.view import centre_boxes, cut
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import CorruptImage, EvaluationData, ImageBatch, Images
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.config import Recipe


class SquareTask:
    """Decodes a chunk of images to squares; indexed by a tensor of indices. Corrupt images are left out and described."""

    def __init__(self, images: Images, size: int) -> None:
        self.images, self.size = images, size

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: torch.Tensor) -> tuple[ImageBatch, list[Corrupt]]:
        kept, pixels, _, corrupt = squares(self.images, index, self.size)
        labels = torch.tensor([self.images.label(i) for i in kept], dtype=torch.int64)
        known = torch.stack([self.images.factor(i) for i in kept]) if kept else torch.empty(0, len(self.images.factors))
        images, target = sides(pixels)
        actions = None if target is None else known_actions(self.images, kept)
        batch = ImageBatch(torch.tensor(kept, dtype=torch.int64), images, labels, known, target, actions)
        return batch, corrupt


def squares(
    images: Images, index: Int[Tensor, "b"], size: int
) -> tuple[list[int], UInt8[Tensor, "k c s s"], Int[Tensor, "k 2"], list[Corrupt]]:
    """Of the images at ``index`` that can be read: their indices, centre squares and own sizes; and the corrupt ones."""
    kept, corrupt = [], []
    pixels, sizes = [torch.empty(0, channels(images), size, size, dtype=torch.uint8)], [torch.empty(0, 2, dtype=torch.int64)]
    for i, image in zip(index.tolist(), images.images(index), strict=True):
        if isinstance(image, CorruptImage):
            corrupt.append(Corrupt(i, images.describe(i), str(image)))
        else:
            kept.append(i)
            sizes.append(torch.tensor([image.shape[1:]]))
            pixels.append(cut(image, centre_boxes(sizes[-1])[0], size)[None])
    return kept, torch.cat(pixels), torch.cat(sizes), corrupt


class RunData(EvaluationData):
    """Reads the splits of a recipe's data source.

    Args:
        recipe: the recipe.
        device: where batches go.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device, self.seed = recipe, device, recipe.train.seed
        self._corrupt: dict[str, set[Corrupt]] = {}
        self._open: dict[str, Images] = {}
        self.classes, self.factors = self.split("validation").classes, self.split("validation").factors

    def split(self, name: str) -> Images:
        """A split, opened once."""
        if name not in self._open:
            self._open[name] = paired(open_split(self.recipe.data, name), self.recipe.data)
        return self._open[name]

    @property
    def corrupt(self) -> set[Corrupt]:
        """The corrupt images met so far."""
        return set().union(*self._corrupt.values())

    def count(self, split: str) -> int:
        return len(self.split(split))

    def sent(self, batch: ImageBatch) -> ImageBatch:
        """A batch of bytes on the model's device, its pixels in [0, 1]."""
        index, images, labels, factors = (part.to(self.device) for part in batch[:4])
        if batch.target is None or batch.action is None:
            return ImageBatch(index, images.float().div_(255), labels, factors)
        target, action = batch.target.to(self.device), batch.action.to(self.device)
        return ImageBatch(index, images.float().div_(255), labels, factors, target.float().div_(255), action)

    def spread(self, split: str, count: int) -> Int[Tensor, "c"]:
        """Indices of ``count`` images of a split, or of all: evenly, as folders are sorted by class."""
        images = self.split(split)
        count = min(count, len(images))
        return torch.arange(count) * len(images) // max(count, 1)

    def actions(self, split: str, count: int) -> Float[Tensor, "c a"]:
        images = self.split(split)
        return known_actions(images, [index for index in self.spread(split, count).tolist() if has_action(images, index)])

    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        images = self.split(split)
        index = self.spread(split, count)
        made = made_in_order(
            SquareTask(images, self.recipe.view.canvas or self.recipe.image_size), index.split(size), self.recipe.launch.workers
        )
        found, limit = self._corrupt.setdefault(split, set()), self.recipe.data.max_corrupt
        for batch, corrupt in made:
            found.update(Corrupt(*one) for one in corrupt)  # plain lists, where workers sent them
            if too_many(len(found), len(images), limit):
                raise UserError(
                    f"{len(found)} of {len(images)} {split} images cannot be read, more than data.max_corrupt={limit:g} allows; "
                    f"one is {named(sorted(found)[:1])}: repair or remove them"
                )
            if len(batch.index):
                yield self.sent(batch)
