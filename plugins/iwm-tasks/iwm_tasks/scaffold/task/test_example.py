"""What every task must keep to, and what this one does."""

import pytest
import torch
from iwm_devkit import check_task
from iwm_tasks.scaffold.task.example import Example

from iwm_core.interfaces import Images


class Red(Images):
    """One image, all of it red."""

    def __len__(self) -> int:
        return 1

    def image(self, index: int) -> torch.Tensor:
        return torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None].expand(3, 4, 4)

    def describe(self, index: int) -> str:
        return "red"


def test_contract() -> None:
    check_task(Example())


def test_red_is_as_bright_as_its_share() -> None:
    assert Example(red=0.25).target(Red(), 0).tolist() == [0.25]


def test_the_error_is_the_mean_distance() -> None:
    task = Example()
    rows = task.rows(torch.tensor([[0.5], [0.0]]), torch.tensor([[0.25], [0.25]]))
    assert task.metrics(rows) == pytest.approx({"mae": 0.25})
