"""Image world models: train, measure and use encoders whose predictor knows image transformations.

Importing this package is light: torch is loaded by `load` and by the command line's verbs that need it.
"""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from iwm_core.evaluation.measured import Measured

__version__ = version("iwm-core")
hookimpl = pluggy.HookimplMarker("iwm")
"""Marks a function of a plugin as the implementation of one of the hooks in `iwm_core.plugins.hookspecs`."""


def load(run: str | Path, device: str = "auto", checkpoint: str | None = None) -> Any:
    """The model of a run: its newest checkpoint, ready to `encode` and `imagine`, or, of a tuned run, to `predict`.

    Args:
        run: the run's directory, or an address such as ``hf://NAME`` where a plugin brings such models.
        device: ``auto`` (an accelerator where there is one), ``cpu``, ``cuda``, …
        checkpoint: ``step_N`` in place of the newest.

    Raises:
        UserError: ``run`` is not a run, or has no readable checkpoint.
    """
    from iwm_core.model.loading import load_run

    return load_run(str(run), device, checkpoint)


def measured(run: str | Path) -> "list[Measured]":
    """What evaluators or tasks have found in a run: first what the recipe's settings measured, then what others did.

    ``own`` tells the recipe's results from the others, ``differing`` what these were measured with: ``bank=16``. Needs no torch.

    Args:
        run: the run's directory.

    Raises:
        UserError: ``run`` is not a run, or a file of it is damaged.
    """
    from iwm_core.evaluation.measured import read_results
    from iwm_core.interfaces.errors import UserError
    from iwm_core.run.directory import Run

    found, problems = read_results(Path(run), Run.open(str(run)).plain_config())
    if problems:
        raise UserError("; ".join(problems))
    return found


def installed(kind: str, name: str) -> Any:
    """The class of an installed component, for plugins that build on what other plugins bring: ``installed("head", "attentive")``.

    Raises:
        UserError: no working plugin gives it.
    """
    from iwm_core.plugins.loader import load_plugins

    return load_plugins().component(kind, name)
