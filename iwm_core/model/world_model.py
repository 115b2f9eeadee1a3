"""Student, predictor and teacher in one module, so that one thing is prepared, sharded, saved and loaded (DESIGN §6)."""

import copy
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from iwm_core.interfaces import Encoder, Predictor, Targets
from iwm_core.interfaces.errors import UserError
from iwm_core.model.actions import recipe_actions
from iwm_core.recipe.config import Recipe

LOSSES = {"l2": F.mse_loss, "smooth_l1": F.smooth_l1_loss}


class Prediction(NamedTuple):
    """One forward pass: the loss, what was predicted, what was to be predicted, and all of the teacher's tokens."""

    loss: Float[Tensor, ""]
    predicted: Float[Tensor, "b m t d"]
    wanted: Float[Tensor, "b m t d"]
    teacher: Float[Tensor, "b n d"]


class ImageWorldModel(nn.Module):
    """An encoder in training (student), its moving average (teacher) and the predictor between their tokens.

    Args:
        student: the encoder.
        predictor: the world model.
        loss: a name in `LOSSES`; the mean over positions and dimensions.
        normalise_targets: layer-normalise the teacher's tokens, without affine.
    """

    def __init__(self, student: Encoder, predictor: Predictor, loss: str = "l2", normalise_targets: bool = True) -> None:
        super().__init__()
        self.student = student
        self.predictor = predictor
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self.loss, self.normalise_targets = LOSSES[loss], normalise_targets

    def forward(
        self, source: Float[Tensor, "b 3 h w"], target: Float[Tensor, "b 3 h w"], action: Float[Tensor, "b a"], where: Targets
    ) -> Prediction:
        """Loss of predicting the teacher's tokens of the target from the student's tokens of the source's context."""
        with torch.no_grad():
            teacher = self.targets(target)
            wanted = gather_groups(teacher, where)
        context = self.student(source, where.context)
        predicted = self.predictor(context, where, action)
        return Prediction(self.loss(predicted.float(), wanted), predicted, wanted, teacher)

    def targets(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The teacher's tokens as predictions are compared with them, in float32."""
        tokens = self.teacher(images).float()
        return F.layer_norm(tokens, tokens.shape[-1:]) if self.normalise_targets else tokens

    def update_teacher(self, weight: Float[Tensor, ""]) -> None:
        """Move the teacher towards the student by ``weight`` (1 - momentum); a weight of 0 leaves it."""
        for teacher, student in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            teacher.lerp_(student.detach(), weight.to(teacher.dtype))

    def train(self, mode: bool = True) -> "ImageWorldModel":
        """As usual, but the teacher never drops anything."""
        super().train(mode)
        self.teacher.eval()
        return self


def gather_groups(tokens: Float[Tensor, "b n d"], where: Targets) -> Float[Tensor, "b m t d"]:
    """The tokens at the target positions."""
    index = where.target.flatten(1)[..., None].expand(-1, -1, tokens.shape[-1])
    return tokens.gather(1, index).unflatten(1, where.target.shape[1:])


def build_model(recipe: Recipe, restored: bool = False) -> ImageWorldModel:
    """The model of a recipe, initialised from the global generator; ``restored`` where a checkpoint's weights follow.

    Raises:
        UserError: its parts do not fit together.
    """
    actions = recipe_actions(recipe)
    try:
        encoder = recipe.encoder.rebuild(recipe.image_size) if restored else recipe.encoder.build(recipe.image_size)
        predictor = recipe.predictor.build(encoder.width, encoder.grid, len(actions.labels))
    except ValueError as error:
        raise UserError(str(error)) from error
    return ImageWorldModel(encoder, predictor, recipe.train.loss, recipe.train.normalise_targets)
