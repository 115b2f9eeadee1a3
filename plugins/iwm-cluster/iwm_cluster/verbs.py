"""The verbs ``train -m`` and ``submit``: what their help says, what they take, and where they are carried out."""

from dataclasses import dataclass
from pathlib import Path

from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """The switch of verbs that start several jobs (`iwm_cluster.jobs.run_jobs`)."""

    jobs: int = option(1, "run as many jobs at a time, each on a device of its own", low=1, high=1000, value="4")


MOST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Submit:
    """The switches of ``iwm submit``; what is None, the scheduler decides."""

    partition: str | None = option(None, "where the job runs", value="NAME")
    account: str | None = option(None, "whom its time is charged to", value="NAME")
    qos: str | None = option(None, "its quality of service", value="NAME")
    constraint: str | None = option(None, "what its nodes must have", value="FEATURE")
    gres: str | None = option(None, "what it needs of each node besides", value="gpu:a100:4")
    mem: str | None = option(None, "memory of each node", value="64G")
    exclude: str | None = option(None, "nodes that it leaves alone", value="NODES")
    nodelist: str | None = option(None, "nodes that it runs on", value="NODES")
    reservation: str | None = option(None, "a reservation that it runs in", value="NAME")
    nodes: int = option(1, "how many", low=1, high=MOST)
    ntasks_per_node: int | None = option(
        None, "processes per node; one per GPU where --gpus-per-node is given", low=1, high=MOST, value="8"
    )
    gpus_per_node: int | None = option(None, "GPUs of a node", low=1, high=MOST, value="8")
    cpus_per_task: int | None = option(None, "cores of a process", low=1, high=MOST, value="9")
    time: str = option("24:00:00", "how long the job may take at once: 8:00:00, or 2-12 for days and hours")
    warning: int = option(
        120, "seconds before that at which it is warned: it writes a checkpoint, is queued again, goes on", low=1, high=MOST
    )
    requeues: int = option(20, "how often it may be queued again", low=1, high=MOST)
    setup: tuple[str, ...] = option((), "a command before it begins; may be given several times", value="'module load cuda'")
    logs: Path = option(Path("runs/jobs"), "the folder of what jobs say")
    cluster: str = option("slurm", "local: run the job on this machine, by submitit's local executor", choices=("slurm", "local"))
    array: bool = option(False, "submit the jobs that the command would start, in place of the command")
    jobs: int | None = option(None, "how many jobs of an array run at a time", low=1, high=MOST, value="4")
    wait: bool = option(False, "end with the job, and in its status")


VERBS = [
    Command(
        name="train -m",
        run="iwm_cluster.commands:run_sweep",
        switches=Jobs,
        forms={
            "train -m recipe=NAME key=a,b …": "a sweep: one run for each combination",
        },
        more=("What has not finished goes on by the same command.",),
        examples=("iwm train -m recipe=quickstart predictor=feature,none",),
    ),
    Command(
        name="submit",
        run="iwm_cluster.commands:run_submit",
        switches=Submit,
        leads=True,
        forms={
            "submit [--OPTION VALUE …] VERB …": "a command as a job of SLURM, such as train, resume, tune",
            "submit --array [--OPTION VALUE …] VERB …": "the jobs of train -m or compare, as an array of SLURM",
        },
        more=("Options come before the verb; those up to --time are sbatch's own.",),
        examples=(
            "iwm submit --partition gpu --gpus-per-node 8 --cpus-per-task 9 train recipe=repro/imagenette size=gpu",
            "iwm submit --partition gpu --nodes 2 --gpus-per-node 8 --time 8:00:00 resume runs/imagenette",
            "iwm submit --array --partition gpu --gpus-per-node 1 train -m recipe=quickstart train.seed=1,2,3",
        ),
    ),
]
