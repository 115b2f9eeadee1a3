"""The facts that stand at the head of a report: when, where, how long, with what. What a run's files do not tell is left out."""

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

from iwm_report.run_record import RunRecord

TRIAL = 100  # steps of the longest run that `iwm_devkit.advice.length` takes for a trial
LONGEST_HEADER = 16_000_000  # bytes of the list of tensors in front of a file of weights


def facts(run: RunRecord) -> dict[str, str]:
    """Each fact in words, by its name."""
    train = run.config.get("train") or {}
    known = {
        "started": started(run.environment.get("started")),
        "trained for": duration(run.state.get("seconds")),
        "device": {"cpu": "CPU"}.get(run.state.get("device", ""), run.state.get("device", "")),
        "parameters": parameters(run.checkpoint),
        "patches": patches(run.config),
        "training images": f"{run.state['images']:,}" if "images" in run.state else "",
        "seed": str(run.environment.get("seed", train.get("seed", ""))),
        "commit": (run.environment.get("git_commit") or "")[:10],
    }
    return {name: text for name, text in known.items() if text}


def trial(run: RunRecord) -> bool:
    """Whether a run is too short to judge a model by."""
    return bool(run.steps) and run.steps <= TRIAL and "world_model" not in run.config


def started(text: str | None) -> str:
    """A moment, to the minute."""
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M UTC") if text else ""
    except ValueError:
        return ""


def patches(config: dict[str, Any]) -> str:
    """How an encoder sees an image, such as ``3×3 of 16 px``; empty where the config does not say."""
    size, patch = config.get("image_size"), (config.get("encoder") or {}).get("patch_size")
    if not (isinstance(size, int) and isinstance(patch, int) and 0 < patch <= size):
        return ""
    return f"{size // patch}×{size // patch} of {patch} px"


def duration(seconds: float | None) -> str:
    """Seconds in the unit that a person would say."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.3g} min" if seconds < 90 * 60 else f"{seconds / 3600:.3g} h"


def parameters(checkpoint: Path | None) -> str:
    """How many parameters each part of a model has, from the list of tensors in front of its weights; empty where that cannot be read."""
    if checkpoint is None:
        return ""
    weights = checkpoint / "model.safetensors"
    if not weights.is_file():  # such as a pipe, which nobody may ever write to
        return ""
    try:
        with weights.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            shapes = json.loads(file.read(length)) if length <= LONGEST_HEADER else {}
        sizes: dict[str, int] = {}
        for name, tensor in shapes.items():
            if name != "__metadata__":
                part = name.partition(".")[0]
                sizes[part] = sizes.get(part, 0) + math.prod(tensor["shape"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return ""
    sizes.pop("teacher", None)  # it has those of the student
    return ", ".join(f"{part} {in_short(size)}" for part, size in sorted(sizes.items(), key=lambda one: -one[1])[:3])


def in_short(count: int) -> str:
    """A number of parameters as papers write it."""
    if count < 1000:
        return str(count)
    return f"{count / 1e3:.3g} k" if count < 999_500 else f"{count / 1e6:.3g} M" if count < 999_500_000 else f"{count / 1e9:.3g} G"
