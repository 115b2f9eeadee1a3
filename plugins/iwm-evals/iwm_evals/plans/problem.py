"""What a search is asked: sources and goals, candidates, and how near each answer comes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import Draws, Transformation, WorldModel

DRAWN = 4096  # targets that tell the range of their parameters
FEW = 32  # values of a parameter that is no continuous number


def drawn_candidates(actions: Transformation, seed: int, device: torch.device) -> Float[Tensor, "k p"]:
    """Parameters of many candidates: as `drawn_targets`, and of an observed action all that it can be."""
    return actions.candidates(repeated(seed, DRAWN, device, "plan/range"))


def drawn_targets(actions: Transformation, seed: int, device: torch.device) -> Float[Tensor, "k p"]:
    """Parameters of many targets, which show what each of them can be."""
    return actions.sample(repeated(seed, DRAWN, device, "plan/range")).target


def repeated(seed: int, count: int, device: torch.device, stream: str) -> Draws:
    """``count`` draws for one image: those of as many epochs."""
    number = torch.arange(count, device=device)
    return Draws(seed, number, torch.zeros_like(number), stream)


class Problem:
    """A batch of sources and goals with its candidates, and what a search may ask about them.

    Args:
        model: the world model.
        source, goal: as many images of the model's size.
        index: numbers of the images, which decide what is drawn for them.
        seed: of all that is drawn.
        candidates: drawn for each image.
        chunk: predictions in one pass, at least as many as there are images: bounds the memory.

    Raises:
        ValueError: no action ever changes a target.
    """

    def __init__(
        self, model: WorldModel, source: Tensor, goal: Tensor, index: Int[Tensor, "b"], seed: int, candidates: int, chunk: int
    ) -> None:
        self.model, self.seed, self.index = model, seed, index.to(model.device)
        drawn = drawn_candidates(model.actions, seed, model.device)
        if (drawn == drawn[:1]).all():
            raise ValueError("nothing to plan: no action of this model ever changes a target image")
        self.low, self.high = drawn.amin(0), drawn.amax(0)
        self.free = torch.tensor([len(values.unique()) > FEW for values in drawn.unbind(1)], device=model.device)
        self.tokens, self.wanted = model.encode(source.to(model.device)), model.targets(goal.to(model.device))
        self.at_once = max(1, chunk // len(source))
        self.candidates = model.actions.candidates(self.draws("candidates", candidates)).unflatten(0, (len(source), candidates))
        self.distances = self.judge(self.candidates)

    def draws(self, stream: str, count: int) -> Draws:
        """``count`` draws for each image, image by image."""
        number = torch.arange(count, device=self.index.device).repeat(len(self.index))
        return Draws(self.seed, number, self.index.repeat_interleave(count), f"plan/{stream}")

    def encode(self, params: Float[Tensor, "b c p"]) -> Float[Tensor, "b c a"]:
        """Parameters of the target as the predictor is told them, the source being at identity."""
        flat = params.flatten(0, 1)
        return self.model.actions.encode(self.model.actions.identity.to(flat).expand_as(flat), flat).unflatten(0, params.shape[:2])

    def distance(self, params: Float[Tensor, "b c p"]) -> Float[Tensor, "b c"]:
        """Distance of each answer's prediction from the goal, in one pass."""
        return (self.model.predict(self.tokens, self.encode(params)) - self.wanted[:, None]).square().mean((2, 3))

    def judge(self, params: Float[Tensor, "b c p"]) -> Float[Tensor, "b c"]:
        """Distance of each answer's prediction from the goal."""
        return torch.cat([self.distance(part) for part in params.split(self.at_once, 1)], 1)

    def slope(self, params: Float[Tensor, "b c p"]) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c p"]]:
        """The distances and their gradients; 0 where an answer's prediction does not depend on a parameter."""
        distances, gradients = [], []
        for part in params.split(self.at_once, 1):
            with torch.enable_grad():
                leaf = part.detach().requires_grad_()
                distance = self.distance(leaf)
                gradient = torch.autograd.grad(distance.sum() + 0 * leaf.sum(), leaf)[0]  # so that it always depends on the leaf
            distances.append(distance.detach())
            gradients.append(gradient.nan_to_num(0, 0, 0))
        return torch.cat(distances, 1), torch.cat(gradients, 1)
