"""Where a run is computed: the device, the Accelerator, and one process or several.

Decisions:
- A process knows of its run only the directory and the overrides: it reads ``config.yaml`` there, as a resume does.
- Several processes of one machine meet by a file and speak by the loopback interface: torch's usual meeting place listens to the network.
- They are started here with the environment that torchrun would give them, not by torchrun: so a signal reaches the
  training, which ends with a checkpoint, and a user's mistake ends in one line.
"""

import importlib.util
import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, ProjectConfiguration, gather_object

from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.process.group import loopback
from iwm_core.process.jobs import python
from iwm_core.process.memory import keep_freed_memory
from iwm_core.process.shown import as_word
from iwm_core.process.signals import Children, named
from iwm_core.recipe.config import Launch


def choose_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is the accelerator where there is one.

    Raises:
        UserError: there is no such device here.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # meta has no values
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        here = ["cpu", *([str(torch.accelerator.current_accelerator())] if torch.accelerator.is_available() else [])]
        raise UserError(f"launch.device={name} is not to be had here; use auto, or one of: {', '.join(here)}") from error
    return device


def make_accelerator(launch: Launch, folder: Path) -> Accelerator:
    """The Accelerator of this process, with the trackers that the recipe asks for.

    Raises:
        UserError: the device or a tracker is not to be had here.
    """
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
    """The file by which the processes that `spawn` starts find each other, as torch names it."""
    place = Path(os.environ["IWM_MEETING"]).as_uri()  # on CPUs, Accelerate itself adds who is asking
    return place if device.type == "cpu" else f"{place}?rank={os.environ['RANK']}&world_size={os.environ['WORLD_SIZE']}"


def agreement(accelerator: Accelerator) -> Callable[[int], int]:
    """A function that gives the largest of all processes' numbers to all of them.

    The hosts ask one another (gloo), so that it can be called each step: no device is waited for.
    """
    if accelerator.num_processes == 1:
        return lambda number: number
    hosts: Any = torch.distributed.new_group(backend="gloo")

    def largest(number: int) -> int:
        shared = torch.tensor(number)
        torch.distributed.all_reduce(shared, torch.distributed.ReduceOp.MAX, group=hosts)
        return int(shared)

    return largest


def first_reason(text: str) -> str:
    """The first text of all processes that is not empty."""
    return next(filter(None, gather_object([text])), "")


def spawn(folder: Path, overrides: list[str], processes: int) -> int:
    """Run the training of ``folder`` in several processes; when one fails, so do all.

    Returns:
        The exit status: 0, or that of a process that has crashed and shown why.

    Raises:
        Stopped: a signal or a user's mistake ended the training.
    """
    environment = {**os.environ, **loopback(), "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    environment.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // processes, 1)))
    with tempfile.TemporaryDirectory() as temporary, Children() as children:
        files = [Path(temporary) / str(rank) for rank in range(processes)]
        for rank, file in enumerate(files):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "IWM_OUTCOME": str(file), "IWM_MEETING": f"{temporary}/meeting"}
            children.start([*python("iwm_core.worker"), str(folder), *overrides], env=environment | own, stdin=PIPE)
        while True:
            running, statuses = children.watch(), children.statuses()
            told = outcomes(files)  # after the statuses: a process tells first, then ends
            crashes = [status for rank, status in enumerate(statuses) if status and rank not in told]
            if not running or crashes or any(status == 2 for status, _ in told.values()):
                break
    if crashes:
        return crashed(folder, crashes[0], children.received)
    if told:
        status, text = min(told.values())  # a mistake, 2, before a stop, 130 or 143
        raise Stopped(text, status)
    return 0


def outcomes(files: list[Path]) -> dict[int, tuple[int, str]]:
    """Status and text of the processes that have told how they ended, by rank."""
    return {rank: tuple(json.loads(file.read_text(encoding="utf-8"))) for rank, file in enumerate(files) if file.exists()}


def crashed(folder: Path, status: int, received: int) -> int:
    """The exit status where a process has not told how it ended; a signal leaves no traceback, so it gets a line."""
    if status > 0:
        return status
    what = f"interrupted by {named(received)}" if received else f"a process was killed by {signal.Signals(-status).name}"
    raise Stopped(f"{what}; continue with `iwm resume {as_word(folder)}`", 128 + (received or -status))


def places(count: int) -> list[dict[str, str]]:
    """What jobs that run at a time add to their environments: each has a device of its own, or its share of the processor's cores.

    Raises:
        UserError: there are fewer devices.
    """
    if count == 1:
        return [{}]
    if not torch.cuda.is_available():
        return [{"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // count, 1)))}] * count
    there = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count())))).split(",")
    if count > len(there):
        raise UserError(f"--jobs {count} needs a device for each, but there are {len(there)}; use --jobs {len(there)}")
    return [{"CUDA_VISIBLE_DEVICES": one} for one in there[:count]]


def processes_of(launch: Launch) -> int:
    """How many processes compute a run: as many as a launcher has started, or else as are asked for.

    Raises:
        UserError: another number is asked for than was started.
    """
    started = int(os.environ.get("WORLD_SIZE", 1))
    if started > 1 and launch.processes not in (1, started):
        raise UserError(f"launch.processes={launch.processes}, but {started} processes were started; use launch.processes={started}")
    return max(started, launch.processes)


def check_devices(launch: Launch) -> None:
    """Check that there is the device that is asked for, or one for each process of this machine."""
    device, processes = choose_device(launch.device), int(os.environ.get("LOCAL_WORLD_SIZE", processes_of(launch)))
    if device.type == "cpu":
        return
    there = torch.accelerator.device_count()
    given = there == 1 and "LOCAL_WORLD_SIZE" in os.environ  # to each process its own, as srun may do
    if processes > there and not given:
        raise UserError(f"launch.processes={processes} needs a device for each, but there are {there}; use launch.processes={there}")
