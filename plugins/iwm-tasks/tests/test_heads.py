"""Heads start neutral, use all tokens in any order, and learn."""

import pytest
import torch
from iwm_tasks.attentive import Attentive
from iwm_tasks.linear import Linear
from torch.nn import functional as F

HEADS = [Linear(), Attentive(heads=2)]


@pytest.mark.parametrize("component", HEADS, ids=lambda c: c.name)
def test_starts_without_preference(component):
    assert torch.equal(component.build(8, 5)(torch.randn(3, 6, 8)), torch.zeros(3, 5))


@pytest.mark.parametrize("component", HEADS, ids=lambda c: c.name)
def test_order_of_tokens_does_not_matter(component):
    torch.manual_seed(0)
    head = component.build(8, 5)
    torch.nn.init.normal_(head.linear.weight)
    tokens = torch.randn(3, 6, 8)
    torch.testing.assert_close(head(tokens), head(tokens[:, torch.randperm(6)]))


@pytest.mark.parametrize("component", HEADS, ids=lambda c: c.name)
def test_learns_a_class_that_one_direction_tells(component):
    torch.manual_seed(0)
    labels = torch.arange(64) % 2
    tokens = torch.randn(64, 6, 8)
    tokens[..., 0] += 2 * labels[:, None] - 1
    head = component.build(8, 2)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(head(tokens), labels).backward()
        optimizer.step()
    assert (head(tokens).argmax(1) == labels).float().mean() > 0.95


def test_attentive_equals_torchs_attention():
    """The pooling is multi-head cross-attention as torch defines it."""
    torch.manual_seed(0)
    head = Attentive(heads=2).build(8, 5)
    reference = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([head.q.weight, head.kv.weight]))
        reference.in_proj_bias.copy_(torch.cat([head.q.bias, head.kv.bias]))
        reference.out_proj.load_state_dict(head.out.state_dict())
    tokens = torch.randn(3, 6, 8)
    normed, query = head.norm_tokens(tokens), head.query.expand(3, -1, -1)
    pooled = query + reference(query, normed, normed)[0]
    torch.testing.assert_close(head.pool(tokens), (pooled + head.mlp(head.norm_mlp(pooled)))[:, 0])


def test_heads_that_do_not_divide_the_width():
    with pytest.raises(ValueError, match="divisor, or to null"):
        Attentive(heads=3).build(8, 5)


@pytest.mark.parametrize(("width", "heads"), [(768, 12), (128, 8), (54, 9), (13, 1), (3, 3)])
def test_as_many_heads_as_fit_any_width(width, heads):
    head = Attentive().build(width, 5)
    assert head.heads == heads
    assert head(torch.randn(2, 4, width)).shape == (2, 5)
