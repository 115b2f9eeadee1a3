"""Where things lie in this repository, for tests that read them or run them, wherever a test itself lies."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
FURNITURE = Path(__file__).parent
GOLDEN = ROOT / "tests/golden"
SLOW = ROOT / "tests/slow"
