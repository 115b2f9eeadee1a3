"""What the words of ``iwm features`` ask for."""

from itertools import islice
from pathlib import Path
from typing import NamedTuple

from iwm_core.cli.words import read_changes, read_run
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.overrides import ON_RESUME, checkpoint_in, quoted
from iwm_core.run.directory import Run
from iwm_core.run.files import exists, numbered
from iwm_interop.verbs import Features

ENDINGS = (".parquet", ".npy")
KNOWN = ("out", "map", "split", "batch", "data", "launch", "checkpoint")
SPLITS = ("train", "validation")
REST = "[FOLDER] out=FILE.parquet|FILE.npy [--patch] [--student] [map=FILE.html [--umap]] [split=train|validation] [data=NAME …] [batch=64]"


class Asked(NamedTuple):
    """A command line, read.

    Attributes:
        folder: of images; None: those of the run, or of ``overrides``.
        overrides: on the run's config, of data and launch.
        out, names: the table, and where the rows' names go that an array has no room for.
        map: the page of thumbnails.
        split: one of them; empty for both.
    """

    run: Run
    folder: str | None
    overrides: list[str]
    out: Path
    names: Path | None
    map: Path | None
    patch: bool
    student: bool
    umap: bool
    split: str
    batch: int


def read_arguments(words: list[str], given: Features) -> Asked:
    """The run, the images, the places and the switches.

    Raises:
        UserError: something is missing, cannot be read, or is taken.
    """
    path, words = read_run(words, "features", REST)
    checkpoint, words = checkpoint_in(words)
    told, folder, overrides = dict[str, str](), None, list[str]()
    for word in words:
        key, equals, value = word.partition("=")
        if folder is None and (not equals or exists(word)):
            folder = word
        elif key in ("out", "map", "split", "batch") and value and key not in told:
            told[key] = value
        elif equals and key.partition(".")[0] in ON_RESUME:
            overrides.append(word)
        else:
            once = equals and key in ("out", "map", "split", "batch")
            meant = f"{key}= takes one value, once; " if once else did_you_mean(key, KNOWN)
            raise UserError(f"cannot read {word!r}; {meant}write iwm features RUN {REST}")
    if folder is not None:
        overrides = [*of_folder(folder, overrides), *overrides]
    read_changes([path, *overrides], "features")
    run = Run.open(path, checkpoint)
    if told.get("split", SPLITS[0]) not in SPLITS:
        raise UserError(
            f"there is no split={told['split']}; {did_you_mean(told['split'], SPLITS, 'split={}')}write split=train or validation"
        )
    if not told.get("batch", "64").isdecimal() or int(told.get("batch", "64")) < 1:
        raise UserError(f"batch={told['batch']} must be a whole number of images, at least 1")
    out, names, page = places(told)
    if given.umap and page is None:
        raise UserError("--umap is how a map is made: say where to, map=FILE.html")
    switched = (given.patch, given.student, given.umap)
    return Asked(run, folder, overrides, out, names, page, *switched, told.get("split", ""), int(told.get("batch", "64")))


def of_folder(folder: str, overrides: list[str]) -> list[str]:
    """The overrides that choose a folder's images.

    Raises:
        UserError: it is none, or other data are asked for besides.
    """
    if not Path(folder).expanduser().is_dir():
        what = "is a file" if exists(folder) else "is not there"
        raise UserError(f"{folder} {what}: name a folder of images, or data, such as data=hub data.path=OWNER/NAME")
    if other := next((word for word in overrides if word.startswith(("data=", "data.path="))), None):
        raise UserError(f"{folder} and {other} both say which images; leave one out")
    return ["data=folder", f"data.path={quoted(folder)}"]


def places(told: dict[str, str]) -> tuple[Path, Path | None, Path | None]:
    """Where the table, the names of an array's rows and the map go.

    Raises:
        UserError: none is named, one has another ending, or is taken.
    """
    if "out" not in told:
        raise UserError(f"say where to: out=FILE.parquet, or out=FILE.npy; write iwm features RUN {REST}")
    out, page = Path(told["out"]), Path(told["map"]) if "map" in told else None
    if out.suffix not in ENDINGS:
        raise UserError(f"out={out} must end in .parquet, for a table, or .npy, for an array")
    if page is not None and page.suffix != ".html":
        raise UserError(f"map={page} must end in .html: it is a page; a picture, .png, goes beside it")
    names = out.with_suffix(".csv") if out.suffix == ".npy" else None
    for key, path in (("out", out), ("out", names), ("map", page), ("map", page and page.with_suffix(".png"))):
        if path is not None and exists(str(path)):
            free = next(p for p in islice(numbered(out.with_suffix("") if key == "out" else path.with_suffix("")), 1, None) if free_of(p))
            raise UserError(f"{path} exists, and nothing is written over; write {key}={free}{Path(told[key]).suffix}")
    return out, names, page


def free_of(path: Path) -> bool:
    """Whether nothing of this name is there, with any ending that is written."""
    return not any(exists(f"{path}{ending}") for ending in (*ENDINGS, ".csv", ".html", ".png"))
