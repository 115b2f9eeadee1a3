"""The decoder: from a teacher's patch tokens to pixels.

Decisions:
- It is for looking, and no part of the world model: it is trained on frozen tokens after pretraining, and nothing learns from it.
- It regresses pixels. A decoder that generates, such as RCDM's diffusion (Bordes, Balestriero & Vincent, "High Fidelity Visualization of
  What Your Self-Supervised Representation Knows About", 2022), invents what the tokens leave open, and an invented detail cannot be told
  from a predicted one. This one shows the mean of all images that the tokens could be of: what they do not hold is blurred.
- Convolutions on the grid of tokens carry most of the weight, where they are cheap; two steps then spread channels over the pixels of a
  patch, whatever its size, with convolutions between them that close the seams.
- It begins as the mean image of its training, to which it adds what the tokens say; tokens are standardised by their own training set, so
  that encoders of any scale are read alike.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    """Two convolutions beside what they are given; at first they add nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.second(F.gelu(self.first(F.gelu(self.norm(x)))))


class Decoder(nn.Module):
    """Images of tokens, as `WorldModel.targets` and `imagine` give them.

    Args:
        grid: rows and columns of tokens.
        width: numbers of a token.
        image_size: pixels of the square images.
        channels: of the convolutions on the grid; a quarter of it between the two steps that spread them.
        depth: residual blocks on the grid.
    """

    mean: Tensor
    deviation: Tensor
    image: Tensor

    def __init__(self, grid: tuple[int, int], width: int, image_size: int, channels: int, depth: int) -> None:
        super().__init__()
        self.grid, self.width, self.image_size = grid, width, image_size
        steps = [split(math.ceil(image_size / side)) for side in grid]
        self.coarse, self.fine = ((steps[0][step], steps[1][step]) for step in (0, 1))
        between = max(channels // 4, 4)
        self.enter = nn.Conv2d(width, channels, 1)
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(depth)))
        self.spread = nn.Conv2d(channels, between * math.prod(self.coarse), 1)
        self.seams = Residual(between)
        self.leave = nn.Conv2d(between, 3 * math.prod(self.fine), 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # pyright: ignore[reportArgumentType]  # it has one
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.register_buffer("image", torch.zeros(3, image_size, image_size))

    def pixels(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b 3 h w"]:
        """The images as they are learned: their values may lie outside [0, 1]."""
        x = ((tokens - self.mean) / self.deviation).transpose(1, 2).unflatten(2, self.grid)
        x = over_pixels(self.spread(self.blocks(self.enter(x))), self.coarse)
        x = over_pixels(self.leave(F.gelu(self.seams(x))), self.fine)
        if x.shape[2:] != self.image.shape[1:]:  # patches that overlap, or do not fill the image
            x = F.interpolate(x, size=self.image.shape[1:], mode="bilinear", antialias=True)
        return self.image + x

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b 3 h w"]:
        """Images in [0, 1].

        Raises:
            ValueError: tokens of another model.
        """
        wanted = (math.prod(self.grid), self.width)
        if tokens.ndim != 3 or tokens.shape[1:] != wanted:
            raise ValueError(f"this decoder takes tokens [b, {wanted[0]}, {wanted[1]}], as `imagine` gives, got {list(tokens.shape)}")
        with torch.no_grad():
            return self.pixels(tokens.to(self.image)).clamp(0, 1)


def over_pixels(x: Float[Tensor, "b _ h w"], steps: tuple[int, int]) -> Float[Tensor, "b _ h2 w2"]:
    """Channels over ``steps`` pixels down and across each place: a pixel shuffle whose two sides may differ."""
    x = x.unflatten(1, (-1, *steps)).permute(0, 1, 4, 2, 5, 3)
    return x.flatten(4, 5).flatten(2, 3)


def split(side: int) -> tuple[int, int]:
    """A patch's side as two steps: the second is its largest divisor up to the square root."""
    fine = max(step for step in range(1, math.isqrt(side) + 1) if side % step == 0)
    return side // fine, fine
