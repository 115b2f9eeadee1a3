"""A run's directory: what was asked (config.yaml), where it ran (env.json), how it went (metrics.jsonl), what came of it."""

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iwm_core.checkpoint import latest_checkpoint, write_atomically
from iwm_core.errors import UserError
from iwm_core.interfaces import Evaluation
from iwm_core.plugins import load_plugins


class Run:
    """A run on disk.

    Args:
        path: its directory, which exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.metrics = path / "metrics.jsonl"
        self.quarantine = path / "quarantine.jsonl"

    @classmethod
    def create(cls, config: DictConfig) -> "Run":
        """Make the directory of a new run and freeze its config in it.

        Without ``run``, ``runs/<recipe>`` with a number added when taken.

        Raises:
            UserError: the directory is taken, or cannot be written.
        """
        try:
            path = free_directory(config)
            config.run = str(path)
            write_atomically(path / "env.json", json.dumps(environment(config.train.seed), indent=1))
            # Last: a directory with a config.yaml is a run.
            write_atomically(path / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
        except OSError as error:
            raise UserError(f"cannot make the run directory {error.filename}: {error.strerror}; choose another with run=PATH") from error
        return cls(path)

    @classmethod
    def open(cls, path: str) -> "Run":
        """An existing run.

        Raises:
            UserError: there is none.
        """
        if not (Path(path) / "config.yaml").is_file():
            what = "has no config.yaml" if Path(path).is_dir() else "does not exist"
            raise UserError(f"{path} is no run: it {what}; `iwm train` prints a run's directory on its first line")
        return cls(Path(path))

    def config(self) -> DictConfig:
        """The frozen config.

        Raises:
            UserError: it cannot be read.
        """
        try:
            config = OmegaConf.load(self.path / "config.yaml")
        except (OSError, ValueError, yaml.YAMLError, OmegaConfBaseException) as error:
            raise UserError(f"{self.path / 'config.yaml'} cannot be read: {' '.join(str(error).split())}") from error
        if not isinstance(config, DictConfig):
            raise UserError(f"{self.path / 'config.yaml'} is no recipe")
        return config

    def latest(self) -> Path | None:
        """The newest checkpoint, or None."""
        return latest_checkpoint(self.checkpoints)

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl; numbers that are not finite become null, as JSON has none."""
        clean = {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in line.items()}
        with writing(self.metrics), self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(clean) + "\n")

    def rewind(self, step: int) -> None:
        """Drop metrics of steps after ``step``, which a resumed run does again, and a line that a kill cut short."""
        if not self.metrics.exists():
            return
        lines = self.metrics.read_text(encoding="utf-8").splitlines()
        kept = [line + "\n" for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        write_atomically(self.metrics, "".join(kept))

    def evaluated(self, name: str) -> int | None:
        """The step of the checkpoint that an evaluator has measured last, or None."""
        try:
            return json.loads((self.path / "eval" / f"{name}.json").read_text(encoding="utf-8"))["step"]
        except (OSError, ValueError, KeyError):  # none, or not ours: it is measured again and written anew
            return None

    def write_evaluation(self, name: str, step: int, checkpoint: str, result: Evaluation) -> Path:
        """Write ``eval/<name>.json`` in the one form that tools read."""
        content = {
            "evaluator": name,
            "step": step,
            "checkpoint": checkpoint,
            "metrics": {key: metric._asdict() for key, metric in result.metrics.items()},
            "settings": result.settings,
        }
        path = self.evaluations() / f"{name}.json"
        with writing(path):
            write_atomically(path, json.dumps(content, indent=1))
        return path

    def evaluations(self) -> Path:
        """The folder of evaluators' numbers and pictures, made if need be.

        Raises:
            UserError: it cannot be made.
        """
        folder = self.path / "eval"
        with writing(folder):
            folder.mkdir(exist_ok=True)
        return folder


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the failure of a write (full disk, no permission) into one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; mend that, and what is done so far is kept") from error


def free_directory(config: DictConfig) -> Path:
    """Make and return the directory that a new run may use."""
    if config.run is not None:
        path = Path(config.run)
        if (path / "config.yaml").exists():
            raise UserError(f"the run {path} exists; continue it with `iwm resume {path}`, or choose another directory with run=PATH")
        if path.is_file():
            raise UserError(f"run={path} is a file; choose another directory with run=PATH")
        if path.is_dir() and any(path.iterdir()):
            raise UserError(f"run={path} is not empty and no run; choose another directory with run=PATH")
        path.mkdir(parents=True, exist_ok=True)
    else:
        base, number = Path("runs") / config.recipe, 1
        path = base
        while True:
            try:
                path.mkdir(parents=True)
                break
            except FileExistsError:
                number += 1
                path = base.with_name(f"{base.name}-{number}")
    if not os.access(path, os.W_OK):
        raise UserError(f"cannot write into {path}; choose another directory with run=PATH")
    return path


def environment(seed: int) -> dict[str, Any]:
    """Versions of what computes a run."""
    names = ("iwm-core", "torch", "torchvision", "timm", "accelerate", "hydra-core", "datasets", "safetensors")
    plugins = {plugin.distribution: plugin.version for plugin in load_plugins().plugins}
    return {
        "versions": {**{name: version(name) for name in names}, **plugins},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git_commit": git_commit(),
        "seed": seed,
        "command": sys.argv,
    }


def git_commit() -> str | None:
    """The commit of the working directory's repository, if it is one."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return found.stdout.strip() or None
