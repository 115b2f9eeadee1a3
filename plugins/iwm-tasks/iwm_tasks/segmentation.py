"""``segmentation``: one linear layer on each token; the core resizes its map to the image."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from iwm_tasks.interfaces import HeadComponent
from iwm_tasks.linear import LinearHead


class SegmentationHead(LinearHead):
    """LayerNorm and one linear layer that starts at zero, on each token of a grid."""

    def forward(self, tokens: Float[Tensor, "b d gh gw"]) -> Float[Tensor, "b outputs gh gw"]:
        return self.linear(self.norm(tokens.movedim(1, -1))).movedim(-1, 1)


@dataclass(kw_only=True)
class Segmentation(HeadComponent):
    """One linear layer on each token, for the class of each pixel."""

    name = "segmentation"
    dense = True

    def build(self, width: int, outputs: int) -> nn.Module:
        return SegmentationHead(width, outputs)
