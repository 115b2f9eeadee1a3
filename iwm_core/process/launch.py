"""Where a run is computed: the device, the Accelerator, and one process or several, which a plugin has started (`iwm_launchers`).

A process knows of its run only the directory and the overrides: it reads ``config.yaml`` there, as a resume does.
"""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, ProjectConfiguration, gather_object

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.memory import keep_freed_memory
from iwm_core.recipe.config import Launch


def choose_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is the accelerator where there is one. A `UserError` where there is no such device here."""
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # meta has no values
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        here = ["cpu", *([str(torch.accelerator.current_accelerator())] if torch.accelerator.is_available() else [])]
        raise UserError(f"launch.device={name} is not available here; use auto, or one of: {', '.join(here)}") from error
    return device


def make_accelerator(launch: Launch, folder: Path) -> Accelerator:
    """The Accelerator of this process, with the trackers that the recipe asks for; a `UserError` where the device or a tracker is not
    available here."""
    assert launch.precision != "auto", "decided when a run starts"
    device = choose_device(launch.device)
    if device.type == "cpu":
        keep_freed_memory()
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
        kwargs_handlers=[InitProcessGroupKwargs(init_method=meeting_place(device))] if "IWM_MEETING" in os.environ else [],
        log_with=list(launch.trackers) or None,
        project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder)),
    )
    if launch.trackers:
        accelerator.init_trackers(
            "iwm", init_kwargs={"wandb": {"name": folder.name, "dir": str(folder)}} if "wandb" in launch.trackers else {}
        )
    return accelerator


def meeting_place(device: torch.device) -> str:
    """The file by which processes find each other that were started with its name, as torch names it."""
    place = Path(os.environ["IWM_MEETING"]).as_uri()  # on CPUs, Accelerate itself adds who is asking
    return place if device.type == "cpu" else f"{place}?rank={os.environ['RANK']}&world_size={os.environ['WORLD_SIZE']}"


def agreement(accelerator: Accelerator) -> Callable[[int], int]:
    """A function that gives the largest of all processes' numbers to all of them; it can be called each step."""
    return starter().agreement() if accelerator.num_processes > 1 else lambda number: number


def first_reason(text: str) -> str:
    """The first text of all processes that is not empty."""
    return next(filter(None, gather_object([text])), "")


def processes_of(launch: Launch) -> int:
    """How many processes compute a run: as many as a launcher has started, or else as are asked for; a `UserError` where another number is
    asked for than was started."""
    started = int(os.environ.get("WORLD_SIZE", 1))
    if started > 1 and launch.processes not in (1, started):
        raise UserError(f"launch.processes={launch.processes}, but {started} processes were started; use launch.processes={started}")
    return max(started, launch.processes)


def starter() -> Any:
    """What starts several processes, of the one plugin that does; a `UserError` where no installed plugin does, or several do."""
    return load_plugins().only("iwm_launchers", "launch.processes has several processes started")


def check_devices(launch: Launch) -> None:
    """Check that there is the device that is asked for, or one for each process of this machine, and what starts these."""
    device, processes = choose_device(launch.device), int(os.environ.get("LOCAL_WORLD_SIZE", processes_of(launch)))
    if "WORLD_SIZE" not in os.environ and processes > 1:
        starter()
    if device.type == "cpu":
        return
    there = torch.accelerator.device_count()
    given = there == 1 and "LOCAL_WORLD_SIZE" in os.environ  # to each process its own, as srun may do
    if processes > there and not given:
        raise UserError(f"launch.processes={processes} needs a device for each, but there are {there}; use launch.processes={there}")
