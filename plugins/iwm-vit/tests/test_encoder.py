"""The encoder equals timm's own forward and a loop over images; what it cannot do is said in one line."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import pytest
import timm
import torch
from iwm_tasks.tuning.counting import counting
from iwm_vit.encoder import TimmViT, ViTEncoder
from iwm_vit.positions import sincos_2d
from timm.models import generate_default_cfgs, register_model

from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training.fits import check_fit

TINY = {"patch_size": 8, "width": 16, "depth": 2, "heads": 2}
MEAN, STD = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def shaken(model):
    """Every parameter random: tokens that start near zero would hide a mistake."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()


def images(b=3, size=32):
    return torch.rand(b, 3, size, size, generator=torch.Generator().manual_seed(1))


PREFIXES = {
    "class": ("vit_tiny_patch16_224", {}, 1),
    "class, registers without positions": ("vit_small_patch14_reg4_dinov2", {}, 5),
    "class without position": ("deit3_small_patch16_224", {}, 1),
    "class and registers with positions": ("vit_tiny_patch16_224", {"reg_tokens": 3}, 4),
    "registers alone": ("vit_little_patch16_reg4_gap_256", {}, 4),
    "none": ("vit_medium_patch16_gap_240", {}, 0),
    "class, no positions at all": ("vit_tiny_patch16_224", {"pos_embed": "none"}, 1),
    "norm before the blocks": ("vit_base_patch16_clip_224", {}, 1),
}


@pytest.mark.parametrize(("name", "options", "prefix"), PREFIXES.values(), ids=PREFIXES)
def test_all_patches_equal_timms_own_forward(name, options, prefix):
    shape = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 0, "global_pool": ""}
    vit = shaken(timm.create_model(name, **shape, **options))
    encoder = ViTEncoder(vit, 32, "model", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)).eval()
    normalised = (images() - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([0.4, 0.5, 0.6])[:, None, None]
    expected = vit.forward_features(normalised)[:, prefix:]
    assert expected.shape == (3, 16, 16)
    torch.testing.assert_close(encoder(images()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("positions", ["sincos", "model"])
def test_a_subset_equals_a_loop_over_images(positions):
    # Not pretrained: ImageNet's mean, though this model's own is 0.5.
    encoder = shaken(TimmViT(model="vit_tiny_patch16_224", positions=positions, **TINY).build(32))
    vit, keep = encoder.vit, torch.tensor([[0, 3, 5, 15], [1, 2, 8, 9], [4, 12, 13, 14]])
    where = torch.tensor(slow_positions(16, 4, 4)) if positions == "sincos" else vit.pos_embed[0, 1:]
    first = [] if positions == "sincos" else [vit.cls_token[0] + vit.pos_embed[0, :1]]
    for image, kept, tokens in zip(images(), keep, encoder(images(), keep), strict=True):
        embedded = vit.patch_embed(((image - MEAN) / STD)[None])[0] + where
        chosen = torch.cat([*first, *(embedded[i : i + 1] for i in kept)])
        for block in vit.blocks:
            chosen = block(chosen[None])[0]
        torch.testing.assert_close(tokens, vit.norm(chosen)[len(first) :], rtol=1e-4, atol=1e-4)


def test_dropped_pixels_have_no_influence():
    encoder = shaken(TimmViT(**TINY).build(32))
    keep = torch.arange(8).expand(3, -1)  # the upper half
    other = images()
    other[:, :, 16:] = 0.5
    assert torch.equal(encoder(images(), keep), encoder(other, keep))
    assert not torch.allclose(encoder(images()), encoder(other))


def test_dropped_patches_cost_nothing():
    encoder = TimmViT(patch_size=4, width=16, depth=2, heads=2).build(32)

    def cost(kept):
        with counting() as counter:
            encoder(images(1), torch.arange(kept)[None] if kept < 64 else None)
        return counter.get_total_flops()

    assert cost(64) > 2 * 64 * (48 * 16 + 2 * 12 * 16**2), "patch embedding and both blocks are counted"
    assert cost(32) <= 0.51 * cost(64)
    assert cost(1) <= 0.016 * cost(64)


def slow_positions(width, rows, columns):
    """MAE's and I-JEPA's definition, a number at a time; here the row comes before the column."""

    def one(position, size):
        angles = [position / 10000 ** (2 * i / size) for i in range(size // 2)]
        return [math.sin(a) for a in angles] + [math.cos(a) for a in angles]

    return [one(row, width // 2) + one(column, width // 2) for row in range(rows) for column in range(columns)]


@pytest.mark.parametrize(("width", "grid"), [(16, (4, 4)), (4, (3, 5)), (384, (14, 14))])
def test_sincos_positions(width, grid):
    table = sincos_2d(width, grid)
    torch.testing.assert_close(table, torch.tensor(slow_positions(width, *grid)), rtol=0, atol=1e-6)
    distance = torch.cdist(table, table) + torch.eye(len(table))
    assert distance.min() > 0.1, "each position is told from every other"
    rows, columns = table.unflatten(0, grid).split(width // 2, dim=-1)
    assert torch.equal(rows, rows[:, :1].expand_as(rows)), "one half tells the row only"
    assert torch.equal(columns, columns[:1].expand_as(columns)), "the other the column only"


def test_stored_positions_are_sincos_until_weights_bring_others():
    fixed, stored = (TimmViT(positions=positions, **TINY).build(32) for positions in ("sincos", "stored"))
    assert stored.state_dict().keys() - fixed.state_dict().keys() == {"positions"}
    assert not [name for name, _ in stored.named_parameters() if "positions" in name]  # they are not trained
    fixed.load_state_dict({name: tensor for name, tensor in stored.state_dict().items() if name != "positions"})
    assert torch.equal(fixed.eval()(images()), stored.eval()(images()))
    halves = stored.positions.roll(8, dims=-1)  # the column's half first
    stored.load_state_dict({**stored.state_dict(), "positions": halves})
    assert torch.equal(stored.positions, halves)
    fixed.positions.copy_(halves)
    assert torch.equal(fixed(images()), stored(images()))


def test_the_width_of_mlps_is_rounded_down():
    assert TimmViT(mlp_ratio=48 / 11, **TINY).build(32).vit.blocks[0].mlp.fc1.out_features == int(16 * 48 / 11)


def test_fields_shape_the_model():
    encoder = TimmViT(patch_size=4, width=24, depth=3, heads=6, drop_path=0.2).build(20)
    assert (encoder.grid, encoder.width, len(encoder.vit.blocks)) == ((5, 5), 24, 3)
    assert {block.attn.num_heads for block in encoder.vit.blocks} == {6}
    assert encoder.vit.blocks[-1].drop_path1.drop_prob == pytest.approx(0.2)
    assert not {"cls_token", "pos_embed", "reg_token"} & set(encoder.state_dict())
    assert encoder(images(2, 20)).shape == (2, 25, 24)


def test_what_is_frozen_is_not_trained_and_what_is_slow_says_so():
    frozen, slow, plain = (TimmViT(**TINY, **fields).build(32) for fields in ({"frozen": True}, {"lr_scale": 0.1}, {}))
    assert [any(p.requires_grad for p in encoder.parameters()) for encoder in (frozen, slow, plain)] == [False, True, True]
    assert [encoder.lr_scale for encoder in (frozen, slow, plain)] == [1, 0.1, 1]


@pytest.mark.parametrize(("name", "width", "heads"), [("vit_tiny_patch16_224", 192, 3), ("vit_small_patch16_18x2_224", 384, 6)])
def test_what_no_field_says_is_the_models_own(name, width, heads):
    encoder = TimmViT(model=name, depth=1).build(32)
    assert (encoder.grid, encoder.width) == ((2, 2), width)
    assert {m.num_heads for m in encoder.modules() if hasattr(m, "num_heads")} == {heads}
    assert encoder(images()).shape == (3, 4, width)


@pytest.mark.parametrize(
    ("fields", "size", "words"),
    [
        ({}, 30, "image_size 30 .* patch size 8; use image_size=32"),
        ({"heads": 3}, 32, "encoder.width 16 .* encoder.heads 3"),
        ({"width": 18}, 32, "encoder.width must be a multiple of 4"),
        ({"frozen": True, "drop_path": 0.1}, 32, "encoder.drop_path=0.1 is for an encoder that is trained"),
        ({"frozen": True, "lr_scale": 0.1}, 32, "encoder.lr_scale=0.1 is for an encoder that is trained"),
        ({"lr_scale": 0.0}, 32, "encoder.lr_scale=0 .* write encoder.frozen=true"),
        ({"model": "vit_tinny"}, 32, "timm has no 'vit_tinny'"),
        ({"model": "resnet18"}, 32, "not a plain Vision Transformer"),
        ({"model": "deit_tiny_distilled_patch16_224"}, 32, "not a plain Vision Transformer"),
        ({"model": "vit_tiny_r_s16_p8_224"}, 32, "not a plain Vision Transformer"),
    ],
    ids=lambda value: value.get("model", "-".join(value)) if isinstance(value, dict) else "",
)
def test_mistakes_are_said_in_one_line(fields, size, words):
    with pytest.raises(ValueError, match=words) as caught:
        TimmViT(**TINY | fields).build(size)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_pretrained_weights_that_cannot_be_had(tmp_path):
    code = (
        "from iwm_vit.encoder import TimmViT\ntry: TimmViT(model='vit_tiny_patch16_224', pretrained=True, positions='model').build(224)\n"
        "except ValueError as error: print(error)"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=offline, capture_output=True, text=True, check=True)
    (line,) = done.stdout.strip().splitlines()
    assert line.startswith("encoder.pretrained: cannot load timm's weights of 'vit_tiny_patch16_224'")
    assert "go online once" in line


@pytest.fixture
def local_model(tmp_path, monkeypatch):
    """A model of timm whose pretrained weights are a file."""
    shape = {"patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2}

    def vit_of_a_file(pretrained=False, **options):
        return timm.models.vision_transformer._create_vision_transformer("vit_of_a_file", pretrained, **{**shape, **options})

    module = ModuleType("a_module_with_default_cfgs")
    source = shaken(timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=0, **shape))
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    config = {"file": str(tmp_path / "weights.pth"), "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "num_classes": 0}
    module.default_cfgs = generate_default_cfgs({"vit_of_a_file.one": config})
    vit_of_a_file.__module__ = module.__name__
    monkeypatch.setitem(sys.modules, module.__name__, module)
    register_model(vit_of_a_file)
    return source


@pytest.mark.filterwarnings("ignore:Overwriting vit_of_a_file")
def test_pretrained_weights_and_their_normalisation(local_model):
    encoder = TimmViT(model="vit_of_a_file", pretrained=True, positions="model").build(32).eval()
    normalised = (images() - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([0.4, 0.5, 0.6])[:, None, None]
    torch.testing.assert_close(encoder(images()), local_model.forward_features(normalised)[:, 1:], rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="encoder.positions=model"):
        TimmViT(model="vit_of_a_file", pretrained=True).build(32)


@pytest.mark.filterwarnings("ignore:Overwriting vit_of_a_file")
def test_checking_a_pretrained_recipe_warns_of_nothing(local_model, tiny):
    recipe = thaw(compose("tiny", [])[0])
    check_fit(replace(recipe, image_size=32, encoder=TimmViT(model="vit_of_a_file", pretrained=True, positions="model")))


def test_a_tag_names_the_weights():
    encoder = TimmViT(model="vit_tiny_patch16_224.augreg_in21k", **TINY).build(32)
    assert encoder.width == 16
    with pytest.raises(ValueError, match="timm has no 'vit_tiny_patch16_224.nobodys'"):
        TimmViT(model="vit_tiny_patch16_224.nobodys", **TINY).build(32)


@pytest.mark.filterwarnings("ignore:Overwriting vit_of_a_file")
def test_a_run_opens_without_the_pretrained_weights(local_model, tmp_path):
    component = TimmViT(model="vit_of_a_file", pretrained=True, positions="model")
    built = component.build(32)
    (tmp_path / "weights.pth").unlink()
    rebuilt = component.rebuild(32)
    assert torch.equal(rebuilt.mean, built.mean)
    assert {n: p.shape for n, p in rebuilt.state_dict().items()} == {n: p.shape for n, p in built.state_dict().items()}


def test_no_image_is_encoded_as_none():
    encoder = TimmViT(patch_size=8, width=16, depth=1, heads=2).build(16)
    assert encoder(torch.rand(0, 3, 16, 16), torch.zeros(0, 2, dtype=torch.long)).shape == (0, 2, 16)
