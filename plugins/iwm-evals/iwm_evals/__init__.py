"""Evaluators, and what measures with them: what a model knows; searches, by which it plans; `decoder`, which shows what it imagines."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from iwm_core import hookimpl
from iwm_core.interfaces import Command, ComponentKind

if TYPE_CHECKING:
    from iwm_core.interfaces.events import StepLogged
    from iwm_evals.decoding.network import Decoder


@hookimpl
def iwm_hookspecs() -> list[ModuleType]:
    from iwm_evals import hookspecs

    return [hookspecs]


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_evals.measuring.verb import EVAL

    return [EVAL]


@hookimpl
def iwm_component_kinds() -> list[ComponentKind]:
    base, check = "iwm_evals.plans:Search", "iwm_evals.kit.searches:check_search"
    return [ComponentKind(name="search", hook="iwm_searches", base=base, group="search", check=check)]


@hookimpl
def iwm_measurers() -> list[str]:
    return ["iwm_evals.measuring.door"]


@hookimpl
def iwm_step_logged(event: "StepLogged") -> None:
    from iwm_evals.scores.health import watch

    watch(event)


@hookimpl
def iwm_searches() -> list[type]:
    from iwm_evals.plans.searches import CEM, BankSearch, GradientSearch

    return [BankSearch, CEM, GradientSearch]


@hookimpl
def iwm_evaluators() -> list[type]:
    from iwm_evals.attentive import AttentiveProbe
    from iwm_evals.compose import Compose
    from iwm_evals.dose import Dose
    from iwm_evals.equivariance import Equivariance
    from iwm_evals.error import Error
    from iwm_evals.factors import Factors
    from iwm_evals.health import Health
    from iwm_evals.imagination import Imagination
    from iwm_evals.inverse import Inverse
    from iwm_evals.mrr import Mrr
    from iwm_evals.pca import Pca
    from iwm_evals.planning import Planning
    from iwm_evals.probe import Probe
    from iwm_evals.undo import Undo

    return [AttentiveProbe, Compose, Dose, Equivariance, Error, Factors, Health, Imagination, Inverse, Mrr, Pca, Planning, Probe, Undo]


@hookimpl(optionalhook=True)
def iwm_report_sections(page: Any) -> None:
    from iwm_evals.words.no_decoder import say_what_is_missing

    say_what_is_missing(page)


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent / "recipes"]


def decoder(model: Any, file: Path | str | None = None) -> "Decoder":
    """The decoder that the evaluator ``imagination`` has trained for a world model: from tokens to images.

    ::

        model = iwm_core.load("runs/quickstart")
        show = iwm_evals.decoder(model)
        show(model.imagine(images, {"jitter": {"hue": 0.5}}))      # images [b, 3, h, w] in [0, 1]
        show(model.targets(images))                                # what the decoder makes of the images themselves

    It is no part of the world model: it was trained on its frozen tokens afterwards.

    Args:
        model: as `iwm_core.load` returns it.
        file: of the decoder; None: the one in the model's run.

    Returns:
        What turns tokens [b, n, d], as ``targets`` and ``imagine`` give them, into images on the model's device.

    Raises:
        UserError: there is no decoder, it is damaged, or it was trained on the tokens of another model or checkpoint.
    """
    from iwm_evals.decoding.kept import decoder

    return decoder(model, file)
