"""What timm and transformers need to know of an encoder: that it is iwm-vit's, and its parts."""

from typing import Any, NamedTuple

from iwm_vit.encoder import TimmViT, ViTEncoder
from torch import Tensor

from iwm_core.interfaces.errors import UserError
from iwm_interop.exporting.format import Exported, refuse
from iwm_interop.published import Published


class ViT(NamedTuple):
    """An encoder of iwm-vit with the component that built it.

    Attributes:
        weights: timm's names, contiguous, each of its own memory; positions among them as ``pos_embed``, where there are any.
        own: the positions, and what comes before the patches, are the model's own.
    """

    component: TimmViT
    encoder: ViTEncoder
    weights: dict[str, Tensor]
    own: bool

    @classmethod
    def of(cls, exported: Exported, format: str) -> "ViT":
        """The parts.

        Raises:
            UserError: it is another encoder.
        """
        if exported.encoder is None:
            raise UserError(f"--format {format} has no place for heads on tokens; write --format torch, onnx or safetensors")
        component, encoder = exported.recipe.encoder, exported.encoder
        component = component.vit if isinstance(component, Published) else component
        if not isinstance(component, TimmViT) or not isinstance(encoder, ViTEncoder):
            raise refuse(format, f"takes encoder=vit, and this one is encoder={component.name}")
        weights = {name: tensor.detach().clone().contiguous() for name, tensor in encoder.vit.state_dict().items()}
        if encoder.positions is not None:
            weights["pos_embed"] = encoder.positions.detach().clone()
        return cls(component, encoder, weights, component.positions == "model")

    def statistics(self) -> dict[str, list[float]]:
        """Mean and standard deviation by which pixels are normalised, as exact as configs can say them."""
        return {name: [round(value, 7) for value in getattr(self.encoder, name).flatten().tolist()] for name in ("mean", "std")}

    def normalised(self, images: Any) -> Any:
        """Images in [0, 1] as the model's own files want them."""
        return (images - self.encoder.mean) / self.encoder.std
