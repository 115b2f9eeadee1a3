"""A training step of I-JEPA's reference code, by its own modules, from a checkout that the user has: what stands beside the model's.

Decisions:
- The modules are imported from the path that is given, and nothing of them is kept here. Importing runs the checkout's code.
- Widths, depths, heads and tokens are the recipe's: encoder and predictor see the same patches of the same images. Of the reference's step
  there are teacher, student, predictor, loss, AdamW and the teacher's average; learning rates, logs and statistics are left out. It is not
  compiled, as there.
- The reference is not told the action. What a recipe's predictor does with it counts against the recipe.
- In bf16 it is run in both precisions: a recipe in ``launch.precision=auto`` is compared with what the reference would take in either.
"""

import copy
import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from iwm_tasks.tuning.counting import counting
from iwm_vit.encoder import ViTEncoder
from iwm_vit.predictors.narrow_vit import NarrowViT
from torch import nn
from torch.nn import functional as F

from iwm_core.interfaces import Targets, Views
from iwm_core.interfaces.errors import UserError
from iwm_core.model.world_model import ImageWorldModel

MODULES = "src.models.vision_transformer"
"""What is imported of a checkout."""


class Peer(nn.Module):
    """Encoder, target encoder and predictor of somebody else's I-JEPA, and its loss; what differs is how the encoder is asked."""

    encoder: nn.Module
    predictor: nn.Module
    teacher: nn.Module

    def context(self, images: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """The tokens of patches that are kept."""
        raise NotImplementedError

    def forward(self, views: Views, where: Targets) -> torch.Tensor:
        """The loss."""
        with torch.no_grad():
            tokens = self.teacher(views.target)
            tokens = F.layer_norm(tokens, tokens.shape[-1:])
            index = where.target.transpose(0, 1).flatten(0, 1)[..., None].expand(-1, -1, tokens.shape[-1])
            wanted = tokens.repeat(where.target.shape[1], 1, 1).gather(1, index)
        context = self.context(views.source, where.context)
        return F.smooth_l1_loss(self.predictor(context, [where.context], list(where.target.unbind(1))), wanted)


class Reference(Peer):
    """The reference's encoder, target encoder and predictor in the sizes of a world model.

    Args:
        checkout: the folder of the reference's code.
        model: a world model of a ViT encoder and a narrow ViT predictor.
        side: pixels of the square input.

    Raises:
        UserError: there is no such code, or the model has no counterpart there.
    """

    def __init__(self, checkout: Path, model: ImageWorldModel, side: int) -> None:
        super().__init__()
        encoder, predictor = sizes_of(model, "--ijepa")
        code = imported(checkout)
        self.encoder = code.VisionTransformer(img_size=[side], **encoder)
        self.predictor = code.VisionTransformerPredictor(num_patches=model.student.grid[0] * model.student.grid[1], **predictor)
        self.teacher = copy.deepcopy(self.encoder).requires_grad_(False)

    def context(self, images: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        return self.encoder(images, [keep])


def sizes_of(model: ImageWorldModel, switch: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a ViT and a narrow ViT are built of, by the names that the reference gives it.

    Raises:
        UserError: the model is of something else; the text names the ``switch`` that asked.
    """
    student, predictor = model.student, model.predictor
    if not isinstance(student, ViTEncoder) or not isinstance(predictor, NarrowViT):
        raise UserError(f"{switch} measures encoder=vit and a narrow ViT as predictor; I-JEPA has no other")
    block: Any = student.vit.blocks[0]
    narrow: Any = predictor.blocks[0]
    width, common = predictor.embed.out_features, {"norm_layer": partial(nn.LayerNorm, eps=1e-6), "qkv_bias": True}
    encoder = {
        "patch_size": student.patch,
        "embed_dim": student.width,
        "depth": len(student.vit.blocks),
        "num_heads": block.attn.num_heads,
        "mlp_ratio": block.mlp.fc1.out_features / student.width,
    }
    narrows = {
        "embed_dim": student.width,
        "predictor_embed_dim": width,
        "depth": len(predictor.blocks),
        "num_heads": narrow.attention.heads,
        "mlp_ratio": narrow.mlp[0].out_features / width,
    }
    return encoder | common, narrows | common


def peer_step(model: Peer, views: Views, where: Targets, precision: torch.dtype) -> Callable[[], None]:
    """A step: forward and backward pass, AdamW, the teacher's average."""
    optimizer = torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad])

    def once() -> None:
        with torch.autocast(views.source.device.type, torch.bfloat16, enabled=precision is torch.bfloat16):
            loss = model(views, where)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            for student, teacher in zip(model.encoder.parameters(), model.teacher.parameters(), strict=True):
                teacher.data.mul_(0.996).add_(0.004 * student.detach().data)

    return once


def gflop_of_peer(model: Peer, views: Views, where: Targets) -> float:
    """10⁹ operations an image, forward and backward, counted as those of our model are."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with counting() as counter:
        torch.autograd.grad(model(Views(*(part[:2] for part in views)), Targets(*(part[:2] for part in where))), trained, allow_unused=True)
    return counter.get_total_flops() / min(2, len(views.source)) / 1e9


def imported(checkout: Path) -> ModuleType:
    """The modules of a checkout, which neither the path nor the list of modules keeps: the next one is another.

    Raises:
        UserError: they cannot be imported.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(checkout.resolve()))
    try:
        return importlib.import_module(MODULES)
    except ImportError as error:
        raise UserError(
            f"--ijepa {checkout} holds no code of I-JEPA that can be imported ({error}); give the folder that src/ is in"
        ) from error
    finally:
        sys.path.remove(str(checkout.resolve()))
        for name in {name for name in sys.modules if name.split(".")[0] == "src"} - before:
            del sys.modules[name]
