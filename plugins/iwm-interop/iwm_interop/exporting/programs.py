"""Programs that need none of the model's code: `torch.export` and ONNX, for batches of any size, of images in [0, 1].

Decisions:
- The input's normalisation is a part of the program, so that nobody can get it wrong.
- ONNX weights above ``LARGEST`` bytes lie in a file beside the program, as the format's limit of 2 GiB demands.
"""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from iwm_interop.exporting.format import Exported, Format
from iwm_interop.exporting.quiet import quiet

LARGEST = 1 << 30
BATCH = {"images": {0: torch.export.Dim("batch", min=1)}}
"""The size of a batch is left open."""


class Program(nn.Module):
    """An encoder that takes images alone."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder(images)


class TorchExport(Format):
    """An exported program of torch."""

    name = "torch"
    takes = "images in [0, 1]"

    def write(self, exported: Exported, folder: Path) -> None:
        with quiet():
            program = torch.export.export(Program(exported.encoder), (exported.images(2),), dynamic_shapes=BATCH)
            for node in program.graph.nodes:
                node.meta.pop("stack_trace", None)  # it tells paths of this machine
            torch.export.save(program, folder / "model.pt2")

    def read(self, exported: Exported, folder: Path, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        return torch.export.load(folder / "model.pt2").module()(images)

    def lines(self, exported: Exported, folder: str) -> list[str]:
        return [
            "import torch",
            f'model = torch.export.load("{folder}/model.pt2").module()',
            "tokens = model(images)  # [b, n, d]; images [b, 3, h, w] in [0, 1]",
        ]


class Onnx(Format):
    """A program in ONNX."""

    name = "onnx"
    needs = ("onnx", "onnxscript", "onnxruntime")
    takes = "images in [0, 1]"

    def write(self, exported: Exported, folder: Path) -> None:
        size = sum(tensor.nbytes for tensor in exported.encoder.state_dict().values())
        with quiet():
            program: Any = torch.onnx.export(
                Program(exported.encoder),
                (exported.images(2),),
                input_names=["images"],
                output_names=["tokens"],
                dynamic_shapes=BATCH,
                dynamo=True,
                verbose=False,
            )
            strip(program.model)
            program.save(folder / "model.onnx", external_data=size > LARGEST)

    def read(self, exported: Exported, folder: Path, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])

    def lines(self, exported: Exported, folder: str) -> list[str]:
        return [
            "import onnxruntime",
            f'model = onnxruntime.InferenceSession("{folder}/model.onnx")',
            'tokens = model.run(None, {"images": images})[0]  # [b, n, d]; images: float32 array [b, 3, h, w] in [0, 1]',
        ]


def strip(model: Any) -> None:
    """Take out of an ONNX program what tells of this machine: traces with paths."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.metadata_props.clear()
