"""Training a decoder on frozen tokens.

Decisions:
- What it learns from are the views that training makes of training images, source and target in turn, whole: predictions are of targets,
  and what was done to a source is to be seen, too.
- Tokens are those that predictions are compared with (`WorldModel.targets`). They are written once, in half precision, to files mapped into
  memory, as a head's are: the world model is asked once an image, and ``images`` bounds the disk.
- The loss is the squared error of pixels: what it is then measured by, as PSNR, and what its blur means (`iwm_evals.decoding.network`).
- Weights start from the global generator, forked and seeded; the order of images is drawn. So one seed gives one decoder, on a CPU to the
  bit.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import Draws, ImageBatch, Track, WorldModel, check_finite
from iwm_evals.decoding.network import Decoder
from iwm_evals.probes.features import mapped
from iwm_evals.questions.views import draw_views

STREAM = "decoder/views"
SAMPLE = 512  # views, or up to twice as many, that tell mean and spread of tokens, and the mean image
WARMUP = 0.1  # of all steps
FLAT = 1e-2  # of the tokens' scale: what varies less is half precision's rounding, and is not blown up


@dataclass(frozen=True)
class Course:
    """How a decoder is trained.

    Attributes:
        channels, depth: of the `Decoder`.
        steps, batch, lr: of AdamW, with a warmup and a cosine to zero.
        seed: of its weights and of the order of images.
    """

    channels: int
    depth: int
    steps: int
    batch: int
    lr: float
    seed: int


class Seen(NamedTuple):
    """Views of images and the model's tokens of them, files mapped into memory."""

    tokens: Float[Tensor, "n t d"]
    images: UInt8[Tensor, "n 3 h w"]


def see(model: WorldModel, batches: Iterable[ImageBatch], count: int, seed: int, folder: Path) -> Seen:
    """Source and target of each of ``count`` images at most, as training draws them, and their tokens.

    Raises:
        ValueError: the tokens are not finite, or no image could be read.
    """
    files, done = None, 0
    for batch in batches:
        views = torch.cat(draw_views(model, batch, seed, 0, STREAM)[:2])
        tokens = model.targets(views)
        check_finite(tokens)
        if files is None:
            kinds = ((tokens, torch.float16), (views, torch.uint8))
            files = Seen(*(mapped((2 * count, *part.shape[1:]), kind, folder) for part, kind in kinds))
        place = slice(done, done + len(views))
        most = torch.finfo(torch.float16).max
        files.tokens[place] = tokens.clamp(-most, most).half().cpu()
        files.images[place] = (views.clamp(0, 1) * 255).round().to(torch.uint8).cpu()
        done += len(views)
    if files is None:
        raise ValueError("none of the images could be read")
    return Seen(files.tokens[:done], files.images[:done])


def train(model: WorldModel, seen: Seen, course: Course, track: Track) -> Decoder:
    """A decoder that was trained on what is seen, frozen."""
    cuda = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(cuda):
        torch.manual_seed(course.seed)
        decoder = Decoder(model.grid, seen.tokens.shape[2], seen.images.shape[3], course.channels, course.depth)
    some = slice(None, None, max(1, len(seen.tokens) // SAMPLE))  # in memory at once; the files may be larger than it
    sample = seen.tokens[some].float()
    decoder.mean.copy_(sample.mean((0, 1)))
    spread = sample.std((0, 1))
    decoder.deviation.copy_(spread.clamp(min=FLAT * float(sample.abs().mean()) + torch.finfo(spread.dtype).tiny))
    decoder.image.copy_(seen.images[some].float().mean(0) / 255)
    decoder.to(model.device).train()
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=course.lr, betas=(0.9, 0.95), weight_decay=0.01)
    for step, rows in enumerate(track(minibatches(len(seen.tokens), course), "imagination: training the decoder", course.steps)):
        for group in optimizer.param_groups:
            group["lr"] = course.lr * rate(step / course.steps)
        tokens, images = seen.tokens[rows].to(model.device).float(), seen.images[rows].to(model.device).float() / 255
        optimizer.zero_grad()
        with torch.enable_grad():
            F.mse_loss(decoder.pixels(tokens), images).backward()
        optimizer.step()
    check_finite(*decoder.state_dict().values())
    return decoder.eval().requires_grad_(False)


def rate(done: float) -> float:
    """The learning rate's share of its peak."""
    return min(1.0, done / WARMUP + 0.01) * (1 + math.cos(math.pi * done)) / 2


def minibatches(count: int, course: Course) -> Iterator[Int[Tensor, "batch"]]:
    """The rows of each step, in a new order every epoch; the last few that fill no batch are left out."""
    size, left, epoch = min(course.batch, count), course.steps, 0
    while left:
        order = Draws(course.seed, epoch, torch.zeros(1, dtype=torch.int64), "decoder/order").permutation(count)[0]
        for rows in order[: count // size * size].split(size)[:left]:
            yield rows
            left -= 1
        epoch += 1
