"""``segmentation_conv``: a small convolutional decoder, whose map is four times as fine as the tokens.

Decisions:
- Not an UPerNet: its parts fuse maps of several depths of an encoder, and a head is given one map of tokens, the predictor's among them.
- The second stage has half the channels of the first at four times the places, so it costs no more.
- LayerNorm over channels: the answer for an image does not depend on its batch.
"""

from dataclasses import dataclass

from jaxtyping import Float
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from iwm_tasks.interfaces import HeadComponent

STAGES = 2


class ConvDecoder(nn.Module):
    """Two stages that double the resolution, then one linear layer, which starts at zero, on each place."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        stages: list[nn.Module] = [LayerNorm2d(width)]
        for _ in range(STAGES):
            narrower = max(width // 2, 8)
            stages += [
                nn.Upsample(scale_factor=2, mode="bilinear"),
                nn.Conv2d(width, narrower, 3, padding=1),
                LayerNorm2d(narrower),
                nn.GELU(),
            ]
            width = narrower
        self.stages = nn.Sequential(*stages)
        self.linear = nn.Conv2d(width, outputs, 1)
        for weights in self.linear.parameters():
            nn.init.zeros_(weights)

    def forward(self, tokens: Float[Tensor, "b d gh gw"]) -> Float[Tensor, "b outputs h2 w2"]:
        return self.linear(self.stages(tokens))


@dataclass(kw_only=True)
class SegmentationConv(HeadComponent):
    """A small convolutional decoder, for the class of each pixel."""

    name = "segmentation_conv"
    dense = True

    def build(self, width: int, outputs: int) -> nn.Module:
        return ConvDecoder(width, outputs)
