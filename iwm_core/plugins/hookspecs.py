"""The hooks a plugin may implement.

Registration hooks are pure and return lists; lifecycle hooks return nothing. No hook depends on the order of plugins. A plugin's
entry-point module should import its classes inside the hooks, so that ``iwm plugins`` stays light. Hooks of a plugin's own are
declared by `iwm_hookspecs`.
"""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from iwm_core.interfaces import Action, DataSource, EncoderComponent, Evaluator, PredictorComponent, TargetSelector
    from iwm_core.interfaces.commands import Command
    from iwm_core.interfaces.events import Evaluated, RunMeasured, StepEnd, StepLogged, SweepEnd, TrainEnd, TrainStart
    from iwm_core.interfaces.kinds import ComponentKind
    from iwm_core.interfaces.runs import ModelSource, RunKind

hookspec = pluggy.HookspecMarker("iwm")


@hookspec
def iwm_encoders() -> "list[type[EncoderComponent]]":  # pyright: ignore[reportReturnType]
    """Encoder components."""


@hookspec
def iwm_predictors() -> "list[type[PredictorComponent]]":  # pyright: ignore[reportReturnType]
    """Predictor components."""


@hookspec
def iwm_actions() -> "list[type[Action]]":  # pyright: ignore[reportReturnType]
    """Actions."""


@hookspec
def iwm_target_selectors() -> "list[type[TargetSelector]]":  # pyright: ignore[reportReturnType]
    """Target selectors."""


@hookspec
def iwm_evaluators() -> "list[type[Evaluator]]":  # pyright: ignore[reportReturnType]
    """Evaluators."""


@hookspec
def iwm_data_sources() -> "list[type[DataSource]]":  # pyright: ignore[reportReturnType]
    """Data sources."""


@hookspec
def iwm_recipe_dirs() -> "list[Path]":  # pyright: ignore[reportReturnType]
    """Folders of recipes; a recipe's name is its path below the folder, without ``.yaml``."""


@hookspec
def iwm_commands() -> "list[Command]":  # pyright: ignore[reportReturnType]
    """Verbs of the command line. Nothing that is imported for them may import torch; what they call may."""


@hookspec
def iwm_run_kinds() -> "list[RunKind]":  # pyright: ignore[reportReturnType]
    """Kinds of runs: instances, one of each."""


@hookspec
def iwm_component_kinds() -> "list[ComponentKind]":  # pyright: ignore[reportReturnType]
    """Kinds of components, each with the hook that registers its components."""


@hookspec
def iwm_model_sources() -> "list[ModelSource]":  # pyright: ignore[reportReturnType]
    """Schemes, such as ``hf://``, from which models are brought to this machine."""


@hookspec
def iwm_launchers() -> list[str]:  # pyright: ignore[reportReturnType]
    """Modules by their names, imported for every command, that know how several processes compute one run.

    Each has ``together(lead, take_part)``, which carries a command out wherever a launcher such as torchrun has started it several times
    (``lead`` does it in one process, ``take_part(run, overrides)`` is another's part in a training; see `iwm_core.process.launched`), and
    ``spawn(run, overrides, processes)``, which starts processes of this machine that take part. Both return the exit status. In a training
    of several processes, ``spread(module, launch, accelerator)`` gives each the module or its part, and ``agreement()`` a function
    that gives the largest of all processes' numbers to all of them.
    """


@hookspec
def iwm_caches() -> list[str]:  # pyright: ignore[reportReturnType]
    """Modules by their names, one in all, that decode images once and keep them (``data.cache``).

    Each has ``kept(reader, workers, track)``, the images of a split, and ``views(reader, workers, track, how, device, there)``, which makes
    batches of slices as `iwm_core.data.loader.DecodedViews` does; both name the ``corrupt`` ones, the second in its ``cache``.
    """


@hookspec
def iwm_workers() -> list[str]:  # pyright: ignore[reportReturnType]
    """Modules by their names, one in all, whose ``made_in_order`` is `iwm_core.data.workers.made_in_order`, in several processes."""


@hookspec
def iwm_measurers() -> list[str]:  # pyright: ignore[reportReturnType]
    """Modules by their names, one in all, that have evaluators measure a run, keep what they find, and read it back.

    Each has ``evaluate(run, recipe, display, names, checkpoint, own)``, as `RunKind.measure`; ``evaluate_in_training(names, run, recipe,
    model, step, device, display, track)``; ``missing(run, recipe, names, checkpoint)``, those that have not measured a checkpoint yet;
    ``mended(run, names)``, what was mended before a run goes on, in lines; and ``measured(run)``, as `iwm_core.measured`.
    """


@hookspec
def iwm_precisions() -> list[str]:  # pyright: ignore[reportReturnType]
    """Modules by their names, one in all, that decide ``launch.precision=auto`` as a run starts.

    Each has ``faster_precision(device, trial)``, which gives ``fp32`` or ``bf16``, and why; ``trial`` makes a pass to be timed.
    """


@hookspec
def iwm_displays() -> list[str]:  # pyright: ignore[reportReturnType]
    """Modules by their names whose ``display()`` gives what shows progress on this standard output, or None (`iwm_core.process.display`).

    Where two have one for it, plain lines are shown.
    """


@hookspec
def iwm_advisers() -> list[str]:  # pyright: ignore[reportReturnType]
    """Modules by their names that know what is wrong with a recipe or a command line, and say it with the fix.

    Each has the functions that `iwm_core.plugins.advice.advise` names where it is called; what they return is notes for the user.
    """


@hookspec
def iwm_python() -> list[str]:  # pyright: ignore[reportReturnType]
    """Modules by their names, one in all, whose ``train`` and ``views`` are `iwm_core.train` and `iwm_core.views`."""


@hookspec
def iwm_hookspecs() -> list[ModuleType]:  # pyright: ignore[reportReturnType]
    """Modules with hooks of a plugin's own, which others may then implement; each is marked with ``pluggy.HookspecMarker("iwm")``."""


@hookspec
def iwm_train_start(event: "TrainStart") -> None:
    """Called once before the first step, also after a resume."""


@hookspec
def iwm_step_end(event: "StepEnd") -> None:
    """Called after every optimizer step; reading a tensor's value here costs a synchronisation."""


@hookspec
def iwm_step_logged(event: "StepLogged") -> None:
    """Called before a step of a pretraining is logged, where the device may be waited for: to add what its tokens tell."""


@hookspec
def iwm_train_end(event: "TrainEnd") -> None:
    """Called once after the last step, when the last checkpoint is written."""


@hookspec
def iwm_evaluated(event: "Evaluated") -> None:
    """Called with what an evaluator found of a checkpoint, before it is written and announced: for pictures of its galleries."""


@hookspec
def iwm_run_measured(event: "RunMeasured") -> None:
    """Called once where several evaluators have measured a run and their tables are not printed: to sum up what was found."""


@hookspec
def iwm_sweep_end(event: "SweepEnd") -> None:
    """Called once after the last job of a sweep, also where one failed."""
