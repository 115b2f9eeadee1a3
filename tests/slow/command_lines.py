"""Random command lines, plausible and hostile: each is carried out or refused in one line, whatever stands in it.

    python tests/slow/command_lines.py [--number 1000] [--seed 0]

Decisions:
- All lines run in one process, in a folder that holds runs whole and damaged, images, a FIFO, and that is put back after each change.
- Work that would be long is cut short where it would begin: trainings of more than a few steps, several processes, jobs.
- What is checked of every line is in `faults`; that messages are good is for people and for `test_mistakes.py`.
"""

import argparse
import contextlib
import io
import os
import random
import resource
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from iwm_core import work
from iwm_core.cli import VERBS, dispatch, guarded
from iwm_core.comparison import work as comparison
from iwm_core.jobs import Ended
from iwm_core.overrides import keys_of
from iwm_core.schema import SCHEMAS
from iwm_core.shown import LONGEST
from iwm_core.signals import Stopped

SECONDS = 60
"""After which a line hangs."""

LINE = "\x1b[31mred", "two\nlines", "tab\there", "ü☃", "\udcff", "\u202eabc"
PATHS = (
    *("world", "tuned", "young", "torn", "other", "empty", "images", "file.txt", "fifo", "runs", "nowhere", ".", "..", "/dev/null"),
    *("world/checkpoints", "world/checkpoints/step_2", "world/config.yaml", "world/", "./world", "a" * 300, "b/" * 150, "report.html"),
)
VALUES = (
    *("", "null", "nan", "inf", "-inf", "-1", "0", "1", "2", "3.5", "1e-3", "1e3", "1e400", "9" * 30, "9" * 400, "true", "none", "auto"),
    *("[]", "[1,2]", "[[[[1]]]]", "[" * 200, "[1", "{a:1}", "{", "{}", "'", '"', "''", "'\\''", "a b", "a,b", "1,2", "range(3)", "glob(*)"),
    *("choice(1,2)", "interval(0,1)", "${oc.env:HOME}", "${x}", "${train.steps}", "${", "???", "=", "a=b", "*", "@x", "0x10", "1_000"),
    *("2 epochs", "'2 epochs'", "soon", "x" * 3000, "_target_", "vit", "gain", "[gain]", "[gain,gain]", "noise", "folder", "hub", "taught"),
    *("feature", "[mrr]", "[health]", "[scorecard]", "cpu", "gpu", "../../x", "%s", "{0}", "\\", "`id`", "$(id)", *LINE, *PATHS),
)
OPTIONS = (
    *("encoder.depth", "encoder.width", "encoder.heads", "encoder.model", "encoder.patch_size", "predictor.depth", "predictor.width"),
    *("targets.share", "actions.gain.strength", "actions.blur.p", "data.count", "data.path", "data.cache", "data.size", "data.name"),
    *("data.max_corrupt", "evaluators.mrr.bank", "evaluators.health.every", "tasks.classify.of", "heads.linear", "protocol.lr_scale"),
)
ODD = (
    *("", ".", "..", "a..b", "train.", ".train", "train.lr.", "train.steps.x", "+x", "++train.steps", "+train.x", "~train.steps", "~data"),
    *("train.steps@x", "encoder@predictor", "hydra.run.dir", "k" * 300, "data/x", "launch", "train", "view", "size", "budget", "recipe"),
    *("encoder.name", "actions.gain.name", "world_model", "world_model.run", "format", "checksum", "train[0]", "train.betas[0]", *LINE),
)
WORDS = ("-m", "--multirun", "--help", "-h", "--json", "--", "-", "=", "--train.steps=3", "train.steps", "train.steps:3", "quickstart", "3")
RECIPES = ("tiny", "tiny", "tiny", "quickstart", "tune/predictor", "tune/probe_linear", "tinny", "./my.yaml", "tiny,quickstart", "size/cpu")
KINDS = ("action", "predictor", "task", "actoin", "evaluator", "data_source", "head")


class Line(NamedTuple):
    """A command line and what came of it."""

    words: list[str]
    status: int | None
    out: str
    err: str
    error: str
    left: list[str]


class Hangs(BaseException):
    """A line took too long."""


def line_of(seed: int, number: int) -> list[str]:
    """A command line, the same for the same numbers."""
    draw = random.Random(f"{seed} {number}")
    verb = draw.choice([*VERBS, "train", "train", "train", "show", "show", "eval", "resume"])
    words = {
        "train": lambda: [*recipe(draw), *some(draw, settings)],
        "show": lambda: [*recipe(draw), *some(draw, settings)],
        "tune": lambda: [path(draw), *recipe(draw, "tune/probe_linear"), *some(draw, settings)],
        "compare": lambda: [path(draw), *draw.choice([[], ["seeds=1"], ["seeds=" + value(draw)]]), *protocols(draw), *some(draw, settings)],
        "predict": lambda: [path(draw), path(draw), *some(draw, asked("out", "batch", "workers", "device"))],
        "report": lambda: [path(draw), *some(draw, path), *some(draw, asked("out"))],
        "recipes": lambda: some(draw, value),
        "components": lambda: [*some(draw, lambda d: d.choice(KINDS)), *some(draw, value)],
        "plugins": lambda: draw.choice([[], ["check", value(draw)], ["new", value(draw), "--kind", draw.choice(KINDS)], [value(draw)]]),
    }.get(verb, lambda: [path(draw), *some(draw, settings)])()
    if draw.random() < 0.15:
        words.insert(draw.randrange(len(words) + 1), draw.choice([*WORDS, value(draw)]))
    if draw.random() < 0.05 and words:
        words.append(draw.choice(words))
    if draw.random() < 0.1:
        draw.shuffle(words)
    return [misspelt(draw, verb) if draw.random() < 0.04 else verb, *words]


def some(draw: random.Random, make) -> list[str]:
    return [make(draw) for _ in range(draw.choice([0, 1, 1, 1, 2, 3]))]


def recipe(draw: random.Random, likely: str = "tiny") -> list[str]:
    if draw.random() < 0.7:
        return [f"recipe={likely}"]
    return draw.choice([[], [f"recipe={draw.choice(RECIPES)}"], [f"recipe={value(draw)}"], ["recipe=tiny", "recipe=tiny"]])


def protocols(draw: random.Random) -> list[str]:
    return draw.choice([[], ["protocols=[probe_linear]"], ["protocols=" + value(draw)], ["probe_linear:train.steps=2"]])


def path(draw: random.Random) -> str:
    return draw.choice(["world", "world", "tuned", *PATHS, value(draw)])


def value(draw: random.Random) -> str:
    return misspelt(draw, draw.choice(VALUES)) if draw.random() < 0.1 else draw.choice(VALUES)


def asked(*keys: str):
    return lambda draw: f"{draw.choice(keys)}={value(draw)}"


def settings(draw: random.Random) -> str:
    known = [*keys_of(draw.choice(SCHEMAS)), *OPTIONS, "run", "train.steps", "checkpoint"]
    key = draw.choice(known if draw.random() < 0.8 else ODD)
    return f"{misspelt(draw, key) if draw.random() < 0.1 else key}={value(draw)}"


def misspelt(draw: random.Random, word: str) -> str:
    """With a sign left out, doubled, or exchanged for its neighbour."""
    if not word:
        return word
    place = draw.randrange(len(word))
    return draw.choice(
        [word[:place] + word[place + 1 :], word[:place] + word[place] + word[place:], word[:place] + "x" + word[place + 1 :]]
    )


def furnish(folder: Path) -> None:
    """What lies in the folder that lines run in."""
    from PIL import Image

    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        for words in (
            ["train", "recipe=tiny", "data=taught", "predictor=feature", "predictor.depth=2", "train.steps=2", "run=world"],
            [
                *("tune", "world", "recipe=tune/probe_linear", "launch.workers=0", "launch.device=cpu", "train.batch_size=12"),
                *("train.epochs=null", "train.steps=2", "train.resamples=20", "train.lr.warmup=0", "run=tuned"),
            ],
        ):
            assert guarded(lambda words=words: dispatch(words)) == 0, words
        for name in ("young", "torn", "other"):
            shutil.copytree("world", name)
        shutil.rmtree("young/checkpoints")
        weights = Path("torn/checkpoints/step_2/model.safetensors")
        weights.write_bytes(weights.read_bytes()[:1000])
        Path("other/config.yaml").write_text("a: [")
        Path("empty").mkdir()
        Path("file.txt").write_text("words")
        for split in ("train", "validation"):
            for number in range(16):
                place = Path("images") / split / "ab"[number % 2] / f"{number}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (20, 20), (number, 0, 0)).save(place)


def put_back(whole: Path, folder: Path) -> None:
    """Make the folder what it was."""
    with contextlib.chdir(folder):
        for entry in Path().iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        shutil.copytree(whole, ".", dirs_exist_ok=True)
        os.mkfifo("fifo")


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """What lies in a folder, by path."""
    return {str(entry.relative_to(folder)): ((about := entry.lstat()).st_size, about.st_mtime_ns) for entry in folder.rglob("*")}


@contextlib.contextmanager
def short_work() -> Iterator[None]:
    """While entered, what would take long is left out."""
    real = {name: getattr(work, name) for name in ("train_here", "measure_run", "spawn")}

    def cut(name: str, recipe):
        steps = recipe.train.steps if name == "train_here" else 0
        if steps is None or steps > 8 or recipe.launch.workers > 2 or recipe.train.batch_size > 64 or recipe.launch.device != "cpu":
            raise Stopped("cut short", 130)

    def train_here(run, recipe, *rest):
        cut("train_here", recipe)
        real["train_here"](run, recipe, *rest)

    def measure_run(run, recipe, *rest, **named):
        cut("measure_run", recipe)
        real["measure_run"](run, recipe, *rest, **named)

    import iwm_core.sweep as sweep

    jobs = sweep.run_job, comparison.run_job
    sweep.run_job = comparison.run_job = lambda command: Ended(3, 0)
    work.train_here, work.measure_run, work.spawn = train_here, measure_run, lambda *_: 3
    try:
        yield
    finally:
        sweep.run_job, comparison.run_job = jobs
        for name, function in real.items():
            setattr(work, name, function)


def carry_out(words: list[str], folder: Path) -> Line:
    """Carry out a command line in a folder."""

    def late(*_):
        raise Hangs

    before, status, error = contents(folder), None, ""
    out, err = io.StringIO(), io.StringIO()
    previous = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = guarded(lambda: dispatch(words))
    except Hangs:
        error = "hangs"
    except BaseException as raised:  # what is looked for
        frames = traceback.extract_tb(raised.__traceback__)
        ours = [f"{Path(frame.filename).name}:{frame.name}" for frame in frames if "iwm_" in frame.filename]
        error = f"{type(raised).__name__} in {' > '.join(ours[-2:])}: {str(raised)[:100]}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    after = contents(folder)
    return Line(words, status, out.getvalue(), err.getvalue(), error, sorted(key for key in after if after[key] != before.get(key)))


def faults(line: Line) -> list[str]:
    """What is wrong with what came of a line."""
    if line.error:
        return [line.error]
    found = []
    told = line.err.splitlines()
    plain = [text for text in told if not text.startswith(("iwm: warning: ", "iwm: note: ", "warning: "))]
    if line.status not in (0, 1, 2, 3, 130):
        found.append(f"status {line.status}")
    if line.status == 2 and not (len(plain) == 1 and plain[0].startswith("iwm: ") and len(plain[0]) > 10):
        found.append(f"a refusal is one line, not {len(plain)}")
    if line.status == 0 and plain:
        found.append("success with words on standard error")
    if any(len(text) > LONGEST for text in told):
        found.append("a line is too long")
    if any((ord(sign) < 32 and sign != "\n") or sign in "\x7f\u202e" for sign in line.out + line.err):
        found.append("a control character")
    if "Traceback" in line.err + line.out:
        found.append("a traceback is printed")
    if line.status == 2 and line.left:
        found.append(f"left behind: {line.left[0]}")
    return found


def fuzz(seed: int, number: int, folder: Path, first: int = 0) -> list[tuple[Line, list[str]]]:
    """Carry out lines; returns those with faults."""
    whole, place = folder / "whole", folder / "some" / "where" / "place"
    whole.mkdir()
    place.mkdir(parents=True)
    furnish(whole)
    put_back(whole, place)
    clean, found = contents(place), []
    with short_work():
        for line in (carry_out(line_of(seed, n), place) for n in range(first, first + number)):
            if wrong := faults(line):
                found.append((line, wrong))
            if contents(place) != clean:
                put_back(whole, place)
                clean = contents(place)
    return found


def main() -> int:
    import tempfile

    import tiny_command

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--number", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--first", type=int, default=0)
    given = options.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    resource.setrlimit(resource.RLIMIT_AS, (32 << 30, 32 << 30))
    tiny_command.register()
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(given.seed, given.number, Path(folder), given.first)
    for line, wrong in found:
        print(repr([word[:60] for word in line.words]), *wrong, line.err[-200:].strip(), sep="\n    ")
    for kind, count in Counter(text.partition(": ")[0] for _, wrong in found for text in wrong).most_common():
        print(f"{count:5}  {kind}")
    print(f"seed {given.seed}: {given.number} lines, {len(found)} with faults")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
