"""The verb, as one types it."""

import subprocess
import sys
from pathlib import Path

import pytest


def iwm(*words: str) -> tuple[int, str, str]:
    """Runs a command line; returns its exit status and what it prints on standard output and standard error."""
    done = subprocess.run([sys.executable, "-P", "-m", "iwm_core.cli", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_help_says_how_it_is_used() -> None:
    status, output, _ = iwm("example", "--help")
    assert status == 0
    assert "iwm example RUN" in output


def test_the_newest_value(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 10, "loss": 1.0}\n{"step": 20, "loss": 0.5}\n{"step": 20, "lr": 0.1}\n')
    assert iwm("example", str(tmp_path)) == (0, f"{tmp_path}: loss = 0.5 at step 20\n", "")


@pytest.mark.parametrize(
    ("words", "fix"), [((), "say which run"), (("nowhere",), "give the directory"), (("r", "--kye", "lr"), "did you mean --key?")]
)
def test_mistakes_are_one_line(words: tuple[str, ...], fix: str) -> None:
    status, output, error = iwm("example", *words)
    assert (status, output) == (2, "")
    assert fix in error
    assert error.count("\n") == 1
