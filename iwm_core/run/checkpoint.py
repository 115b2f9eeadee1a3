"""Checkpoints that are either whole or not there.

``checkpoints/step_N/`` holds ``model.safetensors`` (student, predictor, teacher), ``optimizer.safetensors`` and ``state.json``. It is
written under a temporary name, synced and renamed; ``checkpoints/latest`` names it last; old ones are pruned after. No pickle.

What is read is checked: ``state.json`` holds its own checksum, those of the tensors' files, and that of the ``config.yaml`` it was trained
with (see `iwm_core.run.stored`; earlier versions wrote none, and are believed). Nothing falls back to an older checkpoint by itself.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from iwm_core.interfaces.errors import UserError
from iwm_core.process.shown import as_word
from iwm_core.run.files import cause, remedy, sync, write_atomically, writing
from iwm_core.run.saved import read_state, saved_steps, way_back
from iwm_core.run.stored import FORMAT, Damaged, checksum_of_file, owned, sealed

TENSORS = ("model.safetensors", "optimizer.safetensors")


def save_checkpoint(
    folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any], keep: int, writes: bool = True
) -> Path:
    """Write a checkpoint of ``model`` after ``step`` steps into ``folder`` (RUN/checkpoints).

    Of a model that is divided among processes, all call this, and one of them writes.

    Raises:
        UserError: it cannot be written, such as on a full disk; older checkpoints are untouched.
    """
    final = folder / f"step_{step}"
    if not writes:
        for parts in (model.state_dict(), optimizer_tensors(model, optimizer)):
            whole(parts, kept=False)
        return final
    partial = folder / f".step_{step}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        save_file(whole(model.state_dict()), partial / "model.safetensors")
        save_file(whole(optimizer_tensors(model, optimizer)), partial / "optimizer.safetensors")
        told = {"format": FORMAT, "step": step, **state, "checksums": {name: checksum_of_file(partial / name) for name in TENSORS}}
        described = partial / "state.json"
        described.write_text(json.dumps(sealed(owned(told, folder.parent / "config.yaml")), indent=1), encoding="utf-8")
        for path in partial.iterdir():
            path.chmod(described.stat().st_mode)  # safetensors closes its files to others, whatever the umask
            sync(path)
        sync(partial)
        if final.exists():  # a step done again after a restart from an earlier checkpoint
            shutil.rmtree(final)
        partial.rename(final)
        sync(folder)
        write_atomically(folder / "latest", final.name)
    except (OSError, SafetensorError) as error:  # safetensors writes by itself and has its own exception for a full disk
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(
            f"cannot write checkpoint {final}: {cause(error)}; {remedy(error)}, then iwm resume {as_word(folder.parent)}"
        ) from error
    with writing(folder, "remove old checkpoints from"):
        for old in saved_steps(folder)[:-keep]:
            shutil.rmtree(folder / f"step_{old}")
    return final


def load_weights(checkpoint: Path, model: nn.Module) -> None:
    """Load a checkpoint's weights into ``model``; a `UserError` where the file is missing or damaged, or belongs to a model of another
    shape."""
    tensors = read_tensors(checkpoint, "model.safetensors")
    own = model.state_dict()
    other = sorted(
        {name for name in own if name not in tensors or tensors[name].shape != own[name].shape}
        | {name for name in tensors if name not in own}
    )
    if other:
        name = other[0]
        shapes = [str(tuple(t[name].shape)) if name in t else "absent" for t in (tensors, own)]
        raise UserError(
            f"{checkpoint} holds another model: {len(other)} tensors differ, such as {name} "
            f"({shapes[0]} in the file, {shapes[1]} in the recipe); use the config.yaml it was trained with"
        )
    model.load_state_dict(tensors)


def load_optimizer(checkpoint: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Load the optimizer's moments; call it after `load_weights`. A `UserError` where the file is missing or damaged, or lacks a
    parameter."""
    tensors = read_tensors(checkpoint, "optimizer.safetensors")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            keys = [key for key in tensors if key.startswith(f"{name}#")]
            if not keys:
                raise UserError(f"{checkpoint} has no optimizer state of {name}; use the config.yaml it was trained with")
            optimizer.state[parameter] = {
                key.rpartition("#")[2]: tensors[key] if key.endswith("#step") else placed_as(parameter, tensors[key]) for key in keys
            }
            if group.get("fused"):
                optimizer.state[parameter]["step"] = optimizer.state[parameter]["step"].to(parameter.device)


def read_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """All tensors of one of a checkpoint's files, once its checksum is found right; `Damaged` where it is missing or damaged."""
    path, back = checkpoint / name, way_back(checkpoint)
    expected = read_state(checkpoint).get("checksums", {}).get(name)
    found = checksum_of_file(path, back)
    if expected not in (None, found):
        raise Damaged(path, f"is damaged (its checksum is {found}, not {expected})", back)
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise Damaged(path, f"is damaged ({error})", back) from error


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as ``<parameter>#<key>``."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {f"{names[id(p)]}#{key}": value for p, state in optimizer.state.items() for key, value in state.items()}


def placed_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """A tensor on a parameter's device; of one that is divided among processes, this one's part."""
    tensor = tensor.to(parameter.device)
    if isinstance(parameter, DTensor):
        return distribute_tensor(tensor, parameter.device_mesh, parameter.placements, src_data_rank=None)
    return tensor


def whole(tensors: dict[str, Tensor], kept: bool = True) -> dict[str, Tensor]:
    """Contiguous copies on the CPU, none sharing memory with another, which safetensors needs; where not ``kept``, only the parts are
    given to the processes that ask for them."""
    copies = {}
    for name, tensor in tensors.items():
        full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        if kept:
            copies[name] = full.detach().cpu().clone(memory_format=torch.contiguous_format)
    return copies
