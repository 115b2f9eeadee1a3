"""What a comparison is made of, and the folder where it lies.

Decisions:
- A folder's ``comparison.yaml`` tells what its runs were made with. A comparison goes on in a folder, with further seeds and protocols
  too, where all that its runs share is the same: the world model at its checkpoint, and the overrides.
- Without ``run=FOLDER``: ``runs/compare/<the world model's name>``, or the first of its numbers that is free or holds the same.
"""

import os
import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.process.shown import as_word
from iwm_core.recipe.shapes import NAME
from iwm_core.run.files import is_partial, numbered, write_atomically
from iwm_core.run.lock import WRITER
from iwm_core.run.plain import written_yaml
from iwm_core.run.stored import Damaged, read_record, sealed
from iwm_tasks.comparison.anchored import anchor_words

DEFAULT: tuple[str, ...] = ("probe_linear", "probe_attentive", "encoder", "predictor", "predictor_random", "end_to_end")
FILE = "comparison.yaml"


@dataclass(frozen=True)
class Setup:
    """What a comparison is made of, as `comparison.yaml` keeps it.

    Attributes:
        world_model: the run's directory, absolute (earlier versions: as the user gave it).
        checkpoint: the one that is tuned.
        protocols: names below the recipes' folder ``tune``.
        seeds: trainings of each protocol, with the seeds from 0 on.
        overrides: of every tuning.
        own: of single protocols, by name.
        config, weights: checksums of the world model's config.yaml and weights, as another run may lie in its place one day; empty where
            that tells none, or where an earlier version kept none.
    """

    world_model: str
    checkpoint: str
    protocols: list[str]
    seeds: int
    overrides: list[str]
    own: dict[str, list[str]]
    config: str = ""
    weights: str = ""

    @property
    def shown(self) -> str:
        """The world model as one types it here: relative where it lies below the current folder."""
        return os.path.relpath(self.world_model) if Path(self.world_model).is_relative_to(Path.cwd()) else self.world_model

    def overrides_of(self, protocol: str) -> list[str]:
        """All overrides of a protocol; its own come last, so that they win."""
        return [*self.overrides, *self.own.get(protocol, [])]

    def command(self, folder: Path) -> str:
        """The command line that asks for it."""
        return f"iwm {' '.join(self.words(folder))}"

    def words(self, folder: Path, at_once: int = 1) -> list[str]:
        """Its words, as they are typed, where ``at_once`` tunings run at a time."""
        own = [f"{name}:{text}" for name, texts in self.own.items() for text in texts]
        protocols = [] if tuple(self.protocols) == DEFAULT else [f"protocols=[{','.join(self.protocols)}]"]
        settings = [*protocols, f"seeds={self.seeds}", f"run={folder}", *self.overrides, *own]
        beside = ["--jobs", str(at_once)] if at_once > 1 else []
        return ["compare", as_word(self.shown), *beside, *map(shlex.quote, settings)]

    def difference(self, other: "Setup") -> str:
        """How the runs of another comparison differ from those of this one, in words; nothing where they can lie in one folder."""
        same = self.config and self.weights and (self.config, self.weights) == (other.config, other.weights)  # also where both have moved
        if not same and Path(self.world_model).resolve() != Path(other.world_model).resolve():
            return f"a comparison of {other.shown}, not of {self.shown}"
        if self.config and other.config and self.config != other.config:
            return f"a comparison of another run that was {other.shown}, with another recipe"
        if self.checkpoint != other.checkpoint:
            now = f"which is at {self.checkpoint} now (ask for checkpoint={other.checkpoint} to go on with it)"
            return f"a comparison at {other.checkpoint} of {other.shown}, {now}"
        if self.weights and other.weights and self.weights != other.weights:
            return f"a comparison of another model that was {self.checkpoint} of {other.shown}, with other weights"
        if self.overrides != anchor_words(other.overrides):  # earlier versions kept paths as they were typed
            return f"a comparison with {overrides_in_words(other.overrides)}, not with {overrides_in_words(self.overrides)}"
        for name in (name for name in self.protocols if name in other.protocols):
            own, others = self.own.get(name, []), other.own.get(name, [])
            if own != anchor_words(others):
                return f"tunings by {name} with {overrides_in_words(others)}, not with {overrides_in_words(own)}"
        return ""

    def joined(self, other: "Setup") -> "Setup":
        """This one, with what the folder holds besides."""
        return replace(
            self,
            protocols=in_order([*other.protocols, *self.protocols]),
            seeds=max(self.seeds, other.seeds),
            own=other.own | self.own,
        )


def overrides_in_words(overrides: list[str]) -> str:
    """Overrides in a message."""
    return " ".join(overrides) or "no overrides"


def in_order(protocols: list[str]) -> list[str]:
    """Each once; the usual ones first, in their order."""
    return [*(name for name in DEFAULT if name in protocols), *dict.fromkeys(name for name in protocols if name not in DEFAULT)]


def find_folder(asked: Setup, named: str | None) -> tuple[Path, Setup]:
    """The folder of a comparison, and what is compared in it, which may be more than is asked for now.

    Raises:
        UserError: the folder that is named holds something else.
    """
    if named is not None:
        folder = Path(named)
        held = read_folder(folder)
        different = held if isinstance(held, str) else asked.difference(held) if held else ""
        if different:
            raise UserError(f"{folder} holds {different}; choose another folder with run=OTHER")
        return folder, asked.joined(held) if isinstance(held, Setup) else asked
    for folder in numbered(Path("runs") / "compare" / Path(asked.world_model).resolve().name):
        held = read_folder(folder)
        if held is None:
            return folder, asked
        if isinstance(held, Setup) and not asked.difference(held):
            return folder, asked.joined(held)
    raise AssertionError("there is always another number")


def read_folder(folder: Path) -> Setup | str | None:
    """The comparison in a folder; None where it is free; else what is in it, in words.

    Raises:
        Damaged: it cannot be read.
    """
    if (folder / FILE).exists() or (folder / FILE).is_symlink():
        asked: Setup = read_record(folder / FILE, Setup, "bring back a copy of it, or choose another folder with run=OTHER")
        for name in (part for protocol in asked.protocols for part in protocol.split("/")):
            if not NAME.fullmatch(name):
                raise Damaged(folder / FILE, f"is damaged (a protocol is called {name[:60]!r})", "choose another folder with run=OTHER")
        return asked
    if folder.is_dir():
        left = (file.name == WRITER or is_partial(file.name, FILE) for file in folder.iterdir())  # by a start that was killed
        return None if all(left) else f"other things, and no {FILE}"
    return "no runs, as it is a file" if folder.exists() else None


def write_folder(folder: Path, asked: Setup) -> None:
    """Write what is compared in the folder of a comparison.

    Raises:
        UserError: it cannot be written.
    """
    write_atomically(folder / FILE, written_yaml(sealed(asdict(asked))))
