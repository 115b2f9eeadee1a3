"""The verb of claims: what its help says, and where it is carried out."""

from iwm_core.interfaces.commands import Command

VERBS = [
    Command(
        name="reproduce",
        run="iwm_repro.commands:run_reproduce",
        forms={
            "reproduce [--scale cpu|gpu] [--json]": "list claims: what they cost, which runs are there, the verdict",
            "reproduce CLAIM|all [--scale cpu|gpu] [--seeds 3,4,5]": "run what a claim lacks, and rule on it",
        },
        more=(
            "The list tells how many of a claim's runs are there, the minutes of those to run, and the verdict on record.",
            "The cost is printed first. Runs lie in runs/repro/SCALE; claims share them, and the same command goes on after a stop.",
            "--scale cpu, the default, is made for two cores; --scale gpu for one modern GPU.",
            "--seeds 3,4,5 trains with other seeds, and says which values lie inside of the intervals on record, which it leaves as it is.",
            "--jobs 4 runs four jobs at a time, each on a device of its own.",
            "out=FOLDER is where the record is written, CLAIM-SCALE.json; without it, in a checkout, beside the claim's other records.",
        ),
        examples=(
            "iwm reproduce",
            "iwm reproduce conditioning --scale cpu",
            "iwm reproduce conditioning --seeds 3,4,5",
        ),
    ),
]
