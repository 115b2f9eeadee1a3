"""Heads of maps: shapes on any grid, a neutral start, where they look, and that they learn."""

import pytest
import torch
from iwm_tasks.segmentation import Segmentation
from iwm_tasks.segmentation_conv import SegmentationConv
from torch.nn import functional as F

FINER = [(Segmentation(), 1), (SegmentationConv(), 4)]
both = pytest.mark.parametrize(("component", "finer"), FINER, ids=lambda value: getattr(value, "name", ""))


def stirred(component, width, outputs):
    """A head whose last layer is no longer zero."""
    torch.manual_seed(0)
    head = component.build(width, outputs)
    torch.nn.init.normal_(head.linear.weight)
    return head


@both
@pytest.mark.parametrize("grid", [(1, 1), (3, 5)])
@pytest.mark.parametrize("width", [6, 48])
def test_maps_of_any_grid(component, finer, grid, width):
    assert component.dense
    tokens = torch.randn(2, width, *grid)
    head = component.build(width, 5)
    assert torch.equal(head(tokens), torch.zeros(2, 5, finer * grid[0], finer * grid[1])), "it starts without preference"
    assert stirred(component, width, 5)(tokens).std() > 0


@both
def test_every_weight_learns(component, finer):
    head = stirred(component, 16, 3)
    head(torch.randn(2, 16, 3, 5)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in head.parameters())


@both
def test_an_image_does_not_depend_on_its_batch(component, finer):
    head, tokens = stirred(component, 16, 3), torch.randn(4, 16, 3, 5)
    torch.testing.assert_close(head(tokens)[1:2], head(tokens[1:2]))


def test_the_linear_head_asks_each_token_alone():
    head, tokens = stirred(Segmentation(), 16, 3), torch.randn(1, 16, 4, 4)
    one = F.linear(F.layer_norm(tokens[0, :, 1, 2], (16,), head.norm.weight, head.norm.bias, 1e-6), head.linear.weight, head.linear.bias)
    torch.testing.assert_close(head(tokens)[0, :, 1, 2], one)


def test_the_decoder_sees_neighbours_but_not_the_whole():
    head = stirred(SegmentationConv(), 16, 3)
    tokens = torch.randn(1, 16, 9, 9, requires_grad=True)
    head(tokens)[0, :, 18, 18].sum().backward()
    seen = tokens.grad[0].abs().sum(0) > 0
    assert seen[4, 4]
    assert seen[3:6, 3:6].all()
    assert not seen[0].any()
    assert not seen[:, 8].any()


@both
def test_learns_what_one_direction_tells(component, finer):
    torch.manual_seed(0)
    mask = torch.randint(2, (32, 4, 4))
    tokens = torch.randn(32, 8, 4, 4)
    tokens[:, 0] += 4 * mask - 2
    truth = mask.repeat_interleave(finer, 1).repeat_interleave(finer, 2)
    head = component.build(8, 2)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        F.cross_entropy(head(tokens), truth).backward()
        optimizer.step()
    assert (head(tokens).argmax(1) == truth).float().mean() > 0.85
