"""How a run stands while it is made, by its files and its lock, which are only read: in training and how far, being measured, stopped."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from iwm_core.process.display import clock
from iwm_core.process.shown import as_word
from iwm_core.run.lock import WRITER, writer_of
from iwm_report.run_record import RunRecord

LOGS = ("config.yaml", "env.json", "metrics.jsonl", "evaluations.jsonl", "not_applicable.json", "cost.json")
RESULTS = ("eval/*.json", "eval/*/*.json", "checkpoints/*/state.json")


def signature(run: Path) -> tuple[Any, ...]:
    """What changes when there is news of a run: the times and sizes of its files, and who writes."""
    found = []
    for path in (*(run / name for name in LOGS), *sorted(path for pattern in RESULTS for path in run.glob(pattern))):
        try:
            about = path.stat()
        except OSError:  # not there, or not any more
            continue
        found.append((str(path), about.st_mtime_ns, about.st_size))
    return writer_of(run), *found


def standing(run: RunRecord) -> str:
    """How a run stands, in words."""
    step, total = run.log[-1]["step"] if run.log else run.step or 0, steps_of(run)
    done = f"step {step:,}" + (f" of {total:,}" if total else "")
    if writer_of(run.path):
        if total and step >= total:
            return f"{done}: trained, and being measured"
        return f"in training: {', '.join([done, *pace(run, step, total)])}" if run.log else "in training: nothing is logged yet"
    if total and step >= total:
        return f"{done}: trained"
    known = os.access(run.path / WRITER, os.W_OK)  # else, who writes cannot be told from here
    return f"stopped at {done}: iwm resume {as_word(run.path)}" if known else done


def steps_of(run: RunRecord) -> int:
    """Steps of the whole training, 0 where that is not known: the first checkpoint tells them, before it the recipe and the first line."""
    train = run.config.get("train") or {}
    if run.steps:
        return run.steps
    if isinstance(train.get("steps"), int):
        return train["steps"]
    last = run.log[-1] if run.log else {}
    if isinstance(train.get("epochs"), int | float) and isinstance(last.get("epoch"), int | float) and last["epoch"] > 0:
        return round(train["epochs"] * last["step"] / last["epoch"])
    return 0


def pace(run: RunRecord, step: int, total: int) -> list[str]:
    """How fast it goes, how long the rest takes, and when that was logged."""
    speed, batch = run.log[-1].get("images_per_s"), (run.config.get("train") or {}).get("batch_size")
    told = []
    if isinstance(speed, int | float) and speed > 0:
        told.append(f"{speed:.0f} images/s")
        if total and isinstance(batch, int):
            told.append(f"{clock((total - step) * batch / speed)} left")
    try:
        when = datetime.fromtimestamp((run.path / "metrics.jsonl").stat().st_mtime).astimezone()
    except OSError:
        return told
    return [*told, f"logged at {when:%H:%M:%S}"]
