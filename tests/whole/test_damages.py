"""A seeded sample of the table of damages; `tests/slow/damages.py` tries it whole."""

import subprocess
import sys

import pytest
from places import SLOW


@pytest.mark.slow
def test_damaged_files_are_refused_mended_or_not_needed():
    """A process of its own: its commands are forked from one that has computed nothing."""
    done = subprocess.run(
        [sys.executable, str(SLOW / "damages.py"), "--number", "16", "--seed", "7"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
