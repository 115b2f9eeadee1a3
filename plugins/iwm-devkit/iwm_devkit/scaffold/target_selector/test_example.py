"""What every target selector must keep to, and what this one does."""

import torch

from iwm_core.interfaces import Draws
from iwm_devkit import check_target_selector
from iwm_devkit.scaffold.target_selector.example import Example


def test_contract() -> None:
    check_target_selector(Example())


def test_targets_are_neighbouring_columns_and_the_rest_is_context() -> None:
    where = Example(share=0.5).select(Draws(0, 0, torch.arange(50)), (3, 6))
    firsts = set()
    for context, target in zip(where.context.tolist(), where.target[:, 0].tolist(), strict=True):
        columns = sorted({patch % 6 for patch in target})
        assert columns == list(range(columns[0], columns[0] + 3))
        assert sorted(context + target) == list(range(18))
        firsts.add(columns[0])
    assert firsts == {0, 1, 2, 3}
