"""A small Vision Transformer: a convolution cuts and embeds the patches, a few blocks mix those that are kept."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from iwm_core.interfaces import Encoder, EncoderComponent, option


class ExampleEncoder(Encoder):
    """Images to tokens; `width` and `grid` tell the rest of the model what they are like."""

    def __init__(self, config: "Example", image_size: int) -> None:
        super().__init__()
        side = image_size // config.patch_size
        self.width, self.grid = config.width, (side, side)
        self.embed = nn.Conv2d(3, config.width, config.patch_size, stride=config.patch_size)
        self.positions = nn.Parameter(0.02 * torch.randn(side * side, config.width))
        self.blocks = nn.Sequential(*(self.block(config) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width)

    def block(self, config: "Example") -> nn.Module:
        """One block; put your own here."""
        return nn.TransformerEncoderLayer(
            config.width, config.heads, 4 * config.width, dropout=0, activation="gelu", batch_first=True, norm_first=True
        )

    def forward(self, images: Float[Tensor, "b 3 h w"], keep: Int[Tensor, "b k"] | None = None) -> Float[Tensor, "b k d"]:
        """Tokens of the patches in ``keep``, in its order, or of all; images come in [0, 1]."""
        tokens = self.embed(2 * images - 1).flatten(2).transpose(1, 2) + self.positions
        if keep is not None:  # before the blocks: what is left out must not be seen, and should cost nothing
            tokens = tokens.gather(1, keep[..., None].expand(-1, -1, self.width))
        return self.norm(self.blocks(tokens))


@dataclass(kw_only=True)
class Example(EncoderComponent):
    """A small Vision Transformer with learned positions."""

    name = "example"  # by which recipes choose it

    # A field is an option of recipes and of the command line; its range is checked, its text shown by `iwm components`.
    patch_size: int = option(8, "side of a patch in pixels", low=1)
    width: int = option(96, "embedding dimension", low=1)
    depth: int = option(3, "blocks", low=1)
    heads: int = option(4, "attention heads", low=1)

    def build(self, image_size: int) -> Encoder:
        if image_size % self.patch_size:
            raise ValueError(f"image_size {image_size} is not divisible by encoder.patch_size {self.patch_size}; set one to suit the other")
        if self.width % self.heads:
            raise ValueError(f"encoder.width {self.width} is not divisible by encoder.heads {self.heads}; set encoder.heads to a divisor")
        return ExampleEncoder(self, image_size)
