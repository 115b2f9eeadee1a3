"""One of the kills of `tests/slow/kills.py`."""

from kills import kill


def test_a_kill(tmp_path):
    assert kill(tmp_path, 1, 0, ["workers"]) == []
