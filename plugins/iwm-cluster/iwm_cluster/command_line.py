"""Reads the command line of ``iwm submit``: what is asked of the scheduler, then the command that is its job.

Decisions:
- Options stand before the verb, as with srun, and have sbatch's names: they are no settings of a recipe, and cannot be taken for any.
- What sbatch alone can judge, such as the name of a partition, goes to it as it is.
"""

import re
import shutil
from dataclasses import asdict, dataclass, fields

from iwm_cluster.verbs import Submit
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean

PASSED = ("partition", "account", "qos", "constraint", "gres", "mem", "exclude", "nodelist", "reservation")
"""Options that go to sbatch as they are."""
OPTIONS = tuple(field.name.replace("_", "-") for field in fields(Submit))
HAVE_JOBS = ("train -m", "compare", "reproduce")
"""Commands whose jobs can be an array."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command line asks for.

    Attributes:
        verb, words: the command.
        given: the switches before it.
        minutes: that a job may take before it is queued again.
    """

    verb: str
    words: list[str]
    given: Submit
    minutes: float

    @property
    def passed(self) -> dict[str, str]:
        """What goes to sbatch as it is, by its names."""
        return {name: value for name, value in asdict(self.given).items() if name in PASSED and value is not None}

    @property
    def tasks(self) -> int:
        """Tasks, and so processes, on a node: one for each GPU."""
        return self.given.ntasks_per_node or self.given.gpus_per_node or 1

    @property
    def processes(self) -> int:
        """Processes of a job."""
        return self.given.nodes * self.tasks


def read_arguments(words: list[str], given: Submit) -> Asked:
    """What a command line asks for.

    Raises:
        UserError: there is no such verb, time or cluster, or they do not go together.
    """
    asked = Asked(verb=words[0] if words else "", words=words[1:], given=given, minutes=read_minutes(given.time))
    check_cluster(asked)
    check_command(asked)
    return asked


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
    given = asked.given
    if given.cluster == "slurm" and shutil.which("sbatch") is None:
        raise UserError("there is no SLURM here, as sbatch is not on the PATH: log in to the cluster, or try --cluster local")
    if given.cluster == "local" and given.nodes > 1:
        raise UserError("--cluster local is this machine: leave --nodes out, or use SLURM")
    if given.cluster == "local" and given.array:
        raise UserError("--cluster local has no arrays: write --jobs N behind the verb in place of --array")
    if given.warning >= asked.minutes * 60:
        sooner = f"a longer --time, or --warning {int(asked.minutes * 30)}"
        raise UserError(f"--warning {given.warning} is as long as the whole job: write {sooner}")


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
    if asked.given.array and not (many or asked.verb in HAVE_JOBS):
        raise UserError(f"--array is for what starts several jobs: {', '.join(HAVE_JOBS)}; leave it out")
    if asked.processes > 1 and not asked.given.array and (many or asked.verb in HAVE_JOBS):
        raise UserError(f"iwm {asked.verb} starts processes of its own: write --array, or --ntasks-per-node 1 and --jobs behind the verb")
    if asked.given.jobs and not asked.given.array:
        raise UserError("--jobs before the verb is how many of an array run at a time: write --array, or --jobs behind the verb")
