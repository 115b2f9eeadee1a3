"""Student, predictor and teacher in one module, so that one thing is saved and loaded (DESIGN §6)."""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from iwm_core.interfaces import Encoder, Predictor
from iwm_core.interfaces.errors import UserError
from iwm_core.model.actions import recipe_actions
from iwm_core.recipe.config import Recipe
from iwm_core.run.checkpoint import whole


class ImageWorldModel(nn.Module):
    """An encoder in training (student), its moving average (teacher), whose tokens may be layer-normalised, without affine, where they are
    predicted, and the predictor between their tokens."""

    def __init__(self, student: Encoder, predictor: Predictor, normalise_targets: bool = True) -> None:
        super().__init__()
        self.student = student
        self.predictor = predictor
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self.normalise_targets = normalise_targets
        self.places: list[tuple[dict[str, Any], dict[str, Any], str]] | None = None

    def targets(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The teacher's tokens as predictions are compared with them, in float32."""
        tokens = self.teacher(images).float()
        return F.layer_norm(tokens, tokens.shape[-1:]) if self.normalise_targets else tokens

    @torch.no_grad()
    def update_teacher(self, weight: Float[Tensor, ""]) -> None:
        """Move the teacher towards what is trained of the student by ``weight`` (1 - momentum); a weight of 0 leaves it."""
        lists: Any = torch  # its operations over lists, hundreds of tensors at a launch, are not in its stubs
        pairs = [(taught, own) for taught, own in self.parameters_in_pairs() if own.requires_grad]
        if pairs:
            teacher, student = map(list, zip(*pairs, strict=True))
            lists._foreach_add_(teacher, lists._foreach_mul(lists._foreach_sub(student, teacher), weight))

    def parameters_in_pairs(self) -> Iterable[tuple[Tensor, Tensor]]:
        """The teacher's and the student's. Where they stand is looked up once, as that takes as long as an update does."""
        if torch.compiler.is_compiling():  # which looks up once anyway
            return zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        if self.places is None:
            both = [(one._parameters, two._parameters) for one, two in zip(self.teacher.modules(), self.student.modules(), strict=True)]
            self.places = list({id(own[name]): (taught, own, name) for taught, own in both for name in own}.values())  # a shared one once
        return [(taught[name], own[name]) for taught, own, name in self.places if own[name] is not None]

    def train(self, mode: bool = True) -> "ImageWorldModel":
        """As usual, but the teacher never drops anything."""
        super().train(mode)
        self.teacher.eval()
        return self


def build_model(recipe: Recipe, restored: bool = False) -> ImageWorldModel:
    """The model of a recipe, initialised from the global generator; ``restored`` where a checkpoint's weights follow. A `UserError` where
    its parts do not fit together."""
    actions, default = recipe_actions(recipe), torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)  # whatever the caller computes with besides
    try:
        encoder = recipe.encoder.rebuild(recipe.image_size) if restored else recipe.encoder.build(recipe.image_size)
        predictor = recipe.predictor.build(encoder.width, encoder.grid, len(actions.labels))
    except ValueError as error:
        raise UserError(str(error)) from error
    except RuntimeError as error:
        if torch.get_default_device().type != "meta":
            raise
        why = str(error).splitlines()[0][:120]  # it is tried without memory: a tensor has more numbers than can be counted
        raise UserError(f"no such model can be made ({why}); choose smaller sizes of encoder and predictor") from error
    finally:
        torch.set_default_dtype(default)
    return ImageWorldModel(encoder, predictor, recipe.train.normalise_targets)


def gathered(model: ImageWorldModel, recipe: Recipe, here: bool, device: torch.device) -> ImageWorldModel:
    """A copy of a model that is divided among processes, which all call this; it has the weights where it is wanted ``here``."""
    weights, copied = whole(model.state_dict(), here), build_model(recipe, restored=True)
    if here:
        copied.load_state_dict(weights)
    return copied.to(device)
