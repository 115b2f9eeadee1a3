"""Image world models: train, measure and use encoders whose predictor knows image transformations.

Importing this package is light: torch is loaded by `load` and by the command line's verbs that need it.
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from torch import Tensor

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


def train(
    recipe: str | None = None,
    data: Any = None,
    overrides: Mapping[str, Any] | Iterable[str] = (),
    resume: str | Path | None = None,
    device: str = "auto",
) -> Any:
    """Train a recipe in a new run, or go on with one, and measure it: what ``iwm train`` and ``iwm resume`` do, with the same progress.

    ::

        model = iwm_core.train("quickstart", data=my_dataset, overrides={"train.steps": 200, "evaluators": ["mrr"]})
        model.run, model.features(images)

    Args:
        recipe: its name.
        data: images that an installed data source takes: a map-style dataset of torch, or whatever else has a length and items that are
            images or begin with one and go on with a label; ``{"train": …, "validation": …}`` of two such; or a folder. None: the recipe's.
        overrides: settings by their keys, ``{"train.steps": 200}``, or as one types them, ``["train.steps=200"]``.
        resume: the run to go on with, in place of a recipe. Data from Python are not kept in a run: give the same again.
        device: where the model goes that is returned.

    Returns:
        The trained model, as of `load`.

    Raises:
        UserError: something of it is wrong, or training cannot go on.
        KeyboardInterrupt: Ctrl-C, or a notebook's stop button, ended it early; the run has a checkpoint of that step.
    """
    return _of_python("iwm_core.train trains from Python").train(recipe, data, overrides, resume, device)


def views(
    images: "Tensor", actions: Any, targets: Any = None, *, seed: int, grid: tuple[int, int] | None = None, source_from: str = "view"
) -> Any:
    """What a training step would learn from: two views of images, the action between them and the patches to predict, for your own loop.

    Its arguments and what it gives: docs/own-loop.md, of the plugin that brings it (`iwm_python`).
    """
    makes = _of_python("iwm_core.views makes views in Python").views
    return makes(images, actions, targets, seed=seed, grid=grid, source_from=source_from)


def _of_python(asked: str) -> Any:
    from iwm_core.plugins.loader import load_plugins

    return load_plugins().only("iwm_python", asked)


def measured(run: str | Path) -> list[Any]:
    """What evaluators or tasks have found in a run: first what the recipe's settings measured, then what others did.

    ``own`` tells the recipe's results from the others, ``differing`` what these were measured with: ``bank=16``. Needs no torch.

    Args:
        run: the run's directory, or an address as of `load`.

    Raises:
        UserError: ``run`` is not a run, a file of it is damaged, or no installed plugin measures runs.
    """
    from iwm_core.plugins.sources import fetched
    from iwm_core.run.directory import Run
    from iwm_core.run.measuring import measurer

    return measurer().measured(Run.open(fetched(str(run))))


def installed(kind: str, name: str) -> Any:
    """The class of an installed component, for plugins that build on what other plugins bring: ``installed("head", "attentive")``.

    Raises:
        UserError: no working plugin gives it.
    """
    from iwm_core.plugins.loader import load_plugins

    return load_plugins().component(kind, name)
