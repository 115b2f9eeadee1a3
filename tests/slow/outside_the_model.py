"""What a step costs besides its model: operations, and milliseconds of one core, by part.

    python tests/slow/outside_the_model.py [RECIPE [KEY=VALUE…]]      # paper/iwm_equi_vitb16_18x384, or another

Milliseconds are CPU time, the least of several. Run it from two checkouts one after the other to compare them.
"""

import sys
import time
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).parents[1] / "furniture")]

from outside_the_model import dispatched, parts  # noqa: E402

from iwm_core.recipe.compose import compose  # noqa: E402
from iwm_core.recipe.thaw import thaw  # noqa: E402

GRID, SELECTIONS = (14, 14), 1024


def least(work, times: int = 12) -> float:
    """Milliseconds of CPU time."""
    work()
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return 1000 * min(spent)


def main(name: str = "paper/iwm_equi_vitb16_18x384", *words: str) -> None:
    torch.set_num_threads(1)
    words = words or ("data.path=.",)
    recipe = thaw(compose(name, [*words])[0])
    print(f"{name}: operations, ms of one core for 256 images of 64 px")
    total = 0
    for part, work in parts(recipe, GRID, 256, 64).items():
        operations = dispatched(work).total()
        total += operations
        print(f"  {part:10} {operations:6,} {least(work):8.2f}")
    print(f"  {'all':10} {total:6,}")
    for selector in ("multiblock", "ijepa", "random"):
        chosen = thaw(compose(name, [*words, f"targets={selector}"])[0])
        spent = least(parts(chosen, GRID, SELECTIONS, 8)["selection"])
        print(f"{SELECTIONS:,} selections by {selector} on 14x14: {spent:.1f} ms of one core")


if __name__ == "__main__":
    main(*sys.argv[1:])
