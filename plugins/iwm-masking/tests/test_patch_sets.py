"""Sets of patches as bits, against Python's own sets, on grids of one word, of several, and of rows longer than a word."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_masking.patch_sets import PatchSets, sizes
from iwm_masking.rectangles import Rectangles

CPU = torch.device("cpu")


def test_members_are_the_patches_between_the_sides():
    """A golden grid: 2 rows by 3 columns from row 1, column 1, and a whole last column."""
    drawn = Rectangles(*(torch.tensor([side]) for side in ([1, 0], [1, 4], [2, 4], [3, 1])))
    expected = [".....", ".###.", ".###.", "....."], ["....#", "....#", "....#", "....#"]
    sets = PatchSets((4, 5), CPU)
    for block, picture in zip(sets.members(sets.of(drawn))[0].reshape(2, 4, 5), expected, strict=True):
        assert ["".join("#" if patch else "." for patch in row) for row in block.tolist()] == picture


@st.composite
def grid_and_rectangles(draw):
    rows, columns = grid = draw(st.tuples(st.integers(1, 40), st.integers(1, 200)))
    corners = []
    for _ in range(draw(st.integers(1, 4))):
        top, left = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
        corners.append((top, left, draw(st.integers(1, rows - top)), draw(st.integers(1, columns - left))))
    return grid, corners


@settings(max_examples=300, deadline=None, derandomize=True)
@given(grid_and_rectangles())
def test_unions_and_what_they_leave_are_those_of_python(case):
    (rows, columns), corners = grid, _ = case
    sets = PatchSets(grid, CPU)
    words = sets.of(Rectangles(*torch.tensor(corners).T[:, None]))
    assert words.min() >= 0
    covered = [{y * columns + x for y in range(t, t + h) for x in range(left, left + w)} for t, left, h, w in corners]
    union, whole = set().union(*covered), set(range(rows * columns))
    joined = words[0, 0].clone()
    for one in words[0]:
        joined |= one
    found = torch.stack([*words[0], joined, sets.whole ^ joined, sets.whole])
    expected = [*covered, union, whole - union, whole]
    assert [set(members.nonzero().flatten().tolist()) for members in sets.members(found)] == expected
    assert sizes(found).tolist() == [len(one) for one in expected]


def test_a_device_makes_the_sets_of_the_host():
    """The tables of a device are made by torch, those of the host by numpy; the meta device tells shapes alone."""
    for grid in ((14, 14), (3, 130), (1, 1)):
        host, device = (PatchSets(grid, torch.device(name)) for name in ("cpu", "meta"))
        for table in ("_rows", "_columns", "whole"):
            assert getattr(host, table).shape == getattr(device, table).shape
