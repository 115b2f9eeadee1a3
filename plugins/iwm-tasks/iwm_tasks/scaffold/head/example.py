"""An MLP on the mean of the tokens: from what an encoder or a predictor knows to the answer of a task."""

from dataclasses import dataclass

from iwm_tasks.interfaces import HeadComponent
from jaxtyping import Float
from torch import Tensor, nn

from iwm_core.interfaces import option


class ExampleHead(nn.Module):
    """Mean of the tokens, LayerNorm, two linear layers; the last starts at zero, so that the first answer favours nothing."""

    def __init__(self, config: "Example", width: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, config.hidden)
        self.out = nn.Linear(config.hidden, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b o"]:
        """One row of outputs for each image, from any number of tokens."""
        return self.out(nn.functional.gelu(self.hidden(self.norm(tokens.mean(dim=1)))))


@dataclass(kw_only=True)
class Example(HeadComponent):
    """An MLP on the mean of the tokens."""

    name = "example"  # by which recipes choose it
    # dense = True: a head for masks, from tokens on their grid, [b d gh gw], to maps [b o h w] of any size

    # A field is an option of recipes and of the command line; its range is checked, its text shown by `iwm components`.
    hidden: int = option(256, "dimension of the hidden layer", low=1)

    def build(self, width: int, outputs: int) -> nn.Module:
        return ExampleHead(self, width, outputs)
