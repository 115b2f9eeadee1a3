"""Kinds of runs, as a plugin gives them: what a frozen config of this kind means. Needs no torch."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from iwm_core.interfaces.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What recipes of a kind are made of.

    Attributes:
        base: what the defaults of such a recipe begin with.
        recipe: the typed recipe, a dataclass; a field that is neither a section nor a group is a plain key.
        sections: dataclasses of plain settings, by name.
        groups: where components are chosen (`ComponentKind.group`).
        choices: of a group, besides its components: by group and name, the settings that they stand for.
    """

    base: str
    recipe: Any
    sections: dict[str, Any]
    groups: tuple[str, ...]
    choices: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def plain_fields(self) -> list[dataclasses.Field[Any]]:
        """The fields of the recipe that are plain keys."""
        return [f for f in dataclasses.fields(self.recipe) if f.name not in self.sections and f.name not in self.groups]


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """Where models come from besides runs on this machine.

    Attributes:
        scheme: what such an address begins with, before ``://``.
        fetch: ``module:function``, imported when it is called; takes the address and returns the folder of a run.
    """

    scheme: str
    fetch: str


class RunKind(ABC):
    """A kind of run. Recipes are thawed by its schema; the methods are given what the core's own verbs work with.

    Throughout, ``run`` is an `iwm_core.run.directory.Run`, ``recipe`` the thawed recipe, ``display`` an
    `iwm_core.process.display.Display` and ``checkpoint`` the folder of a checkpoint. Methods import what needs torch themselves.
    """

    name: ClassVar[str]
    begun_by: ClassVar[str] = "iwm train recipe={}"
    """The command line that begins such a run; only those of `iwm train` are begun by it."""

    @abstractmethod
    def schema(self) -> Schema:
        """What its recipes are made of."""

    @abstractmethod
    def train(self, run: Any, recipe: Any, checkpoint: Path | None, display: Any) -> None:
        """Train to the end, from a checkpoint or from the start."""

    @abstractmethod
    def load(self, run: Any, recipe: Any, device: str, checkpoint: Path | None = None) -> Any:
        """The model, as `iwm_core.load` returns it; from the newest checkpoint where none is given."""

    @abstractmethod
    def settings(self, config: Mapping[str, Any], name: str) -> dict[str, Any]:
        """What a plain config measures with, by the name of what measures: all that its values depend on, besides the weights."""

    def measures(self, recipe: Any) -> list[str]:
        """The names of what such a run is measured by."""
        return []

    def measure(self, run: Any, recipe: Any, names: list[str], display: Any, checkpoint: Path | None = None, own: Any = None) -> None:
        """Measure a checkpoint, or the newest; ``own`` is the recipe as the run has it, where ``recipe`` may differ."""

    def trial(self, recipe: Any, device: Any) -> Callable[[], object]:
        """A forward and backward pass of the model on noise, which ``launch.precision=auto`` times; a kind may have none."""
        raise UserError(f"launch.precision=auto is not for {self.name}; write launch.precision=fp32 or bf16")

    def check(self, recipe: Any) -> None:
        """Find what does not fit together before a run has a directory; a `UserError` tells it."""

    def check_resumed(self, recipe: Any, restored: bool) -> None:
        """The same before a run goes on; ``restored``: from a checkpoint."""

    def check_change(self, before: Any, after: Any, verb: str) -> None:
        """Refuse data, by which a verb replaces the run's own, that means something else."""

    def finished(self, run: Any) -> bool:
        """Whether nothing is left to do after the last checkpoint."""
        return True

    def next_words(self, run: Any) -> list[str]:
        """The command line, without ``iwm``, that one wants once such a run is measured."""
        return ["eval", str(run.path)]

    def recognises(self, config: Mapping[str, Any]) -> bool:
        """Whether a config without a kind, as earlier versions wrote it, is of this one."""
        return False
