"""What protocols train, how fast, and what is dropped meanwhile."""

import pytest
import torch
from iwm_tasks.interfaces import WorldModelParts
from iwm_tasks.protocols.encoder import FinetunedEncoder, Frozen
from iwm_tasks.protocols.predictor import EndToEnd, OneQuery, RandomPredictor, TunedPredictor
from iwm_tasks.protocols.stochastic_depth import drop_paths
from iwm_vit.encoder import TimmViT
from iwm_vit.predictors.adaln import AdaLN
from iwm_vit.predictors.feature import Feature
from iwm_vit.predictors.identity import Identity
from timm.layers.drop import DropPath
from torch import nn

from iwm_core.interfaces import Encoder

SIDE, DEPTH = 8, 3
PREDICTOR = Feature(depth=DEPTH, width=8, heads=2)
FROZEN = [Frozen(), TunedPredictor(), RandomPredictor(), OneQuery()]
WHOLE = [FinetunedEncoder(), EndToEnd()]
names = {"ids": lambda p: p.name}


def encoder(**options):
    return TimmViT(model="vit_tiny_patch16_224", patch_size=4, width=16, depth=2, heads=2, **options).build(SIDE)


def parts(predictor=PREDICTOR, seed=0, **options):
    torch.manual_seed(seed)
    teacher = encoder(**options)
    make = lambda: predictor.build(teacher.width, teacher.grid, 2)  # noqa: E731
    return WorldModelParts(teacher.requires_grad_(False), make(), make, 2, SIDE)


def trained(module):
    return {name for name, parameter in module.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("protocol", FROZEN, **names)
def test_a_frozen_teacher_is_never_trained_nor_in_training_mode(protocol):
    backbone = protocol.build(parts(drop_path=0.5), 1)
    teacher = next(m for m in backbone.modules() if isinstance(m, Encoder))
    for mode in (True, False, True):
        backbone.train(mode)
        assert not any(module.training for module in teacher.modules())
    assert not trained(teacher)
    images = torch.rand(4, 3, SIDE, SIDE, requires_grad=True)
    reading = getattr(backbone, "teacher", backbone)
    tokens = [reading(images, torch.zeros(4, dtype=torch.int64)) for _ in range(2)]
    assert not tokens[0].requires_grad, "no graph is kept for what is not trained"
    assert torch.equal(*tokens), "the teacher drops nothing"


@pytest.mark.parametrize("protocol", WHOLE, **names)
def test_a_trained_teacher_is_trained_whole_and_in_training_mode(protocol):
    given = parts()
    backbone = protocol.build(given, 1).train()
    assert all(p.requires_grad for p in given.encoder.parameters())
    assert all(module.training for module in given.encoder.modules())
    backbone(torch.rand(2, 3, SIDE, SIDE), torch.zeros(2, dtype=torch.int64)).square().sum().backward()
    assert given.encoder.vit.patch_embed.proj.weight.grad.any()


@pytest.mark.parametrize(("protocol", "scale"), [(TunedPredictor(), 0.1), (OneQuery(), 0.1), (EndToEnd(), 0.1), (RandomPredictor(), 1.0)])
def test_a_pretrained_predictor_takes_a_tenth_of_the_rate_of_a_random_one(protocol, scale):
    backbone = protocol.build(parts(), 2)
    scales = backbone.lr_scales()
    own = {name: value for name, value in scales.items() if name.startswith("predictor.")}
    assert set(own) == {name for name, _ in backbone.named_parameters() if name.startswith("predictor.")}
    assert set(own.values()) == {scale}
    assert "task_tokens" not in scales, "new weights learn like heads"
    assert set(scales) <= {name for name, _ in backbone.named_parameters()}


def test_the_rate_of_a_predictor_is_a_field():
    assert set(TunedPredictor(lr_scale=0.5).build(parts(), 1).lr_scales().values()) == {0.5}


@pytest.mark.parametrize(("protocol", "prefix"), [(FinetunedEncoder, "encoder."), (EndToEnd, "teacher.encoder.")])
def test_layer_decay_is_a_power_of_the_layers_above(protocol, prefix):
    scales = protocol(layer_decay=0.5).build(parts(), 1).lr_scales()
    own = {name.removeprefix(f"{prefix}vit."): scale for name, scale in scales.items() if name.startswith(prefix)}
    expected = {"norm": 0.5, "blocks.1": 0.5, "blocks.0": 0.25, "patch_embed": 0.125}
    for place, scale in expected.items():
        found = {own.pop(name) for name in list(own) if name.startswith(place)}
        assert found == {scale}, place
    assert not own


def test_layer_decay_reaches_the_models_own_positions_and_class_token():
    scales = FinetunedEncoder(layer_decay=0.5).build(parts(positions="model"), 1).lr_scales()
    assert scales["encoder.vit.pos_embed"] == scales["encoder.vit.cls_token"] == pytest.approx(0.125)


def test_probes_have_no_backbone_to_learn():
    backbone = Frozen().build(parts(), 1)
    assert backbone.lr_scales() == {}
    assert not trained(backbone)


def rates(module):
    return [[m.drop_prob for m in block.modules() if isinstance(m, DropPath)] for block in module.blocks]


@pytest.mark.parametrize("predictor", [PREDICTOR, AdaLN(depth=DEPTH, width=8, heads=2)], ids=lambda p: p.name)
def test_drop_path_grows_linearly_from_the_first_block_to_the_last(predictor):
    backbone = TunedPredictor(drop_path=0.4).build(parts(predictor), 1)
    assert rates(backbone.predictor) == [[0.0], [pytest.approx(0.2)], [pytest.approx(0.4)]]
    assert rates(FinetunedEncoder(drop_path=0.3).build(parts(), 1).encoder.vit) == [[0.0, 0.0], [0.3, 0.3]]
    both = EndToEnd(drop_path=0.4).build(parts(predictor), 1)
    assert (rates(both.predictor)[-1], rates(both.teacher.encoder.vit)[-1]) == ([0.4], [0.4, 0.4])


def test_drop_path_of_zero_also_ends_that_of_pretraining():
    backbone = FinetunedEncoder(drop_path=0.0).build(parts(drop_path=0.5), 1).train()
    images, task = torch.rand(3, 3, SIDE, SIDE), torch.zeros(3, dtype=torch.int64)
    assert torch.equal(backbone(images, task), backbone(images, task))


def test_whole_branches_of_single_images_are_dropped_in_training_alone():
    backbone = TunedPredictor(drop_path=0.5).build(parts(), 1)
    block, count = backbone.predictor.blocks[-1], 4000
    tokens = torch.randn(1, 5, 8).expand(count, -1, -1)
    with torch.no_grad():
        attention, mlp = block.attention(block.norm1(tokens[:1])), lambda t: block.mlp(block.norm2(t))
        half = tokens[:1] + 2 * attention  # what is kept is scaled by one over the share that is kept
        ways = [tokens[0], half[0], (tokens[:1] + 2 * mlp(tokens[:1]))[0], (half + 2 * mlp(half))[0]]
        torch.manual_seed(0)
        given = block.train()(tokens)
        hits = torch.stack([((given - way).abs().amax((1, 2)) < 1e-4) for way in ways])
        kept = tokens[:1] + attention
        torch.testing.assert_close(block.eval()(tokens[:1]), kept + mlp(kept))
    assert (hits.sum(0) == 1).all(), "each image goes one of four ways, wholly"
    deviation = (count * 0.25 * 0.75) ** 0.5
    assert ((hits.sum(1) - count / 4).abs() < 4.5 * deviation).all(), "branches and images are dropped apart from each other"


def test_a_backbone_repeats_itself_in_evaluation_and_varies_in_training():
    backbone = TunedPredictor(drop_path=0.5).build(parts(), 1)
    images, task = torch.rand(8, 3, SIDE, SIDE), torch.zeros(8, dtype=torch.int64)
    with torch.no_grad():
        assert torch.equal(backbone.eval()(images, task), backbone(images, task))
        assert not torch.equal(backbone.train()(images, task), backbone(images, task))
        backbone.eval()
        plain = TunedPredictor(drop_path=0.0).build(parts(), 1).eval()
        assert torch.equal(backbone(images, task), plain(images, task))


def test_what_has_no_blocks_cannot_drop_paths():
    with pytest.raises(ValueError, match=r"^IdentityPredictor has no blocks whose branches can be dropped; set protocol.drop_path=0$"):
        TunedPredictor().build(parts(Identity()), 1)
    assert not trained(TunedPredictor(drop_path=0.0).build(parts(Identity()), 1))
    drop_paths(nn.Linear(1, 1), 0.0, "protocol.drop_path")


def test_the_control_has_new_weights_of_the_same_shape():
    given = parts(seed=3)
    torch.manual_seed(5)
    random = RandomPredictor().build(given, 1).predictor
    own, pretrained = dict(random.named_parameters()), dict(given.predictor.named_parameters())
    assert {n: p.shape for n, p in own.items()} == {n: p.shape for n, p in pretrained.items()}
    drawn = {name for name in own if name.endswith("weight") and "norm" not in name} | {"mask_token"}
    assert all(not torch.equal(own[name], pretrained[name]) for name in drawn)
    assert TunedPredictor().build(given, 1).predictor is given.predictor
    given = parts(seed=4)
    torch.manual_seed(5)
    again = RandomPredictor().build(given, 1).predictor
    assert all(torch.equal(a, b) for a, b in zip(random.parameters(), again.parameters(), strict=True))
