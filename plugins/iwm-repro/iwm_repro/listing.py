"""``iwm reproduce``: the claims, what they cost, which of their runs are there, and their verdicts. Needs no torch."""

from rich.table import Table

from iwm_core.process.display import NamesConsole
from iwm_core.process.shown import tell
from iwm_repro.asked import Asked
from iwm_repro.claim import Claim
from iwm_repro.places import finished, jobs_of, minutes_of
from iwm_repro.record import MISSING, file_of, read_if_there
from iwm_repro.registered import all_claims
from iwm_repro.shown import WIDTH


def list_claims(asked: Asked) -> int:
    """Print a line for each claim that has the scale."""
    claims = [claim for claim in all_claims().values() if asked.scale in claim.sizes]
    if not claims:
        tell(f"no installed plugin brings claims at scale {asked.scale}; `pip install iwm` brings the paper's")
        return 0
    table = Table(box=None, pad_edge=False)
    for name in ("claim", "says", "runs here", "to run", "verdict on record"):
        table.add_column(name, overflow="fold", no_wrap=name in ("claim", "runs here", "to run"))
    for claim in claims:
        table.add_row(*line_of(claim, asked.scale))
    console = NamesConsole(width=WIDTH, no_color=True)
    console.print(table)
    console.print(f"Runs that claims share are trained once. Next: iwm reproduce {claims[0].name} --scale {asked.scale}")
    return 0


def line_of(claim: Claim, scale: str) -> list[str]:
    """What is told of a claim."""
    size = claim.sizes[scale]
    jobs = jobs_of(size, size.seeds, scale)
    left = [job for job in jobs if not finished(job.path)]
    record = read_if_there(file_of(claim.results, claim.name, scale))
    verdict = record.verdict if record else MISSING
    return [claim.name, claim.says, f"{len(jobs) - len(left)} of {len(jobs)}", f"{minutes_of(left):.0f} min" if left else "–", verdict]
