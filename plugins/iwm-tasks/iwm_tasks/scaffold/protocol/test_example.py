"""What every protocol must keep to, and what this one does."""

import torch
from iwm_devkit import check_protocol
from iwm_tasks.kit.small_world import small_world_model
from iwm_tasks.scaffold.protocol.example import Example


def test_contract() -> None:
    check_protocol(Example())


def test_heads_begin_with_the_teachers_tokens_and_the_teacher_is_not_trained() -> None:
    parts = small_world_model()
    images = torch.rand(2, 3, parts.image_size, parts.image_size, generator=torch.Generator().manual_seed(0))
    backbone = Example().build(parts, tasks=2)
    assert torch.equal(backbone(images, torch.tensor([0, 1])), parts.encoder(images))
    assert {name for name, weight in backbone.named_parameters() if weight.requires_grad} == {"scale", "shift"}


def test_each_task_has_its_own_scale() -> None:
    parts = small_world_model()
    backbone = Example().build(parts, tasks=2)
    dict(backbone.named_parameters())["scale"].data[1] = 2
    images = torch.full((2, 3, parts.image_size, parts.image_size), 0.5)
    one, other = backbone(images, torch.tensor([0, 1]))
    assert torch.allclose(2 * one, other)
