"""Into iwm and out of it: published weights become runs, encoders files that others load; trainings and views for programs in Python."""

from pathlib import Path
from typing import TYPE_CHECKING

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.runs import ModelSource

if TYPE_CHECKING:
    from iwm_core.interfaces import EncoderComponent
    from iwm_core.interfaces.events import TrainStart


@hookimpl
def iwm_encoders() -> "list[type[EncoderComponent]]":
    from iwm_interop.published import Published

    return [Published]


@hookimpl
def iwm_train_start(event: "TrainStart") -> None:
    from iwm_interop.record import record

    record(event)


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_interop.verbs import VERBS

    return VERBS


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent / "recipes"]


@hookimpl
def iwm_python() -> list[str]:
    return ["iwm_interop.python"]


@hookimpl
def iwm_model_sources() -> list[ModelSource]:
    return [
        ModelSource(scheme="hf", fetch="iwm_interop.sharing.hub:fetch"),
        ModelSource(scheme="zoo", fetch="iwm_interop.zoo.entry:fetch"),
    ]
