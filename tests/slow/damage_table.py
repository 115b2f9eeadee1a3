"""What becomes of each damage of each file of a run, under each verb: the table that `slow/damages.py` holds iwm to.

A letter for each damage, in the order of `DAMAGES`:

    R  refused: status 2, one line of at most 400 signs, which names the file, or the folder that lacks it, or whose comparison is another;
       nothing has changed
    M  mended and said: status 0, a line names the file; the damaged one is kept beside it, and all else has the bits of an undamaged run;
       a log goes on with those of its lines that can be read, and what only the others told is in the copy alone
    S  mended and said by a reader, which may not write in a run: status 0, a line names the file, and the page leaves it out
    N  not needed, or written anew: status 0, not a word; all has the bits of an undamaged run, but for a log's last line where it was cut
       short, as by a kill: what it told is found again
    A  absent: status 0, not a word; page or summary tells less, as of a run that never had so much of the file
    P  refused at the end: what was trained is kept, with the bits of an undamaged run; status 2, one line names the file
    m  one bit of a log without checksums: M where a line is no JSON any more, else by what the bit is in
    s  as m: S where a line is no JSON any more
"""

import json
import re
from typing import NamedTuple

import yaml

from iwm_core.run.stored import checksum

DAMAGES = ("missing", "empty", "truncated", "one bit", "wrong type", "wrong shape", "other run's", "link", "directory", "FIFO")


class Cell(NamedTuple):
    """A damaged file and a command on its run."""

    run: str
    verb: str
    file: str
    damage: str


Rows = list[tuple[str, str]]
"""Files, and a letter for each damage."""

ALWAYS = "RRRRRRRRRR"
CONFIG: Rows = [(r"config\.yaml", ALWAYS)]
WEIGHTS: Rows = [(r"checkpoints/NEWEST/(model\.safetensors|state\.json)", ALWAYS)]
LOCK: Rows = [(r"\.lock", "NNNNNNNRRN")]
PLACING: Rows = [(r"\.placing", "NNNNNNNRRN")]
RESULT: Rows = [(r"eval/(mrr|classify)\.json", "NMMMMMMMMM")]
MENDED: Rows = [
    *RESULT,
    (r".*\.jsonl", "NNNmMMMMMM"),
    (r"not_applicable\.json", "NMMMMMMMMM"),
    (r"checkpoints/latest", "NNNNNNNNMN"),
    *LOCK,
    (r"\.placing", "NNNNNNNPPN"),
]
SHOWN: Rows = [
    (r"config\.yaml", "RRRRRRSRRR"),
    (r"(metrics|evaluations)\.jsonl", "AAAsSSSSSS"),
    (r"(env|eval/mrr|eval/classify)\.json", "ASSSSSSSSS"),
    (r"eval/mrr/.*\.png", "SSSSSSSSSS"),
    (r"checkpoints/NEWEST/state\.json", "SSSSSSSSSS"),
    (r"checkpoints/NEWEST/model\.safetensors", "AANNAANNAA"),  # of which the number of parameters is read
    (r"cost\.json", "ASSSSSSSSS"),
    (r"report\.html", "NRNNRRNNRR"),
    *PLACING,
]
PICTURES: Rows = [(r"eval/mrr(/.*)?\.png", "NNNNNNNRRR")]
COST: Rows = [(r"cost\.json", "NRRRRRRRRR")]

TABLE: dict[tuple[str, str], Rows] = {
    ("world", "resume"): [
        *CONFIG,
        *MENDED,
        (r"checkpoints/NEWEST/.*", ALWAYS),
        (r"eval/mrr(/.*)?\.png", "NNNNNNNPPP"),
    ],
    ("world", "eval"): [*CONFIG, *WEIGHTS, *PICTURES, (r"eval/mrr\.json", "NNNNNNNNRN"), *PLACING],
    ("world", "report"): SHOWN,
    ("world", "tune"): [*CONFIG, *WEIGHTS],
    ("half", "resume"): [
        *CONFIG,
        *MENDED,
        (r"checkpoints/NEWEST/.*", ALWAYS),
        (r"eval/classify_rows\.safetensors", "NNNNNNNNPN"),
    ],
    ("tuned", "resume"): [*CONFIG, *RESULT, *COST, (r"checkpoints/NEWEST/state\.json", ALWAYS)],
    ("tuned", "eval"): [
        *CONFIG,
        *WEIGHTS,
        (r"cost\.json", "ARRRRRRRRR"),
        (r"eval/classify_rows\.safetensors", "NNNNNNNNRN"),
        (r"eval/classify\.json", "NNNNNNNNRN"),
        *PLACING,
    ],
    ("tuned", "report"): SHOWN,
    ("tuned", "predict"): [*CONFIG, *WEIGHTS],
    ("folder", "compare"): [
        (r"comparison\.yaml", ALWAYS),
        (r"comparison\.\w+", "NNNNNNNNRN"),
        *LOCK,
        (r"TUNED/config\.yaml", ALWAYS),
        (r"TUNED/checkpoints/NEWEST/state\.json", ALWAYS),
        (r"TUNED/cost\.json", "NRRRRRRRRR"),
        (r"TUNED/eval/classify\.json", "NMMMMMMMMM"),
        (r"TUNED/eval/classify_rows\.safetensors", "NRRRRRRRRR"),
    ],
}
"""By run and verb. The first pattern that fits a file counts; a file that fits none is not needed, whatever its damage."""

PLACES = {"NEWEST": {"world": "step_2", "half": "step_2", "tuned": "step_3", "folder": "step_3"}, "TUNED": "probe_linear-seed0"}


def expected(cell: Cell) -> str:
    """The letter of a cell in the table."""
    for pattern, letters in TABLE[cell.run, cell.verb]:
        pattern = pattern.replace("NEWEST", PLACES["NEWEST"][cell.run]).replace("TUNED", PLACES["TUNED"])
        if re.fullmatch(pattern, cell.file):
            return letters[DAMAGES.index(cell.damage)]
    return "N"


def fits(letter: str, cell: Cell, content: bytes) -> bool:
    """Whether an outcome is the one wanted of a file that holds ``content``, once damaged."""
    wanted = expected(cell)
    if cell.damage == "one bit" and unharmed(content):
        return letter in ("N", "A", wanted.upper())
    if wanted in "ms" and readable(content):
        return letter in ("N", "A", wanted.upper())
    return letter == wanted.upper()


def unharmed(record: bytes) -> bool:
    """Whether a record says what it said: the bit was in the word "checksum", or of how a value is written: ``0.5`` and `` .5`` are one."""
    try:
        content = yaml.safe_load(record)  # of which JSON is a part
        return isinstance(content, dict) and content.get("checksum") in (None, checksum(content))
    except (yaml.YAMLError, TypeError, ValueError):  # TypeError: keys that are no texts
        return False


def readable(log: bytes) -> bool:
    """Whether each line of a log is JSON."""
    try:
        for line in log.splitlines():
            json.loads(line)
    except ValueError:
        return False
    return True
