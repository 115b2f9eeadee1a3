"""One of the pairs of `tests/slow/races.py`."""

import pytest
from races import race


@pytest.mark.slow
def test_a_race(tmp_path):
    assert race(tmp_path, 1, 0, ["resume+resume"]) == []
