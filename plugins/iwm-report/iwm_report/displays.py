"""Progress where there is more than a log (`iwm_displays`): a bar on a terminal, lines of a notebook's cell that change in place."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from iwm_core.process.display import Display, PlainDisplay, summary
from iwm_core.process.shown import shown

WIDE = 160  # columns that a table may take in a log; it takes what it needs


def display() -> Display | None:
    """The display that fits standard output; None where plain lines do."""
    if sys.stdout.isatty():
        return TerminalDisplay()
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return NotebookDisplay() if hasattr(shell, "kernel") else None


class NamesConsole(Console):
    """A console for tables of names: square brackets and colons in them mean nothing."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        return super().render_str(shown(text), **settings)


def table_console() -> Console:
    """Where tables are printed that do not stand above a progress bar."""
    return NamesConsole() if sys.stdout.isatty() else NamesConsole(width=WIDE, no_color=True)


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
