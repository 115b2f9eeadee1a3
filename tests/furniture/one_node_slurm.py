"""A SLURM of one node, with munge, in a folder of its own: for tests, where slurmctld, slurmd and munged are installed.

Decisions:
- Ports, keys, sockets and state are its own, so that it disturbs no other; all of it ends with the context.
- It needs neither cgroups nor accounts nor a database, and may have more tasks than the machine has cores.
"""

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
PATIENCE = 30.0

CONFIG = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
MinJobAge=300
KillWait=5
SchedulerParameters=batch_sched_delay=1,bf_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> list[str]:
    """What is not installed of SLURM and munge."""
    return [name for name in DAEMONS if shutil.which(name) is None]


@contextlib.contextmanager
def one_node_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """While entered, a SLURM runs; gives the environment in which its commands find it."""
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key, config = folder / "munge.key", folder / "slurm.conf"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    config.write_text(CONFIG.format(host=host, user=getpass.getuser(), folder=folder, ports=free_ports()))
    environment = {**os.environ, "SLURM_CONF": str(config)}
    places = [f"--key-file={key}", *(f"--{name}={folder}/munge.{name[:-5]}" for name in ("pid-file", "log-file", "seed-file"))]
    commands = (
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *places],
        ["slurmctld", "-D", "-f", str(config)],
        ["slurmd", "-D", "-f", str(config), "-N", host],
    )
    with contextlib.ExitStack() as daemons, (folder / "daemons.log").open("w") as log:
        for command in commands:
            process = daemons.enter_context(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            daemons.callback(process.terminate)
            if command is commands[0]:
                wait_until((folder / "munge.socket").exists, folder)
        wait_until(lambda: ask(environment, "sinfo", "--noheader", "--format=%T") == "idle", folder)
        yield environment


def free_ports() -> list[int]:
    """Two ports that nobody listens to."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], other.getsockname()[1]]


def ask(environment: dict[str, str], *command: str) -> str:
    """What a command of SLURM's says."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


def wait_until(true, folder: Path, seconds: float = PATIENCE) -> None:
    """Wait for something to become true.

    Raises:
        TimeoutError: it does not, with the last lines of SLURM's logs.
    """
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise TimeoutError("\n".join(line for log in folder.glob("*.log") for line in log.read_text().splitlines()[-5:]))
        time.sleep(0.1)
