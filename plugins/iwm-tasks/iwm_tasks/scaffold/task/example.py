"""How bright an image is, as people see it: a number that each image tells by itself, so that no data needs labels for it."""

from dataclasses import dataclass

import torch
from iwm_tasks.interfaces import Task
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import Images, option


@dataclass(kw_only=True)
class Example(Task):
    """The mean luminance of an image, from 0 (black) to 1 (white)."""

    name = "example"  # by which recipes choose it
    main = "mae"  # the metric that comparisons show
    answer_kind = "numbers"  # or "class", or "labels"; dense = True: a mask, from a dense head

    # A field is an option of recipes and of the command line; its range is checked, its text shown by `iwm components`.
    red: float = option(0.3, "share of red in the luminance", low=0, high=0.4)
    green: float = option(0.6, "share of green; the rest is of blue", low=0, high=0.6)

    def outputs(self, images: Images) -> tuple[str, ...]:
        """What the head's outputs stand for. Raise a ValueError, which names the remedy, for data that lacks what you need."""
        return ("luminance",)

    def target(self, images: Images, index: int) -> Shaped[Tensor, "..."]:
        """What is to be learned of one image: of ``numbers``, float32 [v]."""
        shares = torch.tensor([self.red, self.green, 1 - self.red - self.green])
        return (images.image(index).float().mean(dim=(1, 2)) / 255 @ shares)[None]

    def loss(self, output: Float[Tensor, "b o"], target: Shaped[Tensor, "b v"]) -> Float[Tensor, ""]:
        return F.mse_loss(output, target)

    def rows(self, output: Float[Tensor, "b o"], target: Shaped[Tensor, "b v"]) -> Float[Tensor, "b v"]:
        """What `metrics` needs to know of each image."""
        return (output - target).abs()

    def metrics(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """How well it was learned, the main metric first; its interval comes from resampling the rows."""
        return {"mae": float(rows.mean())}

    def answer(self, output: Float[Tensor, "b o"]) -> Float[Tensor, "b o"]:
        """What a user of `iwm predict` is told."""
        return output
