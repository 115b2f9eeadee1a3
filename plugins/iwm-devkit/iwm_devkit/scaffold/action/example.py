"""Light and warmth: all colours times a factor, red and blue times another and its inverse, as lamps and exposures do."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, option


@dataclass(kw_only=True)
class Example(Action):
    """Brighter or darker, warmer or colder. Parameters: light and warmth, logarithms of factors to base 2; 0 changes nothing."""

    name = "example"  # by which recipes choose it
    labels = ("light", "warmth")  # one for each number that `encode` gives; reports call them by both names
    identity = torch.zeros(2)  # the parameters that leave an image as it is

    # A field is an option of recipes and of the command line; its range is checked, its text shown by `iwm components`.
    strength: float = option(0.7, "largest change of each, in powers of two", low=0.01, high=4)

    def sample(self, draws: Draws) -> ActionParams:
        """Parameters for a batch. All random numbers come from ``draws``, so that a run can be repeated and resumed."""
        drawn = draws.uniform(4, -self.strength, self.strength)
        return ActionParams(source=drawn[:, :2], target=drawn[:, 2:])

    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h w"]:
        """Transformed images in [0, 1]: the whole batch at once, on any device, without randomness."""
        light, warmth = params.unbind(dim=1)
        factors = torch.stack([light + warmth, light, light - warmth], dim=1).exp2()  # of red, green and blue
        return (images * factors[:, :, None, None]).clamp(0, 1)

    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        """What the predictor is told, about in [-1, 1]: the way from source to target, 0 where there is none to go."""
        return (target - source) / (2 * self.strength)
