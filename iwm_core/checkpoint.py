"""Checkpoints that are either whole or not there.

``checkpoints/step_N/`` holds ``model.safetensors`` (student, predictor, teacher), ``optimizer.safetensors`` and ``state.json``. It is
written under a temporary name, synced and renamed; ``checkpoints/latest`` names it last; old ones are pruned after. No pickle.

What is read is checked: ``state.json`` holds its own checksum, those of the tensors' files, and that of the ``config.yaml`` it was trained
with (see `iwm_core.stored`; earlier versions wrote none, and are believed). Nothing falls back to an older checkpoint by itself.
"""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from iwm_core.errors import UserError
from iwm_core.files import cause, remedy, sync, write_atomically
from iwm_core.stored import FORMAT, Damaged, check_folder, checksum_of_file, read_json, read_seal, sealed

TENSORS = ("model.safetensors", "optimizer.safetensors")


class State(TypedDict):
    """The numbers in ``state.json``.

    Attributes:
        step, steps: done, and of the whole training.
        images: training images.
        seconds: of training, over all resumes.
        outputs, peak_memory: of a tuning: the outputs of each task's head; bytes.
        checksum, checksums: of this record, and of the tensors' files.
        config: checksum of the config.yaml that it was trained with.
    """

    step: int
    steps: int
    images: NotRequired[int]
    seconds: NotRequired[float]
    outputs: NotRequired[dict[str, list[str]]]
    peak_memory: NotRequired[int]
    checksum: NotRequired[str]
    checksums: NotRequired[dict[str, str]]
    config: NotRequired[str | None]


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
        told = {"format": FORMAT, "step": step, **state, "checksums": {name: checksum_of_file(partial / name) for name in TENSORS}}
        told["config"] = read_seal(folder.parent / "config.yaml")
        described = partial / "state.json"
        described.write_text(json.dumps(sealed(told), indent=1), encoding="utf-8")
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
        raise UserError(f"cannot write checkpoint {final}: {cause(error)}; {remedy(error)}, then iwm resume {folder.parent}") from error
    for old in saved_steps(folder)[:-keep]:
        shutil.rmtree(folder / f"step_{old}")
    return final


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in ``folder``, or None where there is none yet."""
    steps = saved_steps(folder)
    return folder / f"step_{steps[-1]}" if steps else None


def saved_steps(folder: Path) -> list[int]:
    """Steps of the complete checkpoints, ascending."""
    return sorted(step for step in (step_of(path.name) for path in folder.glob("step_*")) if step >= 0)


def step_of(name: str) -> int:
    """The step in a checkpoint's name; -1 where it is none."""
    return int(name.removeprefix("step_")) if re.fullmatch(r"step_(0|[1-9][0-9]{0,17})", name) else -1


def load_weights(checkpoint: Path, model: nn.Module) -> None:
    """Load a checkpoint's weights into ``model``.

    Raises:
        UserError: the file is missing or damaged, or belongs to a model of another shape.
    """
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
    """Load the optimizer's moments; call it after `load_weights`.

    Raises:
        UserError: the file is missing or damaged, or lacks a parameter.
    """
    tensors = read_tensors(checkpoint, "optimizer.safetensors")
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


def read_state(checkpoint: Path, *needed: str) -> dict[str, Any]:
    """The numbers in ``state.json``; ``needed`` are those that must be there besides the steps.

    Raises:
        Damaged: the file is missing or damaged, or of another step or recipe than the folder's.
    """
    path, back = checkpoint / "state.json", way_back(checkpoint)
    check_folder(checkpoint.parent)
    check_folder(checkpoint, back)
    state: dict[str, Any] = read_json(path, State, back)
    lacking = [key for key in (*needed, *(("checksum",) if "checksums" in state else ())) if key not in state]
    if lacking:
        raise Damaged(path, f"is damaged (it lacks {lacking[0]})", back)
    if step_of(checkpoint.name) >= 0 and checkpoint.name != f"step_{state['step']}":
        raise Damaged(path, f"is of step {state['step']}, not of its folder's", back)
    config = checkpoint.parent.parent / "config.yaml"
    trained, now = state.get("config"), read_seal(config)
    if trained and now and trained != now:
        raise Damaged(path, f"is of another recipe than {config}", "put back the config.yaml and the checkpoints that belong together")
    return state


def read_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """All tensors of one of a checkpoint's files, once its checksum is found right.

    Raises:
        Damaged: it is missing or damaged.
    """
    path, back = checkpoint / name, way_back(checkpoint)
    expected = read_state(checkpoint).get("checksums", {}).get(name)
    found = checksum_of_file(path, back)
    if expected not in (None, found):
        raise Damaged(path, f"is damaged (its checksum is {found}, not {expected})", back)
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise Damaged(path, f"is damaged ({error})", back) from error


def way_back(checkpoint: Path) -> str:
    """What to do where a checkpoint is damaged: the command that goes on from another, an older one if there is."""
    folder = checkpoint.parent
    others = [f"step_{step}" for step in saved_steps(folder) if f"step_{step}" != checkpoint.name]
    if not others:
        return f"there is no other checkpoint: remove {checkpoint} to start the run again from step 0"
    before = [name for name in others if step_of(name) < step_of(checkpoint.name)]
    return f"go on from another checkpoint with `iwm resume {shlex.quote(str(folder.parent))} checkpoint={(before or others)[-1]}`"


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as ``<parameter>#<key>``."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {f"{names[id(p)]}#{key}": value for p, state in optimizer.state.items() for key, value in state.items()}


def whole(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU, none sharing memory with another, which safetensors needs."""
    return {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
