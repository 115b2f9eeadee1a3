"""Every file of a run, damaged in every way, under every verb that reads it: each cell has its outcome in `TABLE`.

    python tests/slow/damages.py [--number N] [--seed S] [--show]

Runs all cells, or N of them drawn by the seed; prints what is not as the table says, and exits 1. A command is a forked process, which
has a minute; nothing is computed before the fork, so that no pool of threads is copied half-alive.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

DAMAGES = ("missing", "empty", "truncated", "one bit", "wrong type", "wrong shape", "other run's", "link", "directory", "FIFO")
SECONDS = 60

# A letter for each damage, in the order of DAMAGES:
#   R  refused: status 2 and one line that names the file
#   M  mended and said: status 0, a line that names the file, the damaged one is kept beside it
#   S  said: status 0, a line that names the file, which is left out of what is shown or written anew
#   N  not needed, or whole: status 0; what is trained has the same bits
#   l  by what the flipped bit or the cut is in, any of them: a digit of a log is another digit, a line that is cut short was cut by a kill
# The first pattern that fits a file counts.
ALWAYS = "RRRRRRRRRR"
LOG = [(r".*\.jsonl", "NNllMMNMMM")]
SHOWN_LOG = [(r"(metrics|evaluations)\.jsonl", "NNllSSNSSS")]
RECORD = [(r"not_applicable\.json", "NMMlMMNMMM")]
RESULT = [(r"eval/(mrr|classify)\.json", "NMMlMMNMMM")]
CONFIG = [(r"config\.yaml", ALWAYS)]
NEWEST = {"world": "step_2", "half": "step_2", "tuned": "step_3", "folder": "step_3"}
TABLE: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("world", "resume"): [
        *CONFIG,
        *LOG,
        *RECORD,
        *RESULT,
        (r"checkpoints/latest", "NNNNNNNNMN"),
        (r"checkpoints/NEWEST/.*", ALWAYS),
        (r"eval/mrr(/.*)?\.png", "NNNNNNNRRN"),
    ],
    ("world", "eval"): [
        *CONFIG,
        (r"checkpoints/NEWEST/(model.safetensors|state.json)", ALWAYS),
        (r"eval/mrr(/.*)?\.png", "NNNNNNNRRN"),
        (r"eval/mrr\.json", "NNNNNNNNRN"),
    ],
    ("world", "report"): [
        ("config.yaml", "RRRRRRSRRR"),
        *SHOWN_LOG,
        (r"env\.json", "NSSlSSNSSS"),
        (r"eval/mrr\.json", "NSSlSSNSSS"),
        (r"eval/mrr/.*\.png", "SSSlSSNSSS"),
        (r"checkpoints/NEWEST/state.json", "SSSSSSSSSS"),
    ],
    ("world", "tune"): [("config.yaml", ALWAYS), (r"checkpoints/NEWEST/(model.safetensors|state.json)", ALWAYS)],
    ("half", "resume"): [
        *CONFIG,
        *LOG,
        *RECORD,
        *RESULT,
        (r"checkpoints/latest", "NNNNNNNNMN"),
        (r"checkpoints/NEWEST/.*", ALWAYS),
        (r"eval/classify_rows\.safetensors", "NNNNNNNNRN"),
    ],
    ("tuned", "resume"): [*CONFIG, *RESULT, ("cost.json", "NRRlRRNRRR"), (r"checkpoints/NEWEST/state.json", ALWAYS)],
    ("tuned", "eval"): [
        *CONFIG,
        (r"checkpoints/NEWEST/(model.safetensors|state.json)", ALWAYS),
        ("cost.json", "NRRlRRNRRR"),
        (r"eval/classify\.json", "NNNNNNNNRN"),
        (r"eval/classify_rows\.safetensors", "NNNNNNNNRN"),
    ],
    ("tuned", "report"): [
        ("config.yaml", "RRRRRRSRRR"),
        *SHOWN_LOG,
        (r"env\.json", "NSSlSSNSSS"),
        (r"eval/classify\.json", "NSSlSSNSSS"),
        (r"checkpoints/NEWEST/state.json", "SSSSSSSSSS"),
    ],
    ("tuned", "predict"): [*CONFIG, (r"checkpoints/NEWEST/(model.safetensors|state.json)", ALWAYS)],
    ("folder", "compare"): [
        (r"comparison\.yaml", ALWAYS),
        (r"comparison\.\w+", "NNNNNNNNRN"),
        (r"probe_linear-seed0/config.yaml", ALWAYS),
        (r"probe_linear-seed0/checkpoints/NEWEST/state.json", ALWAYS),
        (r"probe_linear-seed0/cost.json", "NRRlRRNRRR"),
        (r"probe_linear-seed0/eval/classify\.json", "NMMlMMNMMM"),
        (r"probe_linear-seed0/eval/classify_rows\.safetensors", "NRRRRRRRRR"),
    ],
}
"""By run and verb: files, and what becomes of each damage; a file that fits no pattern is not needed."""


class Cell(NamedTuple):
    """A damaged file and a command on its run."""

    run: str
    verb: str
    file: str
    damage: str


class Result(NamedTuple):
    """What came of a command."""

    status: int
    errors: list[str]
    seconds: float


def register() -> None:
    """The tiny plugin among the installed ones."""
    import tiny_plugin

    from iwm_core.plugins import KINDS, Plugin, load_plugins

    load_plugins.cache_clear()
    plugins = load_plugins()
    plugins.plugins.append(Plugin("tiny", "tiny-plugin", "0", tiny_plugin))
    plugins.manager.register(tiny_plugin)
    for kind in KINDS:
        plugins.entries(kind)
    for module in ("work", "report.page", "comparison.work", "tuning.work", "prediction.work"):
        __import__(f"iwm_core.{module}")
    import iwm_core.comparison.work as comparing

    start = comparing.run_job  # a job is a process of its own, which has to know the plugin, too
    comparing.run_job = lambda words: start([words[0], str(Path(tiny_plugin.__file__).with_name("tiny_command.py")), *words[3:]])


def run(folder: Path, *words: str) -> Result:
    """A command line in a forked process."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.alarm(SECONDS)
        os.chdir(folder)
        for number, name in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        import traceback

        from iwm_core.cli import dispatch, guarded

        try:
            status = guarded(lambda: dispatch(list(words)))
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    lines = [line for line in (folder / ".err").read_text(errors="replace").splitlines() if line.strip()]
    return Result(os.waitstatus_to_exitcode(status), lines, time.monotonic() - began)


TRAIN = [
    "train",
    "recipe=tiny",
    "data=taught",
    "data.max_corrupt=0.5",
    "predictor=feature",
    "predictor.depth=2",
    "train.steps=3",
    "train.keep=3",
]
TRAIN += ["train.checkpoint_every=1", "train.log_every=1", "evaluators=[mrr]", "evaluators.mrr.every=1", "evaluators.mrr.bank=4"]
TUNE = [
    "budget=cpu",
    "launch.workers=0",
    "launch.device=cpu",
    "train.batch_size=12",
    "train.epochs=null",
    "train.steps=3",
    "train.resamples=20",
]
TUNE += ["train.checkpoint_every=1", "train.keep=3", "train.log_every=1", "train.lr.warmup=0", "train.evaluate_every=1"]
COMPARE = ["compare", "whole", "protocols=[probe_linear]", "seeds=1", "run=folder", *TUNE]


def make_runs(folder: Path) -> None:
    """Runs to be damaged: a world model and a tuning of it, each interrupted before its last step; a comparison; and others like them."""
    for commands in (
        [*TRAIN, "run=whole"],
        [*TRAIN, "run=other", "train.seed=1"],
        ["tune", "whole", "recipe=tune/probe_linear", *TUNE, "run=tuned"],
        ["tune", "whole", "recipe=tune/probe_linear", *TUNE, "run=tuned-other", "train.seed=1"],
        ["tune", "whole", "recipe=tune/probe_linear", *TUNE, "run=folder/probe_linear-seed0", "train.seed=0"],
    ):
        made = run(folder, *commands)
        assert made.status == 0, made
    from iwm_core.comparison.asked import read_asked
    from iwm_core.comparison.folder import write_folder

    here = Path.cwd()
    os.chdir(folder)
    write_folder(folder / "folder", read_asked("whole", COMPARE[2:])[0])
    os.chdir(here)
    made = run(folder, *COMPARE)
    assert made.status == 0, made
    for name in ("whole", "other", "tuned", "tuned-other"):
        (folder / name / "quarantine.jsonl").write_text(
            json.dumps({"index": 10_000, "name": name, "reason": "no image of the split"}) + "\n"
        )
        (folder / name / "not_applicable.json").write_text(json.dumps({"rank": {"step": 3, "reason": "none"}}, indent=1))
    for whole, begun in (("whole", "world"), ("tuned", "half")):
        shutil.copytree(folder / whole, folder / begun)
        shutil.rmtree(folder / begun / "checkpoints/step_3")
        (folder / begun / "checkpoints/latest").write_text("step_2")
        (folder / begun / "cost.json").unlink(missing_ok=True)
    from PIL import Image

    Image.new("RGB", (20, 20), (90, 20, 200)).save(folder / "image.png")
    shutil.copytree(folder / "folder", folder / "folder-other")
    changed = folder / "folder-other/comparison.yaml"
    changed.write_text(changed.read_text().replace("world_model: whole", "world_model: other").partition("checksum:")[0])


PLACES = {"world": "other", "half": "tuned-other", "tuned": "tuned-other", "folder": "folder-other"}
"""The runs to be damaged, and whence other runs' files come."""

OLDER = {"tuned": ("step_1", "step_2"), "folder": ("step_1", "step_2")}
"""Checkpoints before the newest, which nobody reads."""

COMMANDS = {
    ("world", "resume"): ["resume", "world"],
    ("world", "eval"): ["eval", "world"],
    ("world", "report"): ["report", "world"],
    ("world", "tune"): ["tune", "world", "recipe=tune/probe_linear", *TUNE, "run=new"],
    ("half", "resume"): ["resume", "half"],
    ("tuned", "resume"): ["resume", "tuned"],
    ("tuned", "eval"): ["eval", "tuned"],
    ("tuned", "report"): ["report", "tuned"],
    ("tuned", "predict"): ["predict", "tuned", "image.png"],
    ("folder", "compare"): COMPARE,
}


def files_of(folder: Path) -> Iterator[str]:
    """The files of a run, or of a comparison, but locks; of many pictures one."""
    pictures = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (".lock", ".placing", "report.html"):
            if path.parent.name in OLDER.get(folder.name, ("step_1",)):
                continue
            pictures += path.suffix == ".png" and path.parent.parent.name == "eval"
            if not (path.suffix == ".png" and path.parent.parent.name == "eval" and pictures > 1):
                yield str(path.relative_to(folder))


def damage(path: Path, how: str, other: Path, seed: int) -> None:
    """Damage a file."""
    whole = path.read_bytes()
    path.unlink()
    if how == "missing":
        return
    if how == "link":
        elsewhere = path.parents[3] if "checkpoints" in path.parts else path.parents[2]
        (elsewhere / "elsewhere").write_bytes(whole)
        path.symlink_to(elsewhere / "elsewhere")
    elif how == "directory":
        path.mkdir()
    elif how == "FIFO":
        os.mkfifo(path)
    else:
        path.write_bytes(content(path, whole, how, other, seed))


def content(path: Path, whole: bytes, how: str, other: Path, seed: int) -> bytes:
    """A damaged file's bytes."""
    if how == "empty":
        return b""
    if how == "truncated":
        return whole[: len(whole) // 2]
    if how == "one bit":
        place = random.Random(seed).randrange(len(whole) * 8)
        return whole[: place // 8] + bytes([whole[place // 8] ^ 1 << place % 8]) + whole[place // 8 + 1 :]
    if how == "other run's":
        return other.read_bytes()
    if how == "wrong type":
        return b"[1, 2]\n" if path.suffix in (".json", ".jsonl", ".yaml") else b"a text\n"
    if path.suffix == ".safetensors":
        from safetensors.numpy import load, save

        return save({name: tensor.reshape(-1)[: max(tensor.size // 2, 1)] for name, tensor in load(whole).items()})
    if path.suffix in (".json", ".jsonl"):
        lines = [json.loads(line) for line in (whole.splitlines() if path.suffix == ".jsonl" else [whole])]
        return b"".join(json.dumps({key: ["odd"] for key in line if key != "checksum"}).encode() + b"\n" for line in lines)
    if path.suffix == ".yaml":
        return b"".join(
            line.partition(b":")[0] + b": [odd]\n" for line in whole.splitlines() if line[:1].isalpha() and b"checksum" not in line
        )
    return whole[::-1]


def cells(folder: Path) -> list[Cell]:
    """All cells."""
    return [
        Cell(name, verb, file, how)
        for (name, verb) in COMMANDS
        for file in files_of(folder / name)
        for how in DAMAGES
        if not (how == "other run's" and not (folder / PLACES[name] / file).is_file())
    ]


def outcome(folder: Path, cell: Cell, references: dict[str, bytes], seed: int) -> tuple[str, Result]:
    """What came of a cell: a letter of the table, or ``!`` and what is wrong."""
    place = Path(tempfile.mkdtemp(dir=folder, prefix="cell"))
    try:
        for name in {cell.run, "whole"} if cell.run == "folder" else {cell.run}:
            shutil.copytree(folder / name, place / name)
        shutil.copy(folder / "image.png", place)
        target = place / cell.run / cell.file
        damage(target, cell.damage, folder / PLACES[cell.run] / cell.file, seed)
        before = set(place.rglob("*"))
        found = run(place, *COMMANDS[cell.run, cell.verb])
        named = [line for line in found.errors if target.name in line or target.parent.name in line]
        if any("Traceback" in line for line in found.errors) or found.status not in (0, 2):
            return f"! status {found.status}", found
        if found.status == 2:
            left = [
                p.name for p in place.rglob("*") if p not in before and p.name not in (".out", ".err", ".lock", ".placing", "report.html")
            ]
            return ("R" if len(found.errors) == 1 and named and not [n for n in left if "partial" in n] else "! refused otherwise"), found
        if (
            cell.verb == "resume"
            and not cell.file.endswith("step_3/model.safetensors")
            and weights(place / cell.run) != references[cell.run]
        ):
            return "! other bits", found
        if any(p.name.startswith(f"{target.name}.damaged") for p in target.parent.iterdir()):
            return ("M" if named else "! mended without a word"), found
        return ("S" if named else "N"), found
    finally:
        shutil.rmtree(place, ignore_errors=True)


def weights(path: Path) -> bytes:
    """The last weights of a run."""
    return (path / "checkpoints/step_3/model.safetensors").read_bytes()


def main() -> int:
    """Run all cells or some; returns how many are not as the table says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print every cell's outcome")
    asked = parser.parse_args()
    register()
    with tempfile.TemporaryDirectory() as temporary:
        return 1 if check(Path(temporary), asked.number, asked.seed, print, asked.show) else 0


def check(folder: Path, number: int | None, seed: int, tell: Callable[[str], object], show: bool = False) -> list[str]:
    """Run all cells, or a number of them; returns what is not as the table says."""
    make_runs(folder)
    references = {"world": weights(folder / "whole"), "half": weights(folder / "tuned"), "tuned": weights(folder / "tuned")}
    todo = cells(folder)
    total = len(todo)
    if number is not None:
        todo = random.Random(seed).sample(todo, min(number, total))
    else:
        random.Random(seed).shuffle(todo)
    wrong, counts, slowest = [], Counter(), 0.0
    for cell in todo:
        letter, found = outcome(folder, cell, references, seed)
        counts[letter[0]] += 1
        slowest = max(slowest, found.seconds)
        if show:
            tell(f"{letter[0]} {cell.run} {cell.verb} {cell.file} {cell.damage}: {found.errors[-1:]} {found.seconds:.1f}")
        if not fits(letter, expected(cell)):
            wrong.append(f"{letter}, not {expected(cell)}: {cell.verb} {cell.run}, {cell.file} {cell.damage}: {found.errors[-3:]}")
            tell(wrong[-1])
            sys.stdout.flush()
    tell(f"{len(todo)} of {total} cells, {dict(counts)}; slowest {slowest:.1f} s; {len(wrong)} not as the table says")
    return wrong


def expected(cell: Cell) -> str:
    """The letter of a cell in the table."""
    for pattern, letters in TABLE[cell.run, cell.verb]:
        if re.fullmatch(pattern.replace("NEWEST", NEWEST[cell.run]), cell.file):
            return letters[DAMAGES.index(cell.damage)]
    return "N"


def fits(letter: str, wanted: str) -> bool:
    """Whether an outcome is the one wanted."""
    return letter == wanted or (wanted == "l" and letter in "MSNR")


if __name__ == "__main__":
    sys.exit(main())
