"""What `iwm predict` writes: one CSV with a row an image, and for dense tasks two PNGs an image.

Decisions:
- Nothing is ever overwritten: the default folder gets a number where it is taken, a chosen place that is taken is refused.
- An image's PNGs are whole before its row is written, and a row is written at once: what an interruption leaves can be used.
- A write that is refused takes back what was written of its image; where that is the first, all that was made, so that the same command
  can be tried again.
- Columns: ``file``; for a class ``TASK``, ``TASK.probability`` and ``TASK.CLASS`` for each; for labels ``TASK`` (those above `LIKELY`,
  joined with ``;``) and ``TASK.LABEL`` for each; for numbers ``TASK.NAME`` for each; for masks ``TASK.mask`` and ``TASK.confidence``,
  paths from the CSV's folder.
- A spreadsheet takes a cell for a formula by its first sign, also in quotes. Before such a sign, names of classes get an apostrophe, and
  names of files ``./``, by which they are still found. Numbers are written by us and stay numbers.
- PNGs are named after their images; names stay unique where case does not count, as on some file systems.
"""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED
from iwm_core.interfaces.errors import UserError
from iwm_core.run.files import numbered, writing
from iwm_tasks.prediction.mask_pictures import colour, make_mask, save_png
from iwm_tasks.tuning.tuned import Tuned

LIKELY = 0.5
"""The probability above which an image is said to have a label."""
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What a formula may begin with, the wide forms of East Asian scripts included."""


class Names:
    """Names that differ: one that is taken gets a number.

    Args:
        endings: what else is named: a name is free where it is with each of them.
        key: names with equal keys are equal.
    """

    def __init__(self, endings: tuple[str, ...] = ("",), key: Callable[[str], str] = str) -> None:
        self.endings, self.key = endings, key
        self.taken: set[str] = set()
        self.numbers: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        """The wanted name, or with the first number from 2 on that is free."""
        number = self.numbers.get(self.key(wanted), 1)
        while True:
            name = wanted if number == 1 else f"{wanted}-{number}"
            uses = {self.key(name + ending) for ending in self.endings}
            number += 1
            if not uses & self.taken:
                self.taken |= uses
                self.numbers[self.key(wanted)] = number
                return name


class AnswerFiles:
    """The files of one prediction.

    Args:
        tuned: whose answers are written.
        table: the CSV, which does not exist yet, in a folder that does.
        made: folders that were made for it, the lowest first.

    Raises:
        UserError: they cannot be written; nothing is left.
    """

    def __init__(self, tuned: Tuned, table: Path, made: list[Path]) -> None:
        self.tuned, self.table, self.made = tuned, table, made
        self.names = Names(("", "_confidence"), str.casefold)
        columns = Names()
        header = [columns.new(cell_of(column)) for column in ("file", *(c for name in tuned.tasks for c in self._columns(name)))]
        with self._taken_back():
            with writing(table.parent):
                for folder in (table.parent / name for name, task in tuned.tasks.items() if task.dense):
                    folder.mkdir()
                    self.made = [folder / "classes.csv", folder, *self.made]
                    self.made[0].write_text(as_csv(legend(tuned.outputs[folder.name])), encoding="utf-8")
            with writing(table):
                table.touch(exist_ok=False)
            self.made = [table, *self.made]
            self._append(header)

    def add(self, file: str, size: tuple[int, int], answers: dict[str, Float[Tensor, "o ..."]]) -> None:
        """Write what was answered for an image of ``size`` (height, width).

        Raises:
            UserError: it cannot be written; what was written before stays whole, and of this image nothing is left.
        """
        row = [f"./{file}" if file.startswith(FORMULA) else file]
        stem = self.names.new(Path(file).stem) if any(task.dense for task in self.tuned.tasks.values()) else ""
        with self._taken_back():
            for name, task in self.tuned.tasks.items():
                row += self._pictures(name, stem, size, answers[name]) if task.dense else self._cells(name, answers[name])
            self._append(row)
        self.made = []

    @contextmanager
    def _taken_back(self) -> Iterator[None]:
        """Remove what was made since the last row, where what is done meanwhile fails."""
        try:
            yield
        except BaseException:
            remove(self.made)
            raise

    def _columns(self, name: str) -> list[str]:
        task, each = self.tuned.tasks[name], [f"{name}.{output}" for output in self.tuned.outputs[name]]
        if task.dense:
            return [f"{name}.mask", f"{name}.confidence"]
        return {"class": [name, f"{name}.probability", *each], "labels": [name, *each], "numbers": each}[task.answer_kind]

    def _cells(self, name: str, answer: Float[Tensor, "o"]) -> list[str]:
        kind, outputs = self.tuned.tasks[name].answer_kind, self.tuned.outputs[name]
        numbers = [f"{number:.6g}" for number in answer.tolist()]
        if kind == "class":
            likeliest = int(answer.argmax())
            return [cell_of(outputs[likeliest]), numbers[likeliest], *numbers]
        if kind == "labels":
            return [";".join(cell_of(label) for label, likely in zip(outputs, answer > LIKELY, strict=True) if likely), *numbers]
        return numbers

    def _pictures(self, name: str, stem: str, size: tuple[int, int], answer: Float[Tensor, "o s s"]) -> list[str]:
        mask = make_mask(answer, size)
        files = [f"{name}/{stem}.png", f"{name}/{stem}_confidence.png"]
        self.made = [*(self.table.parent / file for file in (*files, f"{name}/.partial")), *self.made]
        with writing(self.table.parent / files[0]):
            save_png(mask.classes, self.table.parent / files[0], coloured=True)
            save_png(mask.confidence, self.table.parent / files[1])
        return files

    def _append(self, row: list[str]) -> None:
        with writing(self.table):
            before = self.table.stat().st_size
            try:
                with self.table.open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
                    file.write(as_csv([row]))
            except OSError:  # a full disk may have taken half of the row
                os.truncate(self.table, before)
                raise


def cell_of(text: str) -> str:
    """A name as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def as_csv(rows: Iterable[Iterable[object]]) -> str:
    """Rows as the text of a CSV file."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\r\n")  # so that a name with a \r is put into quotes, too
    lengths = [write.writerow(row) for row in rows]
    text.seek(0)
    return "".join(text.read(length).removesuffix("\r\n") + "\n" for length in lengths)


def legend(classes: tuple[str, ...]) -> list[tuple[object, ...]]:
    """What the values of masks mean, and their colours."""
    named = [*enumerate(classes), (NOT_COUNTED, "not seen: outside the centre square")]
    return [("value", "class", "colour"), *((value, cell_of(name), "#{:02x}{:02x}{:02x}".format(*colour(value))) for value, name in named)]


def refuse_taken(out: str | None) -> None:
    """Check the place that the user chose, before any work is done.

    Raises:
        UserError: something is there already.
    """
    if out is None:
        return
    path = Path(out)
    try:
        if path.is_dir() and any(path.iterdir()):
            raise UserError(f"out={out} is not empty; write out={free_name(path)}")
        if path.exists() and not path.is_dir():
            raise UserError(f"out={out} exists; write out={free_name(path)}")
    except OSError as error:
        raise UserError(f"cannot look into out={out}: {error.strerror}; choose another place") from error


def make_place(run: Path, out: str | None) -> tuple[Path, list[Path]]:
    """Where the CSV goes, and the folders that were made for it, the lowest first.

    Raises:
        UserError: they cannot be made; none is left.
    """
    path = run / "predictions" if out is None else Path(out)
    table = path if out is not None and is_table(out) else path / "predictions.csv"
    with writing(table.parent, "make the folder", "choose another place with out=FOLDER"):
        if out is None:
            folder = free_folder(path)
            return folder / table.name, [folder]
        made = [folder for folder in (table.parent, *table.parent.parents) if not folder.exists()]
        try:
            table.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            remove(made)
            raise
    return table, made


def remove(paths: list[Path]) -> None:
    """Remove files and empty folders, as far as they are there."""
    for path in paths:
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


def is_table(out: str) -> bool:
    """Whether a chosen place is a CSV file; else it is a folder."""
    return out.lower().endswith(".csv") and not Path(out).is_dir()


def free_name(path: Path) -> Path:
    """The path with the first number that makes it free."""
    name = path.stem.strip(".") or "answers"
    return next(free for free in islice(numbered(path.parent / name, path.suffix), 1, None) if not free.exists())


def free_folder(base: Path) -> Path:
    """Make and return the folder, with a number where it is taken."""
    for path in numbered(base):
        with suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError("there is always another number")
