"""A world whose latents are known functions of image and action: what evaluators are tested on.

Tokens are the pixels of patches, less one half, so everything that a metric says of them has an analytic value. Actions add patterns to
the image (`Slide`: tokens move along two orthogonal directions) or turn it into its negative (`Negative`, on the source only: undone
by turning the tokens' sign). `KnownPairs` show what a slide does as an observed action: ``KnownModel(parts=PAIRED)`` is told it.
`KnownModel.answer` is the predictor: `perfect`, `blind`, `half`, or any function of tokens and actions.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, EvaluationData, Factor, ImageBatch, Observed, Views, WorldModel, option
from iwm_core.model.actions import ActionSequence, ObservedAction

PIXELS, PATCH = 8, 4
GRID = PIXELS // PATCH
TOKENS, WIDTH = GRID * GRID, 3 * PATCH * PATCH
SLIDE = 0.1  # how far a full slide moves each pixel


def checkers() -> Tensor:
    """Two orthogonal patterns of +1 and -1, [2, 3, h, w]: columns and rows, alike in all channels."""
    stripes = 1 - 2 * (torch.arange(PIXELS) % 2).float()
    return torch.stack([stripes[None, :].expand(PIXELS, -1), stripes[:, None].expand(-1, PIXELS)])[:, None].expand(-1, 3, -1, -1)


def tokens_of(images: Tensor) -> Tensor:
    """Pixels of patches, [b, n, d]."""
    patches = images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
    return patches.permute(0, 2, 3, 1, 4, 5).reshape(len(images), TOKENS, WIDTH)


@dataclass(kw_only=True)
class Slide(Action):
    """Adds two patterns, on both sides, each by -1 to 1."""

    name = "slide"
    labels = ("columns", "rows")
    identity = torch.zeros(2)

    strength: float = option(1.0, "largest share of each pattern", low=0, high=1)

    def sample(self, draws: Draws) -> ActionParams:
        return ActionParams(draws.uniform(2, -self.strength, self.strength), draws.uniform(2, -self.strength, self.strength))

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        return images + SLIDE * torch.einsum("bp,pchw->bchw", params, checkers())

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return (target - source) / 2


@dataclass(kw_only=True)
class Negative(Action):
    """Turns the source into its negative, half of the time; the target never."""

    name = "negative"
    labels = ("undo",)
    identity = torch.zeros(1)
    changes_target = False

    p: float = option(0.5, "probability", low=0, high=1)

    def sample(self, draws: Draws) -> ActionParams:
        flag = draws.bernoulli(self.p).float()
        return ActionParams(flag, torch.zeros_like(flag))

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        return torch.where(params[:, :, None, None] > 0, 1 - images, images)

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return source - target


MOVE = Observed("move", ("columns", "rows"), low=(-0.5, -0.5), high=(0.5, 0.5))
"""What `KnownPairs` show: a slide, in the numbers that `Slide` encodes it by."""
PAIRED: dict[str, Action] = {"move": ObservedAction(MOVE)}


def moved(tokens: Tensor, actions: Tensor, share: float) -> Tensor:
    """The tokens after a share of the true effect of each action; [b, c, n, d]."""
    directions = 2 * SLIDE * tokens_of(checkers())  # [2, n, d], an encoded 1 is a slide of 2
    slides, undo = actions[..., :2], actions[..., 2:].sum(-1)  # no number of `Negative` where a model does not know it
    start = tokens[:, None] * (1 - 2 * share * undo)[..., None, None]
    return start + share * torch.einsum("bca,and->bcnd", slides, directions)


def perfect(tokens: Tensor, actions: Tensor) -> Tensor:
    return moved(tokens, actions, 1.0)


def half(tokens: Tensor, actions: Tensor) -> Tensor:
    return moved(tokens, actions, 0.5)


def blind(tokens: Tensor, actions: Tensor) -> Tensor:
    return moved(tokens, actions, 0.0)


class KnownModel(WorldModel):
    """A world model without weights.

    Args:
        answer: the predictor, from tokens [b n d] and encoded actions [b c a] to tokens [b c n d].
        constant: the encoder gives every image the same tokens.
        parts: the actions.
    """

    def __init__(
        self, answer: Callable[[Tensor, Tensor], Tensor] = perfect, constant: bool = False, parts: dict[str, Action] | None = None
    ) -> None:
        self.answer, self.constant = answer, constant
        self.parts = {"slide": Slide(), "negative": Negative()} if parts is None else parts
        self.sequence = self.actions = ActionSequence(self.parts)
        self.names = self.sequence.names
        self.grid, self.image_size, self.device = (GRID, GRID), PIXELS, torch.device("cpu")

    def encode(self, images: Tensor) -> Tensor:
        return torch.full((len(images), TOKENS, WIDTH), 0.1) if self.constant else tokens_of(images) - 0.5

    def student(self, images: Tensor) -> Tensor:
        return self.encode(images)

    def targets(self, images: Tensor) -> Tensor:
        return self.encode(images)

    def predict(self, tokens: Tensor, actions: Tensor) -> Tensor:
        return self.answer(tokens, actions)

    def views(self, images: Tensor, params: ActionParams, target: Tensor | None = None) -> Views:
        return self.sequence.views(images, params, "view", target)

    def reinitialised(self, seed: int) -> "KnownModel":
        """Answers with tokens that have nothing to do with the image, and each number of the action moves them at random."""
        here, moves = Draws(seed, 0, torch.arange(2), "known/random").normal(TOKENS * WIDTH).unflatten(1, (TOKENS, WIDTH))

        def answer(tokens: Tensor, actions: Tensor) -> Tensor:
            return here + torch.sin(9 * actions.sum(-1))[..., None, None] * moves + 0 * tokens[:, None]

        return KnownModel(answer, self.constant, self.parts)


@dataclass
class KnownData(EvaluationData):
    """Images of independent pixels in [0.25, 0.75], with a class that shifts the mean of the red channel, and three factors.

    ``red`` is the mean of the red channel, a linear function of the tokens; ``shade`` its class, from 0 to `CLASSES` - 1; ``fate`` a number
    that no pixel knows.
    """

    seed: int = 0
    images: int = 100
    train: int = 400

    classes = ("dark", "mid", "light")
    factors = (Factor("red"), Factor("shade", "class", ("dark", "mid", "light")), Factor("fate"))

    def count(self, split: str) -> int:
        return {"train": self.train, "validation": self.images}[split]

    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        total = self.count(split)
        count = min(count, total)
        epoch = ("train", "validation").index(split)
        for index in (torch.arange(count) * total // max(count, 1)).split(size):
            draws = Draws(self.seed, epoch, index, "known")
            pixels = draws.uniform(3 * PIXELS * PIXELS, 0.35, 0.65).unflatten(1, (3, PIXELS, PIXELS))
            label = draws.integers(len(self.classes))[:, 0]
            pixels[:, 0] += (label - 1).float()[:, None, None] * 0.1
            factors = torch.stack([pixels[:, 0].mean((1, 2)), label.float(), draws.uniform(1)[:, 0]], 1)
            yield ImageBatch(index, pixels, label, factors)


@dataclass
class KnownPairs(KnownData):
    """The same images, each with what a slide of two numbers in [-0.5, 0.5) makes of it."""

    def shown(self, split: str, index: Tensor) -> Tensor:
        """The slides of some images, [b, 2]."""
        return Draws(self.seed, ("train", "validation").index(split), index, "known/move").uniform(2, -0.5, 0.5)

    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        for batch in super().batches(split, count, size):
            action = self.shown(split, batch.index)
            slid = batch.images + 2 * SLIDE * torch.einsum("ba,achw->bchw", action, checkers())
            yield batch._replace(target=slid, action=action)

    def actions(self, split: str, count: int) -> Tensor:
        total = self.count(split)
        count = min(count, total)
        return self.shown(split, torch.arange(count) * total // max(count, 1))


def quiet(items: Iterable[Any], label: str, total: int) -> Iterable[Any]:  # noqa: ARG001  # as a `Track` takes them
    """No progress."""
    return items
