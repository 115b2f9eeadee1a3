"""A run's directory: what was asked (config.yaml), where it ran (env.json), how it went (metrics.jsonl), what came of it."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.advice import advise
from iwm_core.process.shown import as_word
from iwm_core.run.files import append, write_atomically
from iwm_core.run.plain import plain_yaml
from iwm_core.run.saved import Logged, latest_checkpoint, read_config, saved_steps
from iwm_core.run.stored import FORMAT, Damaged, checksum, read_log, read_text

T = TypeVar("T")


class Run:
    """A run on disk, in a directory that exists; ``chosen`` names the checkpoint to be used in place of the newest."""

    def __init__(self, path: Path, chosen: str | None = None) -> None:
        self.path, self.chosen = path, chosen
        self.checkpoints = path / "checkpoints"
        self.metrics = path / "metrics.jsonl"
        self.history = path / "evaluations.jsonl"
        self.quarantine = path / "quarantine.jsonl"

    @classmethod
    def open(cls, path: str, checkpoint: str | None = None) -> "Run":
        """An existing run; ``checkpoint`` is used in place of its newest.

        Raises:
            UserError: there is none.
        """
        if not is_run(path):
            advise("explain_run", path)
            raise UserError(f"{path} is not a run")
        run = cls(Path(path), checkpoint)
        run.latest()  # where there is no such checkpoint, it is said at once
        return run

    def config(self) -> DictConfig:
        """The frozen config."""
        return OmegaConf.create(self.plain_config())

    def plain_config(self) -> dict[str, Any]:
        """The frozen config as plain dicts and lists."""
        return read_config(self.path / "config.yaml")

    @cached_property
    def edited(self) -> bool:
        """Whether somebody has changed the frozen config and taken its checksum out; earlier versions wrote neither that nor a format."""
        content = plain_yaml(read_text(self.path / "config.yaml"))
        return "format" in content and "checksum" not in content

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Name the config in what is wrong with the recipe that it holds."""
        path = self.path / "config.yaml"
        try:
            yield
        except Damaged:
            raise
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    def latest(self) -> Path | None:
        """The newest checkpoint, or None; or the one that `open` was asked for."""
        return self.checkpoint(self.chosen) if self.chosen is not None else latest_checkpoint(self.checkpoints)

    def newest(self) -> Path:
        """The newest checkpoint, or the one that `open` was asked for; a `UserError` where there is none yet."""
        checkpoint = self.latest()
        if checkpoint is None:
            raise UserError(f"the run {self.path} has no checkpoint yet; continue it with `iwm resume {as_word(self.path)}`")
        return checkpoint

    def read_newest(self, read: Callable[[Path], T]) -> T:
        """What ``read`` makes of the newest checkpoint; of a newer one where a training beside has put one in its place meanwhile. A
        `UserError` where there is none yet, or ``read`` cannot read it."""
        while True:
            checkpoint = self.newest()
            try:
                return read(checkpoint)
            except UserError:
                if self.latest() == checkpoint:
                    raise

    def checkpoint(self, name: str) -> Path:
        """The checkpoint of a name; a `UserError` where there is none."""
        steps = [f"step_{step}" for step in saved_steps(self.checkpoints)]
        if name not in steps:
            raise UserError(f"{self.path} has no checkpoint={name}; it has {', '.join(steps) or 'none'}")
        return self.checkpoints / name

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl."""
        append(self.metrics, finite(line))

    def rewind(self, step: int) -> None:
        """Drop metrics of steps after ``step``, which a resumed run does again, and a line that a kill cut short."""
        for path in (self.metrics, self.history):
            log = read_log(path, Logged)
            if path.exists():
                kept = [line for line, record in zip(log.lines, log.records, strict=True) if record["step"] <= step]
                write_atomically(path, "".join(f"{line}\n" for line in kept))


def frozen(config: DictConfig) -> tuple[str, str]:
    """A composed config as the text of ``config.yaml``: plain data, with its format and its checksum; and the checksum. A `UserError` where
    it holds what is not plain data."""
    text = f"format: {FORMAT}\n{OmegaConf.to_yaml(config, resolve=True)}"
    try:  # its checksum comes first, so that a file cut short has one
        seal = checksum(plain_yaml(text))
        return f"checksum: '{seal}'\n{text}", seal
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"these settings cannot be kept: {' '.join(str(error).split())}") from error


def is_run(path: str | Path) -> bool:
    """Whether a directory is a run, as far as one may see."""
    return os.path.lexists(os.path.join(path, "config.yaml"))  # noqa: PTH118 - a Path raises for one that is too long


def finite(content: Any) -> Any:
    """Numbers that are not finite become null, as JSON has none."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
