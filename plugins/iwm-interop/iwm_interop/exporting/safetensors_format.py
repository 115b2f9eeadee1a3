"""safetensors: all weights under their own names, and the recipe that builds their modules; `iwm import` makes it a run again."""

import copy
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from iwm_core.run.plain import written_yaml
from iwm_interop.exporting.format import Exported, Format
from iwm_interop.exporting.parts import Part, as_tuple

RECIPE = "recipe.yaml"
"""What made the weights, and makes their modules."""


class Safetensors(Format):
    """Bare weights: those of the encoder begin with ``encoder.``, those of the predictor with ``predictor.``; those of a tuned
    model with ``model.backbone.`` and ``model.heads.``."""

    name = "safetensors"
    takes = (
        "images in [0, 1] where `iwm import` makes it a run again; modules of one's own have to normalise them and to add positions as"
        " the encoder of recipe.yaml does"
    )

    def parts(self, exported: Exported) -> list[Part]:
        return exported.parts

    def write(self, exported: Exported, folder: Path) -> None:
        weights = {name: tensor for part in exported.parts for name, tensor in part.module.state_dict().items()}
        plain = {name: tensor.clone().contiguous() for name, tensor in weights.items()}
        save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / RECIPE).write_text(written_yaml(exported.config), encoding="utf-8")

    def read(self, exported: Exported, folder: Path, part: Part, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        weights, module = load_file(folder / "model.safetensors"), copy.deepcopy(part.module)
        with torch.no_grad():
            for name, tensor in module.state_dict().items():
                tensor.fill_(float("nan") if tensor.is_floating_point() else 0)  # what is not in the file shows
                tensor.copy_(weights[name])
        return as_tuple(module(*inputs))

    def lines(self, exported: Exported, folder: str, part: Part) -> list[str]:
        first = next(iter(part.module.state_dict())).partition(".")[0]
        return [
            "from safetensors.torch import load_file",
            f'weights = load_file("{folder}/model.safetensors")',
            f'{first} = {{name: tensor for name, tensor in weights.items() if name.startswith("{first}.")}}',
        ]

    def loads(self, exported: Exported, folder: str) -> list[list[str]]:
        return [self.lines(exported, folder, exported.model)]
