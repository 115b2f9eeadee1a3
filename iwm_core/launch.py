"""Where a run is computed: the device, the Accelerator, and one process or several (through torchrun).

A process knows of its run only the directory: it reads ``config.yaml`` there, as a resume does.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import ProjectConfiguration

from iwm_core.config import Launch
from iwm_core.errors import UserError


def choose_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is the accelerator where there is one.

    Raises:
        UserError: there is no such device here.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        here = ["cpu", *([str(torch.accelerator.current_accelerator())] if torch.accelerator.is_available() else [])]
        raise UserError(f"launch.device={name} is not to be had here; use auto, or one of: {', '.join(here)}") from error
    return device


def make_accelerator(launch: Launch, folder: Path) -> Accelerator:
    """The Accelerator of this process, with the trackers that the recipe asks for.

    Raises:
        UserError: the device or a tracker is not to be had here.
    """
    device = choose_device(launch.device)
    for tracker in launch.trackers:
        if importlib.util.find_spec(tracker) is None:
            raise UserError(f"launch.trackers asks for {tracker}, which is not installed: pip install 'iwm-core[{tracker}]'")
    if "RANK" not in os.environ:
        # Accelerate keeps its state for the life of the process: a second run in it starts afresh. The environment tells it the device.
        AcceleratorState._reset_state(reset_partial_state=True)
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision="bf16" if launch.precision == "bf16" else "no",
        log_with=list(launch.trackers) or None,
        project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder)),
    )
    if launch.trackers:
        accelerator.init_trackers(
            "iwm", init_kwargs={"wandb": {"name": folder.name, "dir": str(folder)}} if "wandb" in launch.trackers else {}
        )
    return accelerator


def spawn(folder: Path, processes: int) -> int:
    """Run the training of ``folder`` in several processes; returns the exit status."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
        "-m",
        "iwm_core.worker",
        str(folder),
    ]
    return subprocess.run(command, check=False).returncode
