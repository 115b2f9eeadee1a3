"""What a target selector must keep to (PAPER §3)."""

import torch

from iwm_core.interfaces import Draws, Targets, TargetSelector
from iwm_devkit.components import check_component
from iwm_devkit.conduct import check_device, conduct
from iwm_devkit.fitting import fitting


def check_target_selector(selector: TargetSelector, grid: tuple[int, int] = (12, 12)) -> None:
    """Check a target selector: documentation, fixed sizes, range, order, disjointness, determinism, independence of samples, devices.

    A grid of odd sides, one row more and one column less, is tried too; a ValueError there is taken for the selector's own limit.

    Raises:
        AssertionError: the selector breaks its contract; the text says how to mend it.
        Unfit: its fields cannot be satisfied on this grid.
    """
    check_component(selector)
    with fitting():
        selector.select(Draws(0, 0, torch.arange(1)), grid)
    check_selections(selector, grid)
    odd = grid[0] + 1, grid[1] - 1
    try:
        selector.select(Draws(0, 0, torch.arange(64)), odd)
    except ValueError:
        return
    check_selections(selector, odd)


def check_selections(selector: TargetSelector, grid: tuple[int, int]) -> None:
    """Check what is selected on one grid.

    Raises:
        AssertionError: it breaks the contract.
    """
    n = grid[0] * grid[1]
    with conduct("select()"):
        where = selector.select(Draws(0, 0, torch.arange(64)), grid)
    assert where.context.ndim == 2, f"context must be [b, k], got {list(where.context.shape)}"
    assert where.target.ndim == 3, f"target must be [b, m, t], got {list(where.target.shape)}"
    for name, index in zip(Targets._fields, where, strict=True):
        assert index.dtype == torch.int64, f"{name} must be int64, got {index.dtype}"
        assert index.shape[-1] > 0, f"{name} must not be empty: raise a ValueError instead"
        inside = 0 <= index.min() <= index.max() < n
        assert inside, f"{name} must be indices in [0, {n}) of {grid[0]} x {grid[1]} patches, got {int(index.min())} to {int(index.max())}"
        assert (index.diff(dim=-1) > 0).all(), f"{name} must be ascending, without repeats"
    shared = where.context[:, None, :, None] == where.target[:, :, None, :]
    assert selector.predicts_context or not shared.any(), (
        "a patch must not be context and target at once, unless the property predicts_context says so"
    )
    again = selector.select(Draws(0, 0, torch.arange(64)), grid)
    for name, one, two in zip(Targets._fields, where, again, strict=True):
        assert torch.equal(one, two), f"{name} must be a pure function of its draws: take every random number from `draws`"
    other = selector.select(Draws(1, 3, torch.arange(500, 564)), grid)
    for name, one, two in zip(Targets._fields, where, other, strict=True):
        assert one.shape == two.shape, f"{name} must have one size for the whole run, got {list(one.shape)} and {list(two.shape)}"
    alone = selector.select(Draws(0, 0, torch.tensor([5])), grid)
    for name, one, batch in zip(Targets._fields, alone, where, strict=True):
        assert torch.equal(one[0], batch[5]), f"{name} of a sample must not depend on its batch: take every random number from `draws`"
    check_device("select()", lambda device: selector.select(Draws(0, 0, torch.arange(4, device=device)), grid))
