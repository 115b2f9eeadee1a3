"""A world model of a few thousand weights, which protocols are tried on."""

import torch
from jaxtyping import Float, Int
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from iwm_core.interfaces import Encoder, Predictor, Targets
from iwm_tasks.interfaces import WorldModelParts

SIZE, PATCH, SIDE, WIDTH, HEADS, DEPTH, ACTION = 12, 4, 3, 16, 2, 2, 3


class SmallEncoder(Encoder):
    """A Vision Transformer of two blocks, whose layers timm knows, as protocols that scale learning rates by layer need."""

    def __init__(self) -> None:
        super().__init__()
        self.width, self.grid = WIDTH, (SIDE, SIDE)
        self.model = VisionTransformer(
            SIZE,
            PATCH,
            num_classes=0,
            global_pool="",
            embed_dim=WIDTH,
            depth=DEPTH,
            num_heads=HEADS,
            class_token=False,
            pos_embed="none",
        )
        self.register_buffer("positions", torch.randn(SIDE * SIDE, WIDTH))  # fixed, as those of real encoders: nothing that is trained

    def forward(self, images: Float[Tensor, "b 3 h w"], keep: Int[Tensor, "b k"] | None = None) -> Float[Tensor, "b k d"]:
        tokens = self.model.patch_embed(2 * images - 1) + self.positions
        if keep is not None:
            tokens = tokens.gather(1, keep[..., None].expand(-1, -1, WIDTH))
        return self.model.norm(self.model.blocks(tokens))


class SmallPredictor(Predictor):
    """Two blocks over the context and one group of questions, which are told the action."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(SIDE * SIDE, WIDTH))
        self.question = nn.Parameter(torch.randn(WIDTH))
        self.told = nn.Linear(ACTION, WIDTH)
        self.blocks = nn.Sequential(*(Block(WIDTH, HEADS) for _ in range(DEPTH)))
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, context: Float[Tensor, "b k d"], where: Targets, action: Float[Tensor, "b a"]) -> Float[Tensor, "b m t d"]:
        b, m, t = where.target.shape
        known = (context + self.positions[where.context]).repeat_interleave(m, dim=0)
        asked = self.question + self.positions[where.target] + self.told(action)[:, None, None]
        tokens = self.blocks(torch.cat([known, asked.flatten(0, 1)], dim=1))
        return self.out(tokens[:, -t:]).unflatten(0, (b, m))


def small_world_model() -> WorldModelParts:
    """An encoder and a predictor for square images of 12 pixels on a grid of 3 x 3 patches, told 3 numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, predictor = SmallEncoder(), SmallPredictor()
        moved(encoder)
        moved(predictor)
    return WorldModelParts(encoder, predictor, SmallPredictor, ACTION, SIZE)


def moved(module: nn.Module) -> None:
    """Move weights from where they start, such as zeros that hide what depends on them."""
    for weight in module.parameters():
        weight.data.add_(torch.randn_like(weight), alpha=0.1)
