"""The checkpoints of I-JEPA's reference code (facebookresearch/ijepa): what their keys are called here, and the shape that they tell.

Decisions:
- Positions are kept as they are in the file (``positions: stored``). The reference puts the column's half of its sin-cos positions first,
  we the row's; and its moving average covers them, too, whose rounding moves the teacher's by up to 1.4e-4 in 187,500 steps (simulated in
  float32), so that no formula gives them back.
- The number of heads is in no weight. It is the published one of the encoder's width and depth; the predictor has as many (its code).
- What is neither a weight of the model nor state of the reference's training is an error, and so is a weight that is not there.
"""

import math
import re
from typing import Any, NamedTuple

from torch import Tensor

from iwm_core.interfaces.errors import UserError

HEADS = {(192, 12): 3, (384, 12): 6, (768, 12): 12, (1024, 24): 16, (1280, 32): 16, (1408, 40): 16}
"""Of the encoders of the reference, by width and depth."""

PARTS = {"student": "encoder", "teacher": "target_encoder", "predictor": "predictor"}
"""The parts of a world model, and where the reference keeps them."""

LEFT_OUT = {
    "opt": "moments of the reference's AdamW: training begins with new ones",
    "scaler": "state of the reference's gradient scaler",
    **dict.fromkeys(("epoch", "loss", "batch_size", "world_size", "lr"), "a number of the reference's training"),
}
"""What else the reference saves, and why it is not taken."""

BLOCK = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
RENAMED = {"attn.qkv": "attention.qkv", "attn.proj": "attention.out", "mlp.fc1": "mlp.0", "mlp.fc2": "mlp.2"}
"""What the layers of a predictor's block are called here."""
ENDS = ("weight", "bias")


class Shape(NamedTuple):
    """What the weights tell of the model; ``heads`` are those of encoder and predictor, None where they cannot be known."""

    image_size: int
    patch: int
    width: int
    depth: int
    hidden: int
    predictor_width: int
    predictor_depth: int
    predictor_hidden: int

    @property
    def heads(self) -> int | None:
        return HEADS.get((self.width, self.depth))

    def settings(self) -> dict[str, Any]:
        """The settings of a recipe that make this model, as far as weights tell."""
        return {
            "image_size": self.image_size,
            "encoder.patch_size": self.patch,
            "encoder.width": self.width,
            "encoder.depth": self.depth,
            "encoder.mlp_ratio": ratio(self.hidden, self.width),
            "predictor.width": self.predictor_width,
            "predictor.depth": self.predictor_depth,
            "predictor.mlp_ratio": ratio(self.predictor_hidden, self.predictor_width),
        }


def shape_of(encoder: dict[str, Tensor], predictor: dict[str, Tensor]) -> Shape:
    """The shape of a model by its weights.

    Raises:
        UserError: a weight is missing, or of a shape that no such model has; the line names its key.
    """
    width, channels, patch, other = sizes(encoder, "encoder", "patch_embed.proj.weight", 4)
    if channels != 3 or patch != other:
        raise UserError(
            f"encoder.patch_embed.proj.weight is of {channels} channels and patches of {patch} x {other}; RGB and squares are read"
        )
    _, patches, _ = sizes(encoder, "encoder", "pos_embed", 3)
    side = math.isqrt(patches)
    if side * side != patches:
        raise UserError(f"encoder.pos_embed has {patches} positions, which is no square; images are squares here")
    hidden, _ = sizes(encoder, "encoder", "blocks.0.mlp.fc1.weight", 2)
    predictor_width, _ = sizes(predictor, "predictor", "predictor_embed.weight", 2)
    predictor_hidden, _ = sizes(predictor, "predictor", "predictor_blocks.0.mlp.fc1.weight", 2)
    depth, predictor_depth = count(encoder, "blocks"), count(predictor, "predictor_blocks")
    return Shape(side * patch, patch, width, depth, hidden, predictor_width, predictor_depth, predictor_hidden)


def sizes(weights: dict[str, Tensor], part: str, key: str, dimensions: int) -> tuple[int, ...]:
    """The sizes of a weight that must be there."""
    if key not in weights:
        raise UserError(f"the file lacks {part}.{key}, without which the model's shape is not known")
    if weights[key].ndim != dimensions:
        raise UserError(f"{part}.{key} has {weights[key].ndim} dimensions, not {dimensions}")
    return tuple(weights[key].shape)


def count(weights: dict[str, Tensor], blocks: str) -> int:
    """How many blocks there are: one more than the highest number."""
    return 1 + max(int(found[1]) for key in weights if (found := re.match(rf"{blocks}\.(\d{{1,4}})\.", key)))


def ratio(hidden: int, width: int) -> float:
    """The ratio of which, times the width and rounded down, the MLP's width is: that of a g/16 is 48/11."""
    exact = hidden / width
    return exact if int(width * exact) == hidden else math.nextafter(exact, math.inf)


def encoder_keys(depth: int) -> dict[str, str]:
    """What each key of an encoder is called here."""
    blocks = [f"blocks.{number}.{layer}.{end}" for number in range(depth) for layer in BLOCK for end in ENDS]
    same = [*(f"patch_embed.proj.{end}" for end in ENDS), *blocks, *(f"norm.{end}" for end in ENDS)]
    return {"pos_embed": "positions", **{key: f"vit.{key}" for key in same}}


def predictor_keys(depth: int) -> dict[str, str]:
    """What each key of a predictor is called here."""
    around = {"predictor_embed": "embed", "predictor_norm": "norm", "predictor_proj": "out"}
    layers = {
        f"predictor_blocks.{number}.{layer}": f"blocks.{number}.{RENAMED.get(layer, layer)}" for number in range(depth) for layer in BLOCK
    }
    named = {f"{key}.{end}": f"{own}.{end}" for key, own in (around | layers).items() for end in ENDS}
    return {"mask_token": "mask_token", "predictor_pos_embed": "positions", **named}
