"""The verb of claims: what its help says, what it takes, and where it is carried out."""

from dataclasses import dataclass

from iwm_cluster.verbs import Jobs

from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option
from iwm_repro.claim import SCALES


@dataclass(frozen=True, kw_only=True)
class Reproduce(Jobs):
    """Its switches."""

    scale: str = option("cpu", "what it is made for: cpu, the default, two cores; gpu, one modern GPU", choices=tuple(SCALES))
    seeds: list[int] | None = option(
        None,
        "train with other seeds, and say which values lie inside of the intervals on record, which stays as it is",
        low=0,
        high=2**31 - 1,
        value="3,4,5",
    )
    json: bool = option(False, "list claims for programs")


VERBS = [
    Command(
        name="reproduce",
        run="iwm_repro.commands:run_reproduce",
        switches=Reproduce,
        forms={
            "reproduce [--scale cpu|gpu] [--json]": "list claims: what they cost, which runs are there, the verdict",
            "reproduce CLAIM|all [--scale cpu|gpu] [--seeds 3,4,5]": "run what a claim lacks, and rule on it",
        },
        more=(
            "The list tells how many of a claim's runs are there, the minutes of those to run, and the verdict on record.",
            "The cost is printed first. Runs lie in runs/repro/SCALE; claims share them, and the same command goes on after a stop.",
            "out=FOLDER is where the record is written, CLAIM-SCALE.json; without it, in a checkout, beside the claim's other records.",
        ),
        examples=(
            "iwm reproduce",
            "iwm reproduce conditioning --scale cpu",
            "iwm reproduce conditioning --seeds 3,4,5",
        ),
    ),
]
