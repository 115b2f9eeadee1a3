"""timm: ``model.safetensors`` under timm's names, and the ``config.json`` by which timm builds the model from a folder or the Hub.

Decisions:
- Without class token, the model pools by the mean after its norm, as timm's own I-JEPA models do; `forward_features` gives the tokens.
- Fixed positions become the model's ``pos_embed``: timm has no fixed ones.
"""

import json
from pathlib import Path
from typing import Any

import timm
from safetensors.torch import save_file
from torch import Tensor

from iwm_interop.exporting.format import Exported, Format
from iwm_interop.exporting.parts import Part
from iwm_interop.exporting.vit import ViT


class Timm(Format):
    """A model of timm."""

    name = "timm"
    takes = "images normalised by mean and std of config.json"

    def write(self, exported: Exported, folder: Path) -> None:
        vit = ViT.of(exported, self.name)
        architecture, arguments = self.arguments(exported, vit)
        data = {
            "input_size": [3, exported.recipe.image_size, exported.recipe.image_size],
            "fixed_input_size": True,
            "interpolation": "bicubic",
        }
        config = {
            "architecture": architecture.partition(".")[0],
            "num_classes": 0,
            "num_features": vit.encoder.width,
            "global_pool": arguments["global_pool"],
            "model_args": arguments,
            "pretrained_cfg": {
                **data,
                "crop_pct": 1.0,
                **vit.statistics(),
                "num_classes": 0,
                "first_conv": "patch_embed.proj",
                "classifier": "head",
            },
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        save_file(vit.weights, folder / "model.safetensors", metadata={"format": "pt"})

    def read(self, exported: Exported, folder: Path, part: Part, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        vit = ViT.of(exported, self.name)
        model: Any = timm.create_model(f"local-dir:{folder}", pretrained=True)
        return (model.eval().forward_features(vit.normalised(*inputs))[:, model.num_prefix_tokens :],)

    def lines(self, exported: Exported, folder: str, part: Part) -> list[str]:
        return [
            "import timm",
            f'model = timm.create_model("local-dir:{folder}", pretrained=True).eval()',
            "tokens = model.forward_features(images)  # [b, n, d]; images normalised by model.pretrained_cfg",
        ]

    def arguments(self, exported: Exported, vit: ViT) -> tuple[str, dict[str, Any]]:
        """timm's name of the architecture, and what it is changed by."""
        own = {**vit.component.options(), "img_size": exported.recipe.image_size}
        pooled = {"global_pool": ""} if vit.own else {"pos_embed": "learn", "global_pool": "avg", "fc_norm": False}
        return vit.component.model, own | pooled
