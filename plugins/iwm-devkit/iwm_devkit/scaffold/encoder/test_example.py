"""What every encoder must keep to, and what this one does."""

import pytest
import torch

from iwm_devkit import check_encoder
from iwm_devkit.scaffold.encoder.example import Example


def test_contract() -> None:
    check_encoder(Example(width=32, depth=2))


def test_tokens_know_what_is_where() -> None:
    encoder = Example(width=32, depth=1).build(32)
    plain = torch.full((1, 3, 32, 32), 0.5)
    tokens = encoder(torch.cat([plain, 1.5 * plain]))
    assert not torch.allclose(tokens[0, 0], tokens[0, 1], atol=1e-3), "patches of one colour are told apart by their places"
    assert not torch.allclose(tokens[0], tokens[1], atol=1e-3), "and images by their colours"


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="image_size 30 is not divisible"):
        Example().build(30)
