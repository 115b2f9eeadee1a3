"""Processes that a launcher has started: who they are, what is refused, and that the first one leads."""

import threading
from types import SimpleNamespace

import pytest
import torch
from iwm_cluster import group

from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.process.launched import led

SRUN = {
    **{"SLURM_STEP_NUM_TASKS": "16", "SLURM_PROCID": "9", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "4012345", "SLURM_STEP_NUM_NODES": "2"},
    **{"SLURM_STEP_NODELIST": "node[03-04]", "SLURM_STEP_TASKS_PER_NODE": "8(x2)"},
}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (0, 1)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, (0, 1)),
        ({"RANK": "3", "WORLD_SIZE": "4", "ACCELERATE_MIXED_PRECISION": "no", "MASTER_PORT": "1"}, (3, 4)),
        ({"ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_DYNAMO_BACKEND": "NO"}, (0, 1)),  # accelerate launch of one process
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, (0, 1)),  # such as a shell
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, (0, 1)),  # in an sbatch file, without srun
        (SRUN, (9, 16)),
        ({**SRUN, "RANK": "0", "WORLD_SIZE": "2"}, (0, 2)),  # torchrun, started by srun
    ],
)
def test_a_process_knows_its_place(environment, expected):
    assert group.place(dict(environment)) == expected


@pytest.mark.parametrize(
    ("environment", "fix"),
    [
        ({"ACCELERATE_MIXED_PRECISION": "no", "MASTER_PORT": "29500"}, "write --multi_gpu in place of --cpu"),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, "mpirun has started 4 copies of this command, each for itself: use torchrun or srun"),
        ({"ACCELERATE_MIXED_PRECISION": "bf16"}, "write launch.precision=… after the verb"),
        ({"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4", "RANK": "0"}, "write launch.accumulate=…"),
        ({"ACCELERATE_USE_FSDP": "true", "RANK": "0"}, "ACCELERATE_USE_FSDP=true; leave it out there, and write launch.shard=…"),
        ({"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR"}, "write launch.compile=…"),
    ],
)
def test_what_a_launcher_did_not_start_or_would_change_is_refused(environment, fix):
    with pytest.raises(UserError) as told:
        group.place(environment)
    assert fix in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("node[03-05,07],x1", "node03"), ("gpu-a", "gpu-a"), ("rack[1-2]node[3-4]", "rack1node3"), ("a,b", "a"), ("n[7]", "n7")],
)
def test_tasks_of_srun_meet_at_the_first_node(nodes, first):
    told = group.of_srun({**SRUN, "SLURM_STEP_NODELIST": nodes})
    assert told == {
        **{"RANK": "9", "LOCAL_RANK": "1", "WORLD_SIZE": "16", "LOCAL_WORLD_SIZE": "8", "MASTER_ADDR": first, "MASTER_PORT": "32345"},
    }


def test_tasks_of_one_machine_speak_to_each_other_alone_and_what_is_set_stays():
    told = group.of_srun({**SRUN, "SLURM_STEP_NUM_NODES": "1", "MASTER_PORT": "5"})
    assert told["MASTER_ADDR"] == "127.0.0.1"
    assert told["GLOO_SOCKET_IFNAME"]
    assert told["MASTER_PORT"] == "5"


@pytest.fixture
def two(monkeypatch):
    """Two processes, as threads that share a store."""
    store = torch.distributed.HashStore()

    def make(self, rank, size):
        self.store, self.rank, self.size, self.words = store, rank, size, 0

    monkeypatch.setattr(group.Group, "__init__", make)
    monkeypatch.setattr(group, "place", lambda _: (0, 2))
    heard: list = []
    other = SimpleNamespace(heard=heard, take_part=lambda run, overrides: heard.append((run, overrides)), status=None)

    def follow():
        other.status = group.followed(group.Group(1, 2), other.take_part)

    other.thread = threading.Thread(target=follow)
    other.thread.start()
    yield other
    other.thread.join(timeout=20)
    assert not other.thread.is_alive()


def test_the_first_process_leads_and_the_others_take_part(two):
    def lead():
        (others,) = led
        others.announce("runs/a", ["launch.accumulate=2"])
        others.announce("runs/b", [])
        return 0

    assert group.together(lead, pytest.fail) == 0
    assert led == [], "it leads no more"
    assert two.heard == [("runs/a", ["launch.accumulate=2"]), ("runs/b", [])]


@pytest.mark.parametrize("error", [UserError("a mistake"), Stopped("by SIGUSR2", 140), ValueError("a fault")])
def test_others_end_well_however_the_first_one_ends(two, error):
    """A launcher ends all where one ends otherwise: the first one, whose status counts, would be killed before it has ended."""

    def take_part(run, overrides):
        raise Stopped("they have stopped, too", 140)

    def lead():
        led[0].announce("runs/a", [])
        raise error

    two.take_part = take_part
    with pytest.raises(type(error)):
        group.together(lead, pytest.fail)
    two.thread.join(timeout=20)
    assert two.status == 0
