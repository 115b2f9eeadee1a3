"""Every file of a run, damaged in every way, under every verb that reads it: each cell has its outcome in `tests/slow/damage_table.py`.

::

    python tests/slow/damages.py [--number N] [--seed S] [--only TEXT] [--show]

Runs all cells, or N of them drawn by the seed, or those whose words hold a text; prints what is not as the table says, and exits 1.
"""

import argparse
import hashlib
import os
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "furniture"))

from damage_table import DAMAGES, Cell, expected, fits
from damaged_runs import COMMANDS, OTHERS, Result, damage, files_of, make_runs, prepare, run

LONGEST = 400  # signs of a line
TIMED = re.compile(r"(.*/)?((metrics|evaluations)\.jsonl|(state|cost|env)\.json)")
"""Files that tell how long something took, and so are never twice the same."""
OWN = (".lock", ".placing", ".out", ".err", "elsewhere")
"""Files that are not compared: locks, and this program's."""

SHOWN = {"world/report.html", "tuned/report.html", "tuned/eval/classify.json"}
"""What tells of several files, and so may tell less."""

Tree = dict[str, str]
"""Paths below a folder, and what is there: kind and digest."""


def tree(folder: Path) -> Tree:
    """All that lies in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name in OWN:
            continue
        if path.is_symlink():
            told = f"link to {path.readlink().name}"
        else:
            told = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder" if path.is_dir() else "FIFO"
        found[str(path.relative_to(folder))] = told
    return found


class Table:
    """The cells, and how to try one.

    Args:
        folder: where runs are made.
        seed: of the bits that are flipped.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed, self.place = folder / "made", seed, folder / "cell"
        prepare(folder)
        self.place.mkdir()
        make_runs(self.place)  # where they are damaged: what has moved is written anew
        self.place.rename(self.folder)
        self.references: dict[tuple[str, str], tuple[Tree, str]] = {}
        self.cells = [
            Cell(name, verb, file, how)
            for (name, verb) in COMMANDS
            for file in files_of(self.folder / name)
            for how in DAMAGES
            if how != "other run's" or self.differs(name, file)
        ]

    def differs(self, name: str, file: str) -> bool:
        """Whether another run has this file, too, and not the same one."""
        other = self.folder / OTHERS[name] / file
        return other.is_file() and other.read_bytes() != (self.folder / name / file).read_bytes()

    def lay(self, name: str) -> None:
        """Copies of a run, and of what it needs, in one and the same place."""
        shutil.rmtree(self.place, ignore_errors=True)
        for one in {name, "whole"} if name == "folder" else {name}:
            shutil.copytree(self.folder / one, self.place / one)
        shutil.copy(self.folder / "image.png", self.place)

    def reference(self, name: str, verb: str) -> tuple[Tree, str]:
        """What the command makes of an undamaged run, and what it prints where that is what it is for."""
        if (name, verb) not in self.references:
            self.lay(name)
            done = run(self.place, *COMMANDS[name, verb])
            assert done.status == 0, done
            assert not done.errors, done
            self.references[name, verb] = tree(self.place), self.printed(verb)
        return self.references[name, verb]

    def printed(self, verb: str) -> str:
        """What was printed, of a verb that is for that."""
        return (self.place / ".out").read_text() if verb == "predict" else ""

    def outcome(self, cell: Cell) -> tuple[str, Result, bytes]:
        """What came of a cell: a letter of the table, or ``!`` and what is wrong; and what the damaged file held."""
        reference, printed = self.reference(cell.run, cell.verb)
        self.lay(cell.run)
        target = self.place / cell.run / cell.file
        made = damage(target, cell.damage, self.folder / OTHERS[cell.run] / cell.file, self.place / "elsewhere", f"{self.seed} {cell}")
        before = tree(self.place)
        found = run(self.place, *COMMANDS[cell.run, cell.verb])
        after = tree(self.place)
        told = f"{cell.run}/{cell.file}"
        kept = any(path.startswith(f"{told}.damaged") for path in after)
        # What nobody needed stays as it was; what a run of this kind does not write anew is gone once it is put aside, or cut from a log.
        gone = (kept and told not in after) or fewer(target, self.folder / cell.run / cell.file)
        untouched = {told} if gone or after.get(told) == before.get(told) else set[str]()
        differing = {
            path
            for path in {*after, *reference} - untouched
            if after.get(path) != reference.get(path) and not TIMED.fullmatch(path) and not path.startswith(f"{told}.damaged")
        }
        lacks = rf"(is not a run: it has|holds other things, and) no {re.escape(target.name)}"
        folder = re.compile(rf"{target.parent.name} ({lacks}|holds a comparison of )")
        named = [line for line in found.errors if told in line or folder.search(line)]
        letter = judged(found, named, before != after, differing, kept)
        return ("! printed otherwise" if letter == "N" and self.printed(cell.verb) != printed else letter), found, made


def fewer(log: Path, whole: Path) -> bool:
    """Whether a log holds nothing but lines that it held before it was damaged."""
    return log.suffix == ".jsonl" and log.is_file() and {*log.read_bytes().splitlines()} <= {*whole.read_bytes().splitlines()}


def judged(found: Result, named: list[str], changed: bool, differing: set[str], kept: bool) -> str:
    """The letter of an outcome, or ``!`` and what is wrong.

    Args:
        found: what came of the command.
        named: lines that name the damaged file.
        changed: whether anything is there that was not before.
        differing: files that are not those of an undamaged run, but for the damaged one where it is as it was.
        kept: whether the damaged file is kept under another name.
    """
    if any("Traceback" in line for line in found.errors) or found.status not in (0, 2):
        return f"! status {found.status}"
    if any(len(line) > LONGEST for line in found.errors):
        return "! a line is too long"
    if found.status == 2:
        if len(found.errors) != 1 or not named:
            return "! not refused in one line that names the file"
        if not changed:
            return "R"
        return "P" if all("/eval/" in path for path in differing) else f"! refused, but changed {sorted(differing)[:3]}"
    if not differing <= SHOWN:
        return f"! other bits: {sorted(differing)[:3]}"
    if named:
        return "M" if kept and not differing else "S"
    return "! kept without a word" if kept else "A" if differing else "N"


def check(folder: Path, number: int | None, seed: int, tell: Callable[[str], object], only: str = "", show: bool = False) -> list[str]:
    """Try all cells, or a number of them; returns what is not as the table says."""
    table = Table(folder, seed)
    todo = [cell for cell in table.cells if only in " ".join(cell)]
    assert todo, "nothing to try"
    random.Random(seed).shuffle(todo)
    wrong, counts, slowest = list[str](), Counter[str](), 0.0
    for cell in todo[:number]:
        letter, found, made = table.outcome(cell)
        counts[letter[0]] += 1
        slowest = max(slowest, found.seconds)
        if show:
            tell(f"{letter} {' '.join(cell)}: {found.errors[-1:]} {found.seconds:.1f}")
        if not fits(letter, cell, made):
            wrong.append(f"WRONG {letter}, not {expected(cell)}: {' '.join(cell)}: {found.errors[-3:]}")
            tell(wrong[-1])
    tried = len(todo[:number])
    tell(f"{tried} of {len(table.cells)} cells, {dict(counts)}; slowest {slowest:.1f} s; {len(wrong)} not as the table says")
    return wrong


def main() -> int:
    """Try all cells or some; returns 1 where any is not as the table says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cells whose words hold this text, such as 'report eval/'")
    parser.add_argument("--show", action="store_true", help="print every cell's outcome")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        return 1 if check(Path(temporary), asked.number, asked.seed, lambda text: print(text, flush=True), asked.only, asked.show) else 0


if __name__ == "__main__":
    sys.exit(main())
