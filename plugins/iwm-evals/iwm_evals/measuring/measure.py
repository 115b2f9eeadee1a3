"""What ``iwm eval`` does, of a run of any kind: a recipe with what the command line changes of it, measured as its kind is."""

import sys
from contextlib import nullcontext

from iwm_core.plugins.kinds import kind_of
from iwm_core.process.display import make_display
from iwm_core.recipe.overrides import allowed_to, checkpoint_in
from iwm_core.recipe.thaw import thaw
from iwm_core.run.directory import Run
from iwm_core.training.starting import changed, tell_next


def measure(path: str, overrides: list[str], every_table: bool = False) -> int:
    """``iwm eval``: measure a run's newest checkpoint, or the one that is named."""
    display = make_display()
    display.tables = sys.maxsize if every_table else display.tables
    checkpoint, overrides = checkpoint_in(overrides)
    run = Run.open(path, checkpoint)
    config = run.config()
    kind = kind_of(config)
    with nullcontext() if overrides else run.blamed():
        recipe = changed(config, overrides, allowed_to("eval", kind.schema()), "eval")
    kind.measure(run, recipe, kind.measures(recipe), display, own=thaw(config))
    tell_next(run, kind, display)
    return 0
