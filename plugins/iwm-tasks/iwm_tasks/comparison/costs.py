"""What tunings cost, as a section of the reports of their runs."""

from typing import Any

from iwm_core.run.stored import Damaged
from iwm_tasks.comparison.records import COSTS, cost_cells
from iwm_tasks.tuning.cost import read_cost

ABOUT = (
    "Parameters that training changes; 10⁹ operations for one image, in matrix products and convolutions, a multiply-add as two; time and "
    "memory on its machine."
)


def add_costs(page: Any) -> None:
    """Add the costs of those of a page's runs that are tunings; a damaged file is reported and left out."""
    rows = []
    for run in page.runs:
        try:
            cost = read_cost(run.path)
        except Damaged as error:
            run.problems.append(f"{error.path} {error.problem} and is left out")
            continue
        rows += [[run.label, *cost_cells(cost), cost.device]] if cost else []
    if rows:
        page.add("Cost", ABOUT, ("run", *COSTS, "device"), rows)
