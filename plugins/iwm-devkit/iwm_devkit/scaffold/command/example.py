"""``iwm example RUN …``: the newest value in each run's log."""

import json
from pathlib import Path

from iwm_core.interfaces import UserError
from iwm_devkit.scaffold.command import Example


def run(words: list[str], given: Example) -> int:
    """Print a line a run.

    Args:
        words: what stands behind the verb, but for its switches.
        given: its switches.

    Returns:
        The exit status: 0.

    Raises:
        UserError: a mistake of the user's. Its text becomes the one line on standard error; the exit status is 2.
    """
    if not words:
        raise UserError("say which run: iwm example RUN [RUN …] [--key loss]")
    for name in words:
        step, value = newest(Path(name), given.key)
        print(f"{name}: {given.key} = {value:g} at step {step}")
    return 0


def newest(run: Path, key: str) -> tuple[int, float]:
    """The last line of a run's log that has a value, and its step.

    Raises:
        UserError: there is no such run, or no such value.
    """
    log = run / "metrics.jsonl"
    if not log.is_file():
        raise UserError(f"{run} has no metrics.jsonl; give the directory of a run, such as runs/quickstart")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if isinstance(line.get(key), int | float)]  # null is not available
    if not found:
        known = sorted({name for line in lines for name in line})
        raise UserError(f"{run} logs no {key}; it logs {', '.join(known) or 'nothing yet'}")
    return found[-1]["step"], found[-1][key]
