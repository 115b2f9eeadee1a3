"""A training step of I-JEPA by lightly's modules, where lightly is installed: what stands beside the model's, as the reference does."""

import copy
import math
from importlib.util import find_spec
from typing import Any

import torch

from iwm_bench.reference import Peer, sizes_of
from iwm_core.interfaces.errors import UserError
from iwm_core.model.world_model import ImageWorldModel


class Lightly(Peer):
    """lightly's encoder, target encoder and predictor in the sizes of a world model, for square inputs of ``side`` pixels.

    Raises:
        UserError: lightly is not installed, has no I-JEPA, or the model has no counterpart there.
    """

    def __init__(self, model: ImageWorldModel, side: int) -> None:
        super().__init__()
        encoder, predictor = sizes_of(model, "--lightly")
        if find_spec("lightly") is None:
            raise UserError("--lightly measures lightly's I-JEPA, and lightly is not installed: pip install lightly")
        try:
            from lightly.models.modules import MaskedVisionTransformerTIMM  # pyright: ignore[reportMissingImports]
            from lightly.models.modules.ijepa_timm import IJEPAPredictorTIMM  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError(f"this lightly has no I-JEPA that can be imported ({error}); --lightly was measured with 1.6") from error
        student: Any = model.student
        vit: Any = type(student.vit)(img_size=side, class_token=False, global_pool="", num_classes=0, **encoder)
        width, ratio = predictor.pop("predictor_embed_dim"), predictor.pop("mlp_ratio")
        tokens = math.prod(model.student.grid)
        self.encoder = MaskedVisionTransformerTIMM(vit=vit)
        self.predictor = IJEPAPredictorTIMM(
            num_patches=tokens, mlp_dim=predictor.pop("embed_dim"), predictor_embed_dim=width, mlp_ratio=ratio, **predictor
        )
        self.teacher = copy.deepcopy(self.encoder).requires_grad_(False)

    def context(self, images: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        return self.encoder(images, idx_keep=keep)
