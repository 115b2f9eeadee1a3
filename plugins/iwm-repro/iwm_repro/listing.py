"""``iwm reproduce``: the claims, what they cost, which of their runs are there, and their verdicts. Needs no torch.

What is wrong with a run or a record is told with its claim, and the list goes on, as `iwm recipes` does with recipes.
"""

from iwm_core.cli.listing import row, show_rows, warn
from iwm_core.interfaces.errors import UserError
from iwm_repro.command_line import Asked
from iwm_repro.places import Job, jobs_of, minutes_of
from iwm_repro.record import MISSING, file_of, read_if_there
from iwm_repro.registered import Brought, all_claims
from iwm_repro.standing import Standing, check_seed, not_to_be_used, standing_of

COLUMNS = ("name", "runs", "minutes", "verdict", "about")
DAMAGED = "unreadable"
"""In place of the verdict where a record is damaged."""


def list_claims(asked: Asked) -> int:
    """Print a line for each claim that has the scale, and what is wrong with their runs and records."""
    claims = [one for one in all_claims().values() if asked.scale in one.claim.sizes]
    needing: dict[Job, list[str]] = {}
    for one in claims:
        size = one.claim.sizes[asked.scale]
        for job in jobs_of(size, size.seeds, asked.scale):
            needing.setdefault(job, []).append(one.claim.name)
    standing, problems = standing_of(needing, check_seed), list[str]()
    show_rows([line_of(one, asked.scale, standing, problems) for one in claims], asked.json, COLUMNS)
    warn([*problems, *not_to_be_used(standing, needing)])
    return 0


def line_of(brought: Brought, scale: str, standing: Standing, problems: list[str]) -> dict[str, str]:
    """What is told of a claim; what is wrong with its record joins ``problems``."""
    claim, size = brought.claim, brought.claim.sizes[scale]
    jobs = jobs_of(size, size.seeds, scale)
    done, left, wrong = ([job for job in jobs if job in those] for those in standing)
    begun = sum((job.path / "config.yaml").exists() for job in left)
    told = f"{len(done)} of {len(jobs)}{f', {begun} begun' if begun else ''}{f', {len(wrong)} unusable' if wrong else ''}"
    own = [standing.wrong[job] for job in wrong]
    try:
        record = read_if_there(file_of(claim.results, claim.name, scale))
        verdict = record.verdict if record else MISSING
    except UserError as error:
        verdict = DAMAGED
        own.append(str(error))
        problems.append(f"{claim.name}: {error}")
    about = {"verdict": verdict, "about": claim.says, "problem": "; ".join(own)}
    return row("claim", claim.name, brought.plugin, scale=scale, runs=told, minutes=f"{minutes_of(left):.0f}", **about)
