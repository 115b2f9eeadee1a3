"""A seeded sample of the table of damages; `tests/slow/damages.py` tries it whole."""

import subprocess
import sys
from pathlib import Path

SLOW = Path(__file__).parent / "slow" / "damages.py"


def test_damaged_files_are_refused_mended_or_not_needed():
    """A process of its own: its commands are forked from one that has computed nothing."""
    done = subprocess.run([sys.executable, str(SLOW), "--number", "40", "--seed", "7"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
