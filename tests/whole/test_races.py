"""One of the pairs of `tests/slow/races.py`."""

from races import race


def test_a_race(tmp_path):
    assert race(tmp_path, 1, 0, ["resume+resume"]) == []
