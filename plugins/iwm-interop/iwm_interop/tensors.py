"""Reads a file of weights without running anything of it: tensors, numbers and texts, or it is refused.

Decisions:
- ``weights_only=True``: whatever a stranger's pickle would call is not called. The file is mapped into memory, so that an optimizer's
  moments, which lie beside the weights in the published files, are not read.
- Weights are kept as float32, which holds every float16 and bfloat16 exactly. Other types are refused: float64 would be rounded.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from iwm_core.interfaces.errors import UserError

EXACT = (torch.float32, torch.float16, torch.bfloat16)
"""Types that float32 holds exactly."""


def read_file(path: Path) -> dict[str, Any]:
    """What a file of `torch.save`, or of safetensors, holds by its names.

    Raises:
        UserError: it is none, is damaged, or holds more than tensors, numbers and texts.
    """
    if path.suffix == ".safetensors":
        try:
            return dict[str, Any](load_file(path))
        except (OSError, SafetensorError, ValueError) as error:
            raise UserError(
                f"{path} is no file of safetensors, or is damaged ({' '.join(str(error).split())[:120]}); fetch it again"
            ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # a damaged or hostile pickle raises whatever it likes
        cause = " ".join(str(error).split())
        if "weights_only" in cause or "Unsupported" in cause:
            raise UserError(
                f"{path} holds more than tensors, and is not unpickled: it could run anything; save its state_dict alone"
            ) from error
        raise UserError(f"{path} is no file of torch.save, or is damaged ({cause[:120]}); fetch it again") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds a {type(content).__name__}, not weights by their names; save its state_dict")
    return dict(content)


def weights_of(content: dict[str, Any], part: str) -> dict[str, Tensor]:
    """One state dict of a file: finite floats by their keys, without the ``module.`` that distributed training puts before all.

    Raises:
        UserError: it is not there, or holds what is no weight; the line names the key.
    """
    if part not in content:
        raise UserError(f"the file lacks {part!r}; it has {', '.join(map(repr, content)) or 'nothing'}")
    found = content[part]
    if not isinstance(found, Mapping) or not found:
        raise UserError(f"{part!r} of the file holds no weights by their names")
    return checked(found, part)


def repeated(tensor: Tensor) -> bool:
    """Whether a tensor has more numbers than its file: a few bytes would stand for as much memory as somebody likes."""
    return (
        not tensor.is_meta and tensor.layout is torch.strided and tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes()
    )


def checked(found: Mapping[Any, Any], part: str) -> dict[str, Tensor]:
    """Weights by their keys, once they are found to be finite floats; ``part`` is where they lie in the file, or empty.

    Raises:
        UserError: a key holds what is no weight.
    """
    before = f"{part}." if part else ""
    bare = [key for key in found if not str(key).startswith("module.")]
    if bare and len(bare) < len(found):
        raise UserError(f"{before}{bare[0]} lacks the module. that other keys of it begin with")
    weights = {str(key).removeprefix("module."): tensor for key, tensor in found.items()}
    for key, tensor in weights.items():
        if not isinstance(tensor, Tensor) or tensor.dtype not in EXACT or tensor.layout is not torch.strided or repeated(tensor):
            more = ", a few numbers repeated" if isinstance(tensor, Tensor) and repeated(tensor) else ""
            what = f"{tensor.dtype}, {tensor.layout}{more}" if isinstance(tensor, Tensor) else type(tensor).__name__
            raise UserError(f"{before}{key} is no dense tensor of float32, float16 or bfloat16 ({what})")
        if not tensor.is_meta and not tensor.isfinite().all():
            raise UserError(f"{before}{key} holds numbers that are not finite")
    return weights
