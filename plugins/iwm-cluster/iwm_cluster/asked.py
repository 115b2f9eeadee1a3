"""Reads the command line of ``iwm submit``: what is asked of the scheduler, then the command that is its job.

Decisions:
- Options stand before the verb, as with srun, and have sbatch's names: they are no settings of a recipe, and cannot be taken for any.
- What sbatch alone can judge, such as the name of a partition, goes to it as it is.
"""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean

PASSED = ("partition", "account", "qos", "constraint", "gres", "mem", "exclude", "nodelist", "reservation")
"""Options that go to sbatch as they are."""
COUNTS = {"nodes": 1, "ntasks-per-node": 0, "gpus-per-node": 0, "cpus-per-task": 0, "warning": 120, "requeues": 20, "jobs": 0}
"""Options that are numbers, and what they are where nothing is said; 0: the scheduler decides."""
PLAIN = ("array", "wait")
"""Options without a value."""
OPTIONS = (*PASSED, *COUNTS, "time", "setup", "logs", "cluster", *PLAIN)
CLUSTERS = ("slurm", "local")
HAVE_JOBS = ("train -m", "compare", "reproduce")
"""Commands whose jobs can be an array."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command line asks for.

    Attributes:
        verb, words: the command.
        passed: options of sbatch, by their names.
        counts: of each name in `COUNTS`.
        minutes: that a job may take before it is queued again.
        setup: shell commands that come before it.
        logs: the folder of what the jobs say.
        cluster: in `CLUSTERS`.
        array: the jobs that the command would start, not the command, are the scheduler's.
        wait: end with the jobs.
    """

    verb: str
    words: list[str]
    passed: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: dict(COUNTS))
    minutes: float = 24 * 60
    setup: list[str] = field(default_factory=list)
    logs: Path = Path("runs/jobs")
    cluster: str = "slurm"
    array: bool = False
    wait: bool = False

    @property
    def tasks(self) -> int:
        """Tasks, and so processes, on a node: one for each GPU."""
        return self.counts["ntasks-per-node"] or self.counts["gpus-per-node"] or 1

    @property
    def processes(self) -> int:
        """Processes of a job."""
        return self.counts["nodes"] * self.tasks


def read_arguments(words: list[str]) -> Asked:
    """What a command line asks for.

    Raises:
        UserError: there is no such option, verb or cluster, or they do not go together.
    """
    options, setup, rest = split(words)
    for name in COUNTS:
        read_count(name, options.get(name, "1"))
    asked = Asked(
        verb=rest[0] if rest else "",
        words=rest[1:],
        passed={name: options[name] for name in PASSED if name in options},
        counts={name: int(options.get(name, count)) for name, count in COUNTS.items()},
        minutes=read_minutes(options.get("time", "24:00:00")),
        setup=setup,
        logs=Path(options.get("logs", "runs/jobs")),
        cluster=options.get("cluster", "slurm"),
        array="array" in options,
        wait="wait" in options,
    )
    check_cluster(asked)
    check_command(asked)
    return asked


def split(words: list[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """The options by name, the setup commands, and what follows them, from the verb on."""
    options: dict[str, str] = {}
    setup: list[str] = []
    left = list(words)
    while left and left[0].startswith("-"):
        name, equals, value = left.pop(0).removeprefix("--").partition("=")
        if name not in OPTIONS:
            near = did_you_mean(name.lstrip("-"), OPTIONS, "--{}")
            raise UserError(f"iwm submit has no option --{name.lstrip('-')}; {near}there are {', '.join(f'--{one}' for one in OPTIONS)}")
        if name in PLAIN and equals:
            raise UserError(f"--{name} takes no value, got --{name}={value}")
        if name not in PLAIN and not equals:
            value = left.pop(0) if left else ""
        if name not in PLAIN and not value:
            raise UserError(f"--{name} needs a value: `iwm submit --help` shows them")
        if name == "setup":
            setup.append(value)
        elif name in options:
            raise UserError(f"--{name} is given twice; give it once")
        else:
            options[name] = value
    return options, setup, left


def read_count(name: str, text: str) -> None:
    """Refuse what is no number of something."""
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise UserError(f"--{name} is a whole number above 0, got {text!r}; write --{name} {COUNTS[name] or 1}")


def read_minutes(text: str) -> float:
    """A time as sbatch takes it, in minutes: ``90``, ``30:00`` (with seconds), ``8:00:00``, ``2-12`` (days and hours), ``2-12:30``."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if match:
        days, *parts = (int(part) if part is not None else None for part in match.groups())
        given = [part for part in parts if part is not None]
        hours, minutes, seconds = [*given, 0, 0][:3] if days is not None or len(given) == 3 else [0, *given, 0][:3]
        if total := (days or 0) * 1440 + hours * 60 + minutes + seconds / 60:
            return total
    raise UserError(
        f"--time is how long a job may take at once, as for sbatch, got {text!r}; write --time 8:00:00, or 2-12 for days and hours"
    )


def check_cluster(asked: Asked) -> None:
    """Check that there is the cluster, and that the job fits it."""
    if asked.cluster not in CLUSTERS:
        raise UserError(f"there is no --cluster {asked.cluster}; {did_you_mean(asked.cluster, CLUSTERS)}there are {', '.join(CLUSTERS)}")
    if asked.cluster == "slurm" and shutil.which("sbatch") is None:
        raise UserError("there is no SLURM here, as sbatch is not on the PATH: log in to the cluster, or try --cluster local")
    if asked.cluster == "local" and asked.counts["nodes"] > 1:
        raise UserError("--cluster local is this machine: leave --nodes out, or use SLURM")
    if asked.cluster == "local" and asked.array:
        raise UserError("--cluster local has no arrays: write --jobs N behind the verb in place of --array")
    if asked.counts["warning"] >= asked.minutes * 60:
        sooner = f"a longer --time, or --warning {int(asked.minutes * 30)}"
        raise UserError(f"--warning {asked.counts['warning']} is as long as the whole job: write {sooner}")


def check_command(asked: Asked) -> None:
    """Check that the command is one, and whether its jobs can be an array."""
    verbs = [*dict.fromkeys(name.split()[0] for name in load_plugins().commands)]
    if not asked.verb:
        raise UserError("say what to submit, after all options: iwm submit --partition NAME train recipe=NAME")
    if asked.verb not in verbs or asked.verb == "submit":
        option = asked.verb.partition("=")[0]
        meant = f"write --{asked.verb}; " if option in OPTIONS else did_you_mean(asked.verb, verbs)
        raise UserError(f"iwm submit is followed by a verb, and {asked.verb!r} is none; {meant}`iwm --help` lists all")
    for word in asked.words:
        option, _, value = word.removeprefix("--").partition("=")
        if option in {*OPTIONS} - {"jobs"} and (word.startswith("--") or option in PASSED):
            raise UserError(f"{word!r} stands behind the verb: write iwm submit --{option} {value or 'VALUE'} {asked.verb} …")
    many = asked.verb == "train" and {"-m", "--multirun"} & {*asked.words}
    if asked.array and not (many or asked.verb in HAVE_JOBS):
        raise UserError(f"--array is for what starts several jobs: {', '.join(HAVE_JOBS)}; leave it out")
    if asked.processes > 1 and not asked.array and (many or asked.verb in HAVE_JOBS):
        raise UserError(f"iwm {asked.verb} starts processes of its own: write --array, or --ntasks-per-node 1 and --jobs behind the verb")
    if asked.counts["jobs"] and not asked.array:
        raise UserError("--jobs before the verb is how many of an array run at a time: write --array, or --jobs behind the verb")
