"""Heads on the encoder's own tokens: ``frozen`` (probes) and ``encoder`` (finetuning), the field's usual comparisons (PAPER §7)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import Encoder, option
from iwm_tasks.interfaces import Backbone, Protocol, WorldModelParts
from iwm_tasks.protocols.layer_decay import layer_decay
from iwm_tasks.protocols.stochastic_depth import drop_paths


class EncoderBackbone(Backbone):
    """The teacher's tokens.

    Args:
        encoder: the teacher.
        trained: train it; else it stays as it is, in evaluation mode, and no gradient is computed for it.
        decay: of the learning rate from layer to layer, from the top down.
    """

    def __init__(self, encoder: Encoder, trained: bool, decay: float = 1.0) -> None:
        super().__init__()
        self.encoder, self.trained, self.decay = encoder.requires_grad_(trained), trained, decay
        self.width, self.grid = encoder.width, encoder.grid

    def forward(self, images: Float[Tensor, "b 3 h w"], task: Int[Tensor, "b"]) -> Float[Tensor, "b n d"]:
        if self.trained or not torch.is_grad_enabled():
            return self.encoder(images)
        with torch.no_grad():  # only where it makes a difference: exported programs have no such blocks
            return self.encoder(images)

    def train(self, mode: bool = True) -> "EncoderBackbone":
        super().train(mode)
        if not self.trained:
            self.encoder.eval()
        return self

    def lr_scales(self) -> dict[str, float]:
        if not self.trained:
            return {}
        return {f"encoder.{name}": scale for name, scale in layer_decay(self.encoder, self.decay).items()}


@dataclass(kw_only=True)
class Frozen(Protocol):
    """Heads alone are trained, on the frozen teacher's tokens: linear and attentive probes."""

    name = "frozen"

    def build(self, parts: WorldModelParts, tasks: int) -> Backbone:
        return EncoderBackbone(parts.encoder, trained=False)


@dataclass(kw_only=True)
class FinetunedEncoder(Protocol):
    """The teacher is trained with the heads, deeper layers more slowly; the predictor is thrown away."""

    name = "encoder"

    layer_decay: float = option(0.65, "learning rate of a layer over that of the layer above", low=0.01, high=1)
    drop_path: float = option(0.2, "stochastic depth of the last block", low=0, high=0.99)

    def build(self, parts: WorldModelParts, tasks: int) -> Backbone:
        drop_paths(parts.encoder, self.drop_path, "protocol.drop_path")
        return EncoderBackbone(parts.encoder, trained=True, decay=self.layer_decay)
