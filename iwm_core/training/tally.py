"""What is summed up between two logged lines: losses, skipped steps, and where the time went."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class Tally:
    """Sums between two logged lines, kept on the loss's device, and where the time went; ``before``: seconds before this process."""

    def __init__(self, device: torch.device, before: float) -> None:
        self.loss, self.skipped = torch.zeros((), device=device), torch.zeros((), device=device)
        self.barren = torch.zeros((), device=device)
        """Steps since the last that had a finite gradient."""
        self.before, self.began, self.rested = before, time.perf_counter(), 0.0
        self.steps, self.waited, self.since = 0, 0.0, self.began

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is done meanwhile does not count."""
        before = time.perf_counter()
        yield
        rested = time.perf_counter() - before
        self.since += rested
        self.rested += rested

    def seconds(self) -> float:
        """How long the run has trained so far."""
        return self.before + time.perf_counter() - self.began - self.rested

    def wait(self, batches: Iterator[Any]) -> Any:
        """The next batch, noting how long it took to come."""
        before = time.perf_counter()
        batch = next(batches)
        self.waited += time.perf_counter() - before
        return batch

    def add(self, loss: Tensor, finite: Tensor) -> None:
        """Count a step; the loss of a skipped one is left out."""
        self.loss += torch.where(finite, loss, 0.0)
        self.skipped += ~finite
        self.barren = torch.where(finite, 0.0, self.barren + 1)
        self.steps += 1

    def read(self, accelerator: Any, batch_size: int) -> dict[str, Any]:
        """The numbers since the last reading, over all processes; starts anew."""
        skipped = int(self.skipped.item())
        counted = self.steps - skipped
        loss = accelerator.reduce(self.loss, reduction="mean").item() / counted if counted else float("nan")
        seconds = time.perf_counter() - self.since
        line = {"loss": loss, "images_per_s": batch_size * self.steps / seconds, "data_wait": self.waited / seconds, "skipped": skipped}
        self.loss, self.skipped = torch.zeros_like(self.loss), torch.zeros_like(self.skipped)
        self.steps, self.waited, self.since = 0, 0.0, time.perf_counter()
        return line
