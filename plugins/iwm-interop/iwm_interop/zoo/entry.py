"""Entries of the zoo: JSON files that `docs/make_zoo.py` writes from runs, and that the page and `iwm zoo` show. Needs no torch.

Decisions:
- An entry holds what a run has told, not what somebody remembers: numbers with intervals, the digest of the recipe, the log.
- A model of less than 3 MB lies beside its entry, its weights rounded to 16 bits; the distribution brings both.
"""

import json
from pathlib import Path
from typing import NotRequired, TypedDict

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.results import Metric
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.shapes import fitting
from iwm_interop.sharing.cache import cached
from iwm_interop.sharing.manifest import MANIFEST
from iwm_interop.sums import sha256_of

FOLDER = Path(__file__).parent
SCHEME = "zoo://"
LARGEST = 3_000_000
"""Bytes of a model that the distribution brings."""


class Result(TypedDict):
    """What an evaluator has found."""

    evaluator: str
    metrics: dict[str, Metric]


class Weights(TypedDict):
    """The model that lies beside an entry.

    Attributes:
        bytes: of all its files.
        sha256: of the file of weights.
        rounding: by how much the teacher's tokens differ from those of the run, against the largest of these.
    """

    bytes: int
    sha256: str
    rounding: float


class Entry(TypedDict):
    """A model that was trained.

    Attributes:
        about: one sentence.
        recipe, digest, command: the recipe, the digest of all of its settings that make weights, and the line that trains it.
        hours: of training, without measuring.
        on: the hardware, in words.
        parameters: of encoder and predictor.
        versions: of what computed it.
        scorecard: with the recipe's settings, at the last step.
        log: lines of metrics.jsonl.
    """

    format: int
    name: str
    about: str
    recipe: str
    digest: str
    command: str
    seed: int
    data: str
    image_size: int
    steps: int
    hours: float
    on: str
    parameters: dict[str, int]
    licence: str
    versions: dict[str, str]
    scorecard: list[Result]
    log: list[dict[str, float]]
    weights: NotRequired[Weights | None]


def entries() -> dict[str, Entry]:
    """All entries, by name."""
    files = sorted((FOLDER / "entries").glob("*.json"))
    return {file.stem: read_entry(file) for file in files}


def read_entry(file: Path) -> Entry:
    """One entry.

    Raises:
        ValueError: it is no entry.
    """
    return fitting(json.loads(file.read_text(encoding="utf-8")), Entry)


def named(name: str) -> Entry:
    """The entry of a name.

    Raises:
        UserError: there is none.
    """
    known = entries()
    if name not in known:
        raise UserError(f"the zoo has no {name!r}; {did_you_mean(name, known)}it has {', '.join(known)}, see `iwm zoo`")
    return known[name]


def fetch(address: str) -> Path:
    """The run of a model of the zoo, in the cache.

    Raises:
        UserError: there is no such model, or only its entry.
    """
    name = address.removeprefix(SCHEME)
    entry, folder = named(name), FOLDER / "models" / name
    if not entry.get("weights"):
        raise UserError(f"the zoo tells of {name} but does not bring its weights; train it: {entry['command']}")
    return cached(folder, f"zoo--{name}", sha256_of(folder / MANIFEST)[:16], address)
