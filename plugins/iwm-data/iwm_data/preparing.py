"""The right preprocessing for a model: `iwm_data.transform`.

Decisions:
- It is what evaluation does: the centre square of the upright image, resized with antialiasing to the model's size, then numbers in [0, 1].
  Mean and deviation are the encoder's own business.
- It holds two numbers and no model, so that it goes into the workers of any loader.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from iwm_core.data.view import centre_boxes, cut
from iwm_data.items import item_of, pixels_of


class Transform:
    """Images as a model takes them, a callable for the ``transform=`` of any dataset.

    ::

        transform = iwm_data.transform(model)
        model.features(transform(["cat.jpg", "dog.jpg"]))
        ImageFolder("photos", transform=transform)                 # a transform as torchvision's are
        DataLoader(transform(my_dataset), batch_size=64)           # of items as the dataset has them, their images prepared

    Args:
        size: pixels of the square that the model takes.
        white: what value is white in images of more than 8 bits; None: the end of the range of bits of each image.
    """

    def __init__(self, size: int, white: float | None = None) -> None:
        self.size, self.white = size, white

    def __repr__(self) -> str:
        return f"<images as a model of {self.size} pixels takes them>"

    def __call__(self, given: Any) -> Any:
        """An image (Pillow's, an array [h, w, 3], a tensor [3, h, w], the path of a file) as float [3, s, s] in [0, 1].

        Several, in a list or as one array or tensor, become [b, 3, s, s]; in a mapping, such as a row of `datasets`, the image is
        prepared; a map-style dataset becomes one whose images are prepared.

        Raises:
            ValueError: it is no image, or one in other numbers; the text names the fix.
            CorruptImage: a file or Pillow image that cannot be decoded.
        """
        if isinstance(given, np.ndarray | Tensor):
            return self.several(given) if given.ndim == 4 else self.one(given)
        if isinstance(given, list | tuple):
            return self.several(given)
        if isinstance(given, Mapping):
            key = item_of(given).key
            return {**given, key: self(given[key])}
        if hasattr(given, "__getitem__") and hasattr(given, "__len__") and not isinstance(given, str | bytes):
            return Prepared(given, self)
        return self.one(given)

    def one(self, given: Any) -> Float[Tensor, "3 s s"]:
        """One image."""
        pixels = pixels_of(given, self.white)
        return cut(pixels, centre_boxes(torch.tensor([pixels.shape[1:]]))[0], self.size).float().div_(255)

    def several(self, given: Any) -> Float[Tensor, "b 3 s s"]:
        """A batch; it may be of none."""
        return torch.stack([self.one(one) for one in given]) if len(given) else torch.empty(0, 3, self.size, self.size)


class Prepared(Dataset):
    """A dataset whose images are prepared; all else of an item is as it was."""

    def __init__(self, dataset: Any, transform: Transform) -> None:
        self.dataset, self.transform = dataset, transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        item = self.dataset[index]
        if isinstance(item, Mapping):
            return self.transform(item)
        if isinstance(item, Sequence) and not isinstance(item, str):
            return (self.transform.one(item_of(item).image), *item[1:])
        return self.transform.one(item)


def transform_of(model: Any) -> Transform:
    """See `iwm_data.transform`."""
    size = model if isinstance(model, int) and not isinstance(model, bool) else getattr(model, "image_size", None)
    if not isinstance(size, int) or size < 1:
        raise ValueError(
            f"transform takes a model as iwm_core.load returns it, or the pixels of its square input, transform(224); "
            f"got a {type(model).__name__}"
        )
    source = getattr(getattr(model, "recipe", None), "data", None)
    return Transform(size, getattr(model, "white", getattr(source, "white", None)))
