"""How long-running work shows its progress: a bar on a terminal, a line that changes in a notebook, plain lines elsewhere (logs)."""

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from iwm_core.interfaces.results import CONTROLS, Metric
from iwm_core.process.shown import shown, tell
from iwm_core.process.tables import room, tabulated

QUIET = 5.0
"""Seconds that work may last before plain lines speak of it, and between them."""

WIDE = 160  # columns that a table may take in a log; it takes what it needs


class Display:
    """What training and evaluation tell the user. This one tells warnings alone: for all processes but the first, and from Python."""

    tables = 2  # evaluators that may measure together so that the table of each is printed

    def say(self, text: str) -> None:
        """One line."""

    def warn(self, text: str) -> None:
        """One line that the user should not miss."""
        tell(f"warning: {text}", sys.stderr)

    def track(self, items: Iterable[Any], label: str, total: int) -> Iterator[Any]:
        """The items, with progress."""
        yield from items

    def steps(self, start: int, stop: int, label: str) -> Iterator[int]:
        """The steps of a training, with progress."""
        yield from range(start, stop)

    def logged(self, step: int, line: dict[str, Any]) -> None:
        """A line of metrics.jsonl was written."""

    def table(self, title: str, metrics: dict[str, Metric]) -> None:
        """An evaluator's numbers, each with its controls beside it."""
        self.say(title)
        for line in tabulated(*metrics_table(metrics), room(), keep=3, numbers=True):
            self.say(line)


class Recurring:
    """Warnings that come again and again: of each kind the first three are told, the fourth, the eighth, the sixteenth and so on."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.warn, self.times = warn, Counter[str]()

    def __call__(self, kind: str, text: str) -> None:
        """Tell a warning, or count it where enough of its kind were told."""
        self.times[kind] += 1
        times = self.times[kind]
        if times <= 3 or times & (times - 1) == 0:
            self.warn(text if times <= 3 else f"{text} ({times} such warnings so far; the next is shown at {2 * times})")


class NamesConsole(Console):
    """A console for tables of names: square brackets and colons in them mean nothing."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        return super().render_str(shown(text), **settings)


def table_console() -> Console:
    """Where tables are printed that do not stand above a progress bar."""
    return NamesConsole() if sys.stdout.isatty() else NamesConsole(width=WIDE, no_color=True)


def make_display() -> Display:
    """The display that fits standard output."""
    if sys.stdout.isatty():
        return TerminalDisplay()
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return NotebookDisplay() if hasattr(shell, "kernel") else PlainDisplay()


class PlainDisplay(Display):
    """Plain lines on standard output, warnings on standard error."""

    def __init__(self) -> None:
        self.last, self.since, self.first, self.stop = 0, time.perf_counter(), 0, 0

    def say(self, text: str) -> None:
        tell(text)

    def track(self, items: Iterable[Any], label: str, total: int) -> Iterator[Any]:
        spoken = time.perf_counter()
        for done, item in enumerate(items):
            if time.perf_counter() - spoken > QUIET:
                spoken = time.perf_counter()
                self.say(f"{label}: {done} of {total}")
            yield item

    def steps(self, start: int, stop: int, label: str) -> Iterator[int]:
        self.first, self.stop, self.since = start, stop, time.perf_counter()
        yield from range(start, stop)

    def logged(self, step: int, line: dict[str, Any]) -> None:
        self.say(f"step {step}/{self.stop}  {self.numbers(step, line)}")

    def numbers(self, step: int, line: dict[str, Any]) -> str:
        """What a logged line says, and how long the rest will take."""
        left = (time.perf_counter() - self.since) / max(step - self.first, 1) * (self.stop - step)
        return f"{summary(line)}  ETA {clock(left)}"


class NotebookDisplay(PlainDisplay):
    """Lines in a notebook cell's output that change in place, one of a training and one of all else: no widgets, and saved with it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, Any] = {}
        self.note, self.shown_at = "", 0.0

    def show(self, line: str, text: str, now: bool = False) -> None:
        """Put a text into a line; ten times a second at most, but ``now``."""
        if now or time.perf_counter() - self.shown_at > 0.1:
            self.shown_at, content = time.perf_counter(), {"text/plain": shown(text)}
            if line in self.lines:
                self.lines[line].update(content, raw=True)
            else:
                self.lines[line] = sys.modules["IPython"].display.display(content, raw=True, display_id=True)

    def track(self, items: Iterable[Any], label: str, total: int) -> Iterator[Any]:
        for done, item in enumerate(items):
            self.show("all else", f"{label}: {done} of {total}")
            yield item
        self.show("all else", f"{label}: {total} of {total}", now=True)

    def steps(self, start: int, stop: int, label: str) -> Iterator[int]:
        for step in super().steps(start, stop, label):
            self.show("training", f"{label}: {step} of {stop}  {self.note}")
            yield step
        self.show("training", f"{label}: {stop} of {stop}  {self.note}", now=True)

    def logged(self, step: int, line: dict[str, Any]) -> None:
        self.note = self.numbers(step, line)


class TerminalDisplay(Display):
    """A progress bar that lives at the bottom, lines above it."""

    def __init__(self) -> None:
        self.console = NamesConsole()
        self.progress: NotedProgress | None = None

    def say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def warn(self, text: str) -> None:
        self.console.print(f"warning: {text}", style="yellow", soft_wrap=True)

    def track(self, items: Iterable[Any], label: str, total: int) -> Iterator[Any]:
        with bar(self.console) as progress:
            yield from progress.track(items, total=total, description=shown(label))

    def steps(self, start: int, stop: int, label: str) -> Iterator[int]:
        with bar(self.console) as self.progress:
            task = self.progress.add_task(shown(label), total=stop, completed=start)
            for step in range(start, stop):
                yield step
                self.progress.update(task, completed=step + 1)
        self.progress = None

    def logged(self, step: int, line: dict[str, Any]) -> None:
        if self.progress is not None:
            self.progress.note = summary(line)


class NotedProgress(Progress):
    """Progress bars with a line of numbers below."""

    note = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.note:
            yield Text(f"  {self.note}", no_wrap=True, overflow="ellipsis")


def bar(console: Console) -> NotedProgress:
    """The one look of all progress bars."""
    return NotedProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=console,
    )


def summary(line: dict[str, Any]) -> str:
    """The numbers of a logged line that matter while waiting."""
    words = f"loss {line['loss']:.4f}  {line['images_per_s']:.0f} images/s  data-wait {line['data_wait']:.0%}"
    if "gain" in line:  # a world model in training
        for word, key, form in (("std", "target_std", ".2f"), ("rank", "effective_rank", ".1f"), ("gain", "gain", "+.2f")):
            words += f"  {word} {line[key]:{form}}" if math.isfinite(line[key]) else f"  {word} not available"
            words += " (bounded by the batch)" if word == "rank" and line.get("rank_bounded") else ""
    return words


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def metrics_table(metrics: dict[str, Metric]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of an evaluator's numbers: one for each measure, its controls beside it."""
    controls = [control for control in CONTROLS if any(control in metric.controls for metric in metrics.values())]
    rows = []
    for name, metric in metrics.items():
        values = [readable(metric.controls[control].value) if control in metric.controls else "" for control in controls]
        rows.append([name, readable(metric.value), interval_of(metric), *values, str(metric.n)])
    return ["metric", "value", "95 % interval", *controls, "images"], rows


def readable(value: float) -> str:
    """A metric's value in words."""
    return "not available" if math.isnan(value) else f"{value:.3f}"


def interval_of(metric: Metric) -> str:
    """The interval of a metric in words; nothing where there is none, as of one image."""
    if metric.exact:
        return "exact"
    return f"{metric.low:.3f} – {metric.high:.3f}" if math.isfinite(metric.low + metric.high) else ""
