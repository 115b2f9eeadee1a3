"""Programs that need none of the model's code: `torch.export` and ONNX, for batches of any size, of images in [0, 1].

Decisions:
- The input's normalisation is a part of the program, so that nobody can get it wrong; so are the heads of a tuned model.
- The predictor of a world model is a program of its own beside the encoder's: tokens and an action to tokens.
- ONNX weights above ``LARGEST`` bytes lie in a file beside the program, as the format's limit of 2 GiB demands.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iwm_core.interfaces.errors import UserError
from iwm_interop.exporting.format import Exported, Format
from iwm_interop.exporting.parts import Part, as_tuple
from iwm_interop.exporting.quiet import quiet

LARGEST = 1 << 30


def any_batch(part: Part) -> tuple[dict[int, Any], ...]:
    """The size of a batch is left open, and is the same for all inputs."""
    batch = torch.export.Dim("batch", min=1)
    return tuple({0: batch} for _ in part.takes)


@contextmanager
def made_a_program(format: str, part: Part) -> Iterator[None]:
    """Quietly, and with one line for what cannot be traced.

    Raises:
        UserError: the exporter has failed, such as on a module whose steps depend on its numbers.
    """
    try:
        with quiet(), torch.no_grad():
            yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # an exporter raises whatever it likes
        why = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(
            f"--format {format} cannot make a program of the {part.name} ({why}); --format safetensors takes any model"
        ) from error


def called(part: Part) -> str:
    """The inputs in a call."""
    return ", ".join(part.takes)


class TorchExport(Format):
    """An exported program of torch."""

    name = "torch"
    takes = "images in [0, 1]"

    def parts(self, exported: Exported) -> list[Part]:
        return exported.parts

    def write(self, exported: Exported, folder: Path) -> None:
        for part in exported.parts:
            with made_a_program(self.name, part):
                program = torch.export.export(part.module, part.inputs(2, 0), dynamic_shapes=any_batch(part))
                for node in program.graph.nodes:
                    node.meta.pop("stack_trace", None)  # it tells paths of this machine
                torch.export.save(program, folder / f"{part.name}.pt2")

    def read(self, exported: Exported, folder: Path, part: Part, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return as_tuple(torch.export.load(folder / f"{part.name}.pt2").module()(*inputs))

    def lines(self, exported: Exported, folder: str, part: Part) -> list[str]:
        return [
            "import torch",
            f'{part.name} = torch.export.load("{folder}/{part.name}.pt2").module()',
            f"{', '.join(part.gives)} = {part.name}({called(part)})  # {part.told}",
        ]


class Onnx(Format):
    """A program in ONNX."""

    name = "onnx"
    needs = ("onnx", "onnxscript", "onnxruntime")
    takes = "images in [0, 1]"

    def parts(self, exported: Exported) -> list[Part]:
        return exported.parts

    def write(self, exported: Exported, folder: Path) -> None:
        for part in exported.parts:
            size = sum(tensor.nbytes for tensor in part.module.state_dict().values())
            with made_a_program(self.name, part):
                program: Any = torch.onnx.export(
                    part.module,
                    part.inputs(2, 0),
                    input_names=list(part.takes),
                    output_names=list(part.gives),
                    dynamic_shapes=any_batch(part),
                    dynamo=True,
                    verbose=False,
                )
                strip(program.model)
                program.save(folder / f"{part.name}.onnx", external_data=size > LARGEST)

    def read(self, exported: Exported, folder: Path, part: Part, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(folder / f"{part.name}.onnx"), providers=["CPUExecutionProvider"])
        given = {name: tensor.numpy() for name, tensor in zip(part.takes, inputs, strict=True)}
        return tuple(torch.from_numpy(output) for output in session.run(list(part.gives), given))

    def lines(self, exported: Exported, folder: str, part: Part) -> list[str]:
        given = ", ".join(f'"{name}": {name}' for name in part.takes)
        outputs = f"{', '.join(part.gives)}{',' if len(part.gives) == 1 else ''}"
        return [
            "import onnxruntime",
            f'{part.name} = onnxruntime.InferenceSession("{folder}/{part.name}.onnx")',
            f"{outputs} = {part.name}.run(None, {{{given}}})  # float32 arrays; {part.told}",
        ]


def strip(model: Any) -> None:
    """Take out of an ONNX program what tells of this machine: traces with paths."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.metadata_props.clear()
