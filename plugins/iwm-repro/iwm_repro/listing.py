"""``iwm reproduce``: the claims, what they cost, which of their runs are there, and their verdicts. Needs no torch."""

from iwm_core.cli.listing import row, show_rows
from iwm_repro.command_line import Asked
from iwm_repro.places import finished, jobs_of, minutes_of
from iwm_repro.record import MISSING, file_of, read_if_there
from iwm_repro.registered import Brought, all_claims

COLUMNS = ("name", "runs", "minutes", "verdict", "about")


def list_claims(asked: Asked) -> int:
    """Print a line for each claim that has the scale."""
    rows = [line_of(one, asked.scale) for one in all_claims().values() if asked.scale in one.claim.sizes]
    show_rows(rows, asked.json, COLUMNS)
    return 0


def line_of(brought: Brought, scale: str) -> dict[str, str]:
    """What is told of a claim."""
    claim, size = brought.claim, brought.claim.sizes[scale]
    jobs = jobs_of(size, size.seeds, scale)
    left = [job for job in jobs if not finished(job.path)]
    begun = sum((job.path / "config.yaml").exists() for job in left)
    record = read_if_there(file_of(claim.results, claim.name, scale))
    return row(
        *("claim", claim.name, brought.plugin),
        scale=scale,
        runs=f"{len(jobs) - len(left)} of {len(jobs)}{f', {begun} begun' if begun else ''}",
        minutes=f"{minutes_of(left):.0f}",
        verdict=record.verdict if record else MISSING,
        about=claim.says,
    )
