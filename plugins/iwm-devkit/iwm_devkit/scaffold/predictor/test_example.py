"""What every predictor must keep to, and what this one does."""

import torch

from iwm_core.interfaces import Targets
from iwm_devkit import check_predictor
from iwm_devkit.scaffold.predictor.example import Example

SMALL = Example(width=24, depth=2, heads=2)


def test_contract() -> None:
    check_predictor(SMALL)


def test_predictions_depend_on_the_action() -> None:
    predictor = SMALL.build(width=16, grid=(2, 2), action=3)
    where = Targets(context=torch.tensor([[0, 1]]), target=torch.tensor([[[2, 3]]]))
    context = torch.ones(1, 2, 16)
    one, other = (predictor(context, where, torch.tensor([told])) for told in ([0.0, 0.0, 0.0], [1.0, 0.0, -1.0]))
    assert one.shape == (1, 1, 2, 16)
    assert not torch.allclose(one, other, atol=1e-3)
