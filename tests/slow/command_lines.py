"""Random command lines, plausible and hostile: each is carried out or refused in one line, whatever stands in it.

    python tests/slow/command_lines.py [--number 1000] [--seed 0] [--first 0] [--show]

Decisions:
- Lines come from `random_lines`: most are right but for one slip or none, so that they get past the first refusal; the table that is
  printed at the end says how many of each verb began their work.
- All lines run in one process, in a folder that is put back after each change (`furnished`).
- Work that would be long is cut short where it would begin: trainings of more than a few steps, several processes, jobs.
- What is checked of every line is in `faults`; that messages are good is for people and for `test_mistakes.py`.
"""

import argparse
import contextlib
import io
import os
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "furniture"))

from furnished import contents, furnish, put_back
from iwm_cluster import launching, sweep
from iwm_cluster import submit as cluster
from iwm_cluster.jobs import Ended
from iwm_explore import explore as exploring
from iwm_report import runs_page
from iwm_tasks.comparison import compare as comparison
from iwm_tasks.prediction import predict as prediction
from random_lines import line_of

from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.errors import Stopped
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.shown import LONGEST
from iwm_core.training import starting

SECONDS = 60
"""After which a line hangs."""


class Line(NamedTuple):
    """A command line and what came of it: ``began``, whether it trained, measured, answered, drew or started a process."""

    words: list[str]
    status: int | None
    out: str
    err: str
    error: str
    left: list[str]
    began: bool


class Hangs(BaseException):
    """A line took too long."""


def children() -> set[int]:
    """The processes that this one has started and not ended."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


began: list[bool] = []
"""One entry for each piece of work that the line under way has begun."""


@contextlib.contextmanager
def short_work() -> Iterator[None]:
    """While entered, what would take long is left out, and what is begun is noted."""

    def cut(recipe: Any, steps: int | None = 0) -> None:
        if (
            recipe is None
            or steps is None
            or steps > 8
            or recipe.launch.workers > 2
            or recipe.train.batch_size > 64
            or recipe.launch.device != "cpu"
        ):
            raise Stopped("cut short", 130)

    def train_here(run, recipe, *rest):
        epochs = getattr(recipe.train, "epochs", None)
        cut(recipe, recipe.train.steps if epochs is None or epochs > 2 else 0)
        return real["train_here"](run, recipe, *rest)

    def measured(measure: Callable) -> Callable:
        def short(run, recipe, *rest, **named):
            cut(recipe)
            return measure(run, recipe, *rest, **named)

        return short

    stand_ins: list[tuple[Any, str, Callable]] = [
        *((starting, "train_here", train_here), (launching, "spawn", lambda *_: 3)),
        (cluster, "send", lambda *_: cut(None, None)),
        (exploring, "show", lambda *_: None),
        *((module, "run_jobs", lambda jobs, _: ((job, Ended(3, 0)) for job in jobs)) for module in (sweep, comparison)),
        *((kind, "measure", measured(kind.measure)) for kind in load_plugins().run_kinds.values()),
        *((prediction, "predict", prediction.predict), (runs_page, "render_runs", runs_page.render_runs)),
    ]
    real = {name: getattr(module, name) for module, name, _ in stand_ins}
    with contextlib.ExitStack() as stack:
        for module, name, function in stand_ins:
            stack.enter_context(mock.patch.object(module, name, noting(function)))
        yield


def noting(function: Callable) -> Callable:
    """The function, noting that it was called."""

    def noted(*given, **named):
        began.append(True)
        return function(*given, **named)

    return noted


def carry_out(words: list[str], folder: Path) -> Line:
    """Carry out a command line in a folder."""

    def late(*_):
        raise Hangs

    before, running, status, error = contents(folder), children(), None, ""
    began.clear()
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
    left = [key for key in sorted(after.keys() | before.keys()) if after.get(key) != before.get(key)] if status == 2 else []
    left += [f"process {number}" for number in sorted(children() - running)]
    return Line(words, status, out.getvalue(), err.getvalue(), error, left, bool(began))


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
    if line.left:
        found.append(f"left behind: {line.left[0]}")
    return found


def fuzz(seed: int, number: int, folder: Path, first: int = 0) -> Iterator[tuple[Line, list[str]]]:
    """Carry out lines; gives each with what is wrong with it."""
    whole, place = folder / "whole", folder / "some" / "where" / "place"
    whole.mkdir()
    furnish(whole)
    put_back(whole, place)
    clean = contents(place)
    with short_work():
        for words in (line_of(seed, n) for n in range(first, first + number)):
            line = carry_out(words, place)
            yield line, faults(line)
            if contents(place) != clean:
                put_back(whole, place)
                clean = contents(place)


def show_statuses(tally: Counter[tuple[str, str]]) -> None:
    """A table: of each verb, how many lines ended with which status, and how many began their work."""
    columns = ("lines", "0", "1", "2", "3", "130", "other", "began")
    print("verb".ljust(12), *(name.rjust(6) for name in columns))
    for verb in (*sorted({verb for verb, _ in tally} - {"all"}), "all"):
        print(verb.ljust(12), *(str(tally[verb, name]).rjust(6) for name in columns))


def main() -> int:
    import tempfile

    import huggingface_hub
    import tiny_command

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--number", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--show", action="store_true", help="print every line")
    given = options.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    huggingface_hub.constants.HF_HUB_OFFLINE = True  # also where it is imported already: no line may push anything
    resource.setrlimit(resource.RLIMIT_AS, (32 << 30, 32 << 30))
    tiny_command.register()
    tally, kinds, bad = Counter[tuple[str, str]](), Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        for done, (line, wrong) in enumerate(fuzz(given.seed, given.number, Path(folder), given.first), given.first):
            bad += bool(wrong)
            if wrong or given.show:
                print(
                    f"{done}: {line.status} {[word[:60] for word in line.words]}", *wrong, line.err[-300:].strip(), sep="\n    ", flush=True
                )
                kinds.update(text.partition(": ")[0] for text in wrong)
            ended = str(line.status) if line.status in (0, 1, 2, 3, 130) else "other"
            for verb in (line.words[0] if line.words[:1] and line.words[0] in load_plugins().commands else "(no verb)", "all"):
                tally.update(((verb, "lines"), (verb, ended), *(((verb, "began"),) if line.began else ())))
            if done % 50 == 49:
                print(f"{done + 1} lines, {bad} with faults", flush=True)
    for kind, count in kinds.most_common():
        print(f"{count:5}  {kind}")
    show_statuses(tally)
    print(f"seed {given.seed}: {given.number} lines, {bad} with faults")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
