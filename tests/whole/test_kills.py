"""One of the kills of `tests/slow/kills.py`."""

import pytest
from kills import kill


@pytest.mark.slow
def test_a_kill(server, tmp_path):
    assert kill(tmp_path, 1, 0, ["workers"], server) == []
