"""safetensors: the weights of encoder and predictor under their own names, and the settings that build their modules."""

from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from iwm_interop.exporting.format import Exported, Format


class Safetensors(Format):
    """Bare weights: those of the encoder begin with ``encoder.``, those of the predictor with ``predictor.``."""

    name = "safetensors"
    takes = "images in [0, 1], by modules of one's own"

    def write(self, exported: Exported, folder: Path) -> None:
        parts = {"encoder": exported.encoder, "predictor": exported.predictor}
        weights = {f"{part}.{name}": tensor for part, module in parts.items() for name, tensor in module.state_dict().items()}
        save_file(
            {name: tensor.clone().contiguous() for name, tensor in weights.items()}, folder / "model.safetensors", metadata={"format": "pt"}
        )

    def read(self, exported: Exported, folder: Path, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        weights = load_file(folder / "model.safetensors")
        with torch.random.fork_rng(devices=[]):
            encoder = exported.recipe.encoder.rebuild(exported.recipe.image_size)
        encoder.load_state_dict({name.removeprefix("encoder."): tensor for name, tensor in weights.items() if name.startswith("encoder.")})
        return encoder.eval()(images)

    def lines(self, exported: Exported, folder: str) -> list[str]:
        return [
            "from safetensors.torch import load_file",
            f'weights = load_file("{folder}/model.safetensors")',
            'encoder = {name: tensor for name, tensor in weights.items() if name.startswith("encoder.")}',
        ]
