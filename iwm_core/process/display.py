"""How long-running work shows its progress: in plain lines, or as a plugin does where there is more than a log (`iwm_displays`)."""

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from iwm_core.plugins.loader import load_plugins
from iwm_core.process.shown import tell

QUIET = 5.0
"""Seconds that work may last before plain lines speak of it, and between them."""


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


def make_display() -> Display:
    """The display that fits standard output: what one plugin has for it, or plain lines."""
    made = [display for module in load_plugins().modules("iwm_displays") if (display := module.display()) is not None]
    return made[0] if len(made) == 1 else PlainDisplay()


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
