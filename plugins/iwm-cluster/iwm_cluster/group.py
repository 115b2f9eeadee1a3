"""The processes of a run where somebody else has started them: torchrun, ``accelerate launch`` or srun, on one machine or on several.

Decisions:
- All of them run the same command. The first one carries it out, the others ask it what there is to train and take their part in that: what
  is composed, checked and made is made once, a mistake is told once, and any verb that trains can be started so.
- They meet at a store of torch's (MASTER_ADDR, MASTER_PORT), which needs no device: which one is used is known to a run's config alone.
- The others end after the first, which may be writing a checkpoint: launchers end all when one has ended.
- srun sets no variable that torch reads; it is told by those that it sets. Copies of a command that cannot find each other are refused.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from iwm_cluster.children import loopback
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.process.launched import led
from iwm_core.process.signals import Stop

TOGETHER = timedelta(minutes=10)
"""What processes wait for each other when they start: nodes of a cluster are not ready at once."""

HEARD = 10.0
"""Seconds that the first process waits until the others have heard that it ends."""

WISHES = {
    "ACCELERATE_MIXED_PRECISION": "launch.precision",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "launch.accumulate",
    "ACCELERATE_DYNAMO_BACKEND": "launch.compile",
    "ACCELERATE_USE_FSDP": "launch.shard",
    **dict.fromkeys(("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_MEGATRON_LM"), "launch.KEY"),
}
"""What `accelerate launch` can be asked for that changes what is computed, and the settings that a run keeps in its place."""


class Group:
    """The processes of a launcher, as this one sees them: ``size``, of which it is number ``rank``.

    Raises:
        UserError: they do not find each other.
    """

    def __init__(self, rank: int, size: int) -> None:
        from torch.distributed import DistError
        from torch.distributed.rendezvous import rendezvous

        try:
            self.store = next(iter(rendezvous("env://", timeout=TOGETHER)))[0]
        except (DistError, KeyError, ValueError) as error:
            place = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
            raise UserError(
                f"the {size} processes do not meet at {place} ({str(error).splitlines()[0]}); name another MASTER_PORT"
            ) from error
        self.rank, self.size, self.words = rank, size, 0

    def announce(self, run: str, overrides: list[str]) -> None:
        """Have the others take part in a training that begins here."""
        self.say({"run": run, "overrides": overrides})

    def say(self, word: dict[str, Any]) -> None:
        """Tell the others the next word."""
        self.store.set(f"iwm/{self.words}", json.dumps(word))
        self.words += 1

    def hear(self) -> dict[str, Any]:
        """Wait for the next word of the first process, which may be busy for hours; an empty one is its last."""
        from torch.distributed import DistError

        key = f"iwm/{self.words}"
        self.words += 1
        try:
            while not self.store.check([key]):
                time.sleep(0.1)
            return json.loads(self.store.get(key))
        except DistError as error:
            raise Stopped("the first process is gone", 1) from error

    def dismiss(self) -> None:
        """End the others; the store lasts until they have heard."""
        self.say({})
        until = time.monotonic() + HEARD
        while self.store.add("iwm/heard", 0) < self.size - 1 and time.monotonic() < until:
            time.sleep(0.02)


def together(lead: Callable[[], int], take_part: Callable[[str, list[str]], int]) -> int:
    """Carry out a command, ``lead``, once, in whatever processes; the others ``take_part`` in each training by its run and overrides.

    Returns:
        The exit status; 0 for those that follow: launchers end all when one ends otherwise, and the first one has yet to end.

    Raises:
        UserError: processes were asked for that are not there, or cannot find each other.
    """
    rank, size = place(os.environ)
    if size == 1:
        return lead()
    group = Group(rank, size)
    return leading(group, lead) if rank == 0 else followed(group, take_part)


def leading(group: Group, lead: Callable[[], int]) -> int:
    """The first process's part."""
    led.append(group)
    try:
        return lead()
    finally:
        led.remove(group)
        group.dismiss()


def followed(group: Group, take_part: Callable[[str, list[str]], int]) -> int:
    """Another process's part. A signal that comes meanwhile has reached the first one, too, which knows what to do."""
    with Stop():
        while word := group.hear():
            with suppress(Stopped):  # all have stopped after the same step, as the first one says
                take_part(word["run"], word["overrides"])
    group.store.add("iwm/heard", 1)
    return 0


def place(environment: Any) -> tuple[int, int]:
    """Which process this is, and of how many; where srun has started them, the environment is told how to meet.

    Raises:
        UserError: a launcher has started fewer processes than it was asked for, or copies that cannot find each other.
    """
    if "RANK" not in environment:
        if int(environment.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
            environment.update(of_srun(environment))
        else:
            check_alone(environment)
    check_wishes(environment)
    return int(environment.get("RANK", 0)), int(environment.get("WORLD_SIZE", 1))


def of_srun(environment: Mapping[str, str]) -> dict[str, str]:
    """What torch reads of a task of srun's; who has set a part of it, such as another MASTER_PORT, is left to it."""
    alone = environment.get("SLURM_STEP_NUM_NODES") == "1"
    first = re.sub(r"\[(\d+)[^\]]*\]", r"\1", environment["SLURM_STEP_NODELIST"]).split(",")[0]  # node[03-05,07] begins with node03
    wanted = {
        "RANK": environment["SLURM_PROCID"],
        "LOCAL_RANK": environment["SLURM_LOCALID"],
        "WORLD_SIZE": environment["SLURM_STEP_NUM_TASKS"],
        "LOCAL_WORLD_SIZE": re.split(r"[(,]", environment["SLURM_STEP_TASKS_PER_NODE"])[0],  # 8(x2) on two nodes
        "MASTER_ADDR": first,
        "MASTER_PORT": str(20_000 + int(environment["SLURM_JOB_ID"]) % 40_000),
        **(loopback() if alone else {}),
    }
    return wanted | {name: environment[name] for name in wanted if name in environment}


def check_alone(environment: Mapping[str, str]) -> None:
    """Refuse to be the only process where several were asked for, or one of several that each know nothing of the others."""
    if {"ACCELERATE_MIXED_PRECISION", "MASTER_PORT"} <= environment.keys():  # the second is set for several alone
        raise UserError(
            "accelerate launch was asked for several processes and has started one, as it does with --cpu: "
            "write --multi_gpu in place of --cpu, with launch.device=cpu after the verb, or use torchrun"
        )
    for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"):
        if int(environment.get(name, 1)) > 1:
            raise UserError(f"mpirun has started {environment[name]} copies of this command, each for itself: use torchrun or srun")


def check_wishes(environment: Mapping[str, str]) -> None:
    """Refuse what would change the results of a run, or how it is computed, without being written in its config."""
    for name, key in WISHES.items():
        if (value := environment.get(name, "no")).lower() not in ("no", "false", "1"):
            raise UserError(
                f"accelerate launch sets {name}={value}; leave it out there, and write {key}=… after the verb, which the run keeps"
            )
