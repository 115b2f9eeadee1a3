"""Checkpoints that are either whole or not there.

``checkpoints/step_N/`` holds ``model.safetensors`` (student, predictor, teacher), ``optimizer.safetensors`` and ``state.json``. It is
written under a temporary name, synced and renamed; ``checkpoints/latest`` names it last; old ones are pruned after. No pickle.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from iwm_core.errors import UserError
from iwm_core.files import sync, write_atomically


def save_checkpoint(folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any], keep: int) -> Path:
    """Write a checkpoint of ``model`` after ``step`` steps into ``folder`` (RUN/checkpoints).

    Raises:
        UserError: it cannot be written, such as on a full disk; older checkpoints are untouched.
    """
    final = folder / f"step_{step}"
    partial = folder / f".step_{step}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        save_file(whole(model.state_dict()), partial / "model.safetensors")
        save_file(whole(optimizer_tensors(model, optimizer)), partial / "optimizer.safetensors")
        (partial / "state.json").write_text(json.dumps({"step": step, **state}, indent=1), encoding="utf-8")
        for path in [*partial.iterdir(), partial]:
            sync(path)
        if final.exists():  # a step done again after a restart from an earlier checkpoint
            shutil.rmtree(final)
        partial.rename(final)
        sync(folder)
        write_atomically(folder / "latest", final.name)
    except (OSError, SafetensorError) as error:  # safetensors writes by itself and has its own exception for a full disk
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(
            f"cannot write checkpoint {final}: {getattr(error, 'strerror', None) or error}; "
            f"free some disk space, then iwm resume {folder.parent}"
        ) from error
    for old in saved_steps(folder)[:-keep]:
        shutil.rmtree(folder / f"step_{old}")
    return final


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in ``folder``, or None where there is none yet."""
    steps = saved_steps(folder)
    return folder / f"step_{steps[-1]}" if steps else None


def saved_steps(folder: Path) -> list[int]:
    """Steps of the complete checkpoints, ascending."""
    return sorted(int(path.name.removeprefix("step_")) for path in folder.glob("step_*") if path.name.removeprefix("step_").isdigit())


def load_weights(checkpoint: Path, model: nn.Module) -> None:
    """Load a checkpoint's weights into ``model``.

    Raises:
        UserError: the file is missing or damaged, or belongs to a model of another shape.
    """
    tensors = read_tensors(checkpoint / "model.safetensors")
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
    """Load the optimizer's moments; call it after `load_weights`.

    Raises:
        UserError: the file is missing or damaged, or lacks a parameter.
    """
    tensors = read_tensors(checkpoint / "optimizer.safetensors")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            keys = [key for key in tensors if key.startswith(f"{name}#")]
            if not keys:
                raise UserError(f"{checkpoint} has no optimizer state of {name}; use the config.yaml it was trained with")
            optimizer.state[parameter] = {
                key.rpartition("#")[2]: tensors[key] if key.endswith("#step") else tensors[key].to(parameter.device) for key in keys
            }
            if group.get("fused"):
                optimizer.state[parameter]["step"] = optimizer.state[parameter]["step"].to(parameter.device)


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The numbers in ``state.json``.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        return json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(damaged(checkpoint, error)) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(damaged(path.parent, error)) from error


def damaged(checkpoint: Path, error: Exception) -> str:
    """One line about a damaged checkpoint, naming the one to go back to."""
    folder = checkpoint.parent
    older = [step for step in saved_steps(folder) if f"step_{step}" != checkpoint.name]
    back = f"remove it to go back to step_{older[-1]}" if older else "remove it to start the run again from step 0"
    return f"checkpoint {checkpoint} is damaged ({' '.join(str(error).split())}); {back}"


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as ``<parameter>#<key>``."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {f"{names[id(p)]}#{key}": value for p, state in optimizer.state.items() for key, value in state.items()}


def whole(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU, none sharing memory with another, which safetensors needs."""
    return {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
