"""Encoders from files of others compute what their own libraries compute with them; what is not explained is refused by name."""

import json

import pytest
import timm
import torch
from iwm_interop.importing.encoders import read_encoder
from iwm_interop.published import Architecture, Published
from reference_ijepa import checkpoint, reference
from safetensors.torch import save_file
from timm.models.vision_transformer import checkpoint_filter_fn

from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw

MEAN, STD = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]
SMALL = {"embed_dim": 32, "depth": 2, "num_heads": 2}
OURS = {"width": 32, "depth": 2, "heads": 2}
DINO, REGISTERS, MAE = "vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2", "vit_base_patch16_224"


def shaken(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()


def theirs(name, size, **options):
    return timm.create_model(name, img_size=size, num_classes=0, **{**SMALL, **options})


def images(size, b=2):
    return torch.rand(b, 3, size, size, generator=torch.Generator().manual_seed(1))


def far(component, size, model):
    """How far our tokens are from timm's."""
    with torch.no_grad():
        own = component.build(size).eval()(images(size))
        expected = model.forward_features((images(size) - MEAN) / STD)[:, model.num_prefix_tokens :]
    assert own.shape == expected.shape
    assert expected.std() > 0.1
    return (own - expected).abs().max()


def published(folder, weights, model, **options):
    torch.save(weights, folder / "weights.pth")
    architecture = Architecture(model=model, **{**OURS, **options.pop("architecture", {})})
    return Published(architecture=architecture, weights=str(folder / "weights.pth"), **options)


def test_dinov2_of_timm(tmp_path):
    model = shaken(theirs(DINO, 56))
    component = published(tmp_path, model.state_dict(), DINO)
    assert far(component, 56, model) < 1e-4
    assert "vit.blocks.0.ls1.gamma" in component.build(56).state_dict()


def original(model):
    """timm's DINOv2 with registers under the names of its own release, by the inverse of what its paper's code does."""
    weights = dict(model.state_dict())
    own = torch.randn(1, 1, 32, generator=torch.Generator().manual_seed(9))
    weights["pos_embed"] = torch.cat([own, weights["pos_embed"]], dim=1)
    weights["cls_token"] = weights["cls_token"] - own
    weights["register_tokens"] = weights.pop("reg_token")
    return weights | {"mask_token": torch.zeros(1, 32)}


def read_by_timm(weights, model):
    """As timm reads what is downloaded."""
    model.load_state_dict(checkpoint_filter_fn(dict(weights), model))
    return model.eval()


def test_dinov2_with_registers_by_the_names_of_its_release(tmp_path):
    model = shaken(theirs(REGISTERS, 56))
    component = published(tmp_path, original(model), REGISTERS)
    assert far(component, 56, model) < 1e-4
    assert far(component, 56, read_by_timm(original(model), theirs(REGISTERS, 56))) < 1e-4
    report = {line["key"]: line for line in component.build(56).origin["keys"]}
    assert report["register_tokens"]["became"] == "encoder.vit.reg_token"
    assert report["pos_embed"]["became"] == "encoder.vit.cls_token and encoder.vit.pos_embed"
    assert "masked training" in report["mask_token"]["left_out"]


def test_dinov2s_gated_mlp(tmp_path):
    model = shaken(theirs("vit_giant_patch14_dinov2", 28))
    weights = {key.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3"): tensor for key, tensor in model.state_dict().items()}
    assert far(published(tmp_path, weights | {"mask_token": torch.zeros(1, 32)}, "vit_giant_patch14_dinov2"), 28, model) < 1e-4


def test_mae_with_its_decoder(tmp_path):
    model = shaken(theirs(MAE, 32))
    weights = {**model.state_dict(), "mask_token": torch.zeros(1, 1, 16), "decoder_pos_embed": torch.zeros(1, 5, 16)}
    component = published(tmp_path, {"model": weights | {"decoder_blocks.0.norm1.weight": torch.zeros(16)}, "epoch": 800}, MAE)
    assert far(component, 32, model) < 1e-4
    left = {line["key"] for line in component.build(32).origin["keys"] if "left_out" in line}
    assert left == {"mask_token", "decoder_pos_embed", "decoder_blocks.0.norm1.weight", "epoch"}


def test_timms_ijepa_and_the_references(tmp_path):
    model = shaken(theirs("vit_huge_patch14_gap_224", 56))
    learned = published(tmp_path, model.state_dict(), "vit_huge_patch14_gap_224")
    stored = published(tmp_path, model.state_dict(), MAE, architecture={"positions": "stored", "patch_size": 14})
    assert far(learned, 56, model) < 1e-4
    assert far(stored, 56, model) < 1e-4
    parts = reference(size=56, patch=14, width=32, depth=2, heads=2)
    taken = published(tmp_path, checkpoint(*parts), MAE, architecture={"positions": "stored", "patch_size": 14}).build(56).eval()
    with torch.no_grad():
        assert (taken(images(56)) - parts[1]((images(56) - MEAN) / STD)).abs().max() < 1e-5, "the moving average, as its authors do"


def transformers_model():
    from transformers import IJepaConfig, IJepaModel

    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    return shaken(IJepaModel(IJepaConfig(**shape, image_size=56, patch_size=14, layer_norm_eps=1e-6)))


@pytest.mark.parametrize("style", ["4", "5", "classifier"])
def test_transformers_names_of_both_versions(style, tmp_path):
    model = transformers_model()
    model.save_pretrained(tmp_path / "saved")  # under the names of version 4
    from safetensors.torch import load_file

    weights = load_file(tmp_path / "saved/model.safetensors") if style == "4" else dict(model.state_dict())
    assert any(key.startswith("encoder.layer." if style == "4" else "layers.") for key in weights)
    if style == "classifier":
        weights = {f"ijepa.{key}": tensor for key, tensor in weights.items()} | {"classifier.weight": torch.zeros(5, 32)}
    component = published(tmp_path, weights, MAE, architecture={"positions": "stored", "patch_size": 14, "mlp_ratio": 3.0})
    with torch.no_grad():
        expected = model((images(56) - MEAN) / STD).last_hidden_state
        assert (component.build(56).eval()(images(56)) - expected).abs().max() < 1e-4
    left = [line["key"] for line in component.build(56).origin["keys"] if "left_out" in line]
    assert left == (["classifier.weight"] if style == "classifier" else [])


def test_positions_are_resampled_as_timm_does_and_only_where_asked_for(tmp_path):
    model = shaken(theirs(DINO, 70))
    component = published(tmp_path, model.state_dict(), DINO, interpolate=True)
    assert far(component, 42, read_by_timm(model.state_dict(), theirs(DINO, 42))) < 1e-4
    (line,) = [line for line in component.build(42).origin["keys"] if "how" in line]
    assert line["how"] == "resampled from 5 x 5 to 3 x 3 patches (bicubic, antialiased)"
    with pytest.raises(UserError, match="pos_embed is of 5 x 5 patches, .* image_size=70, or encoder.interpolate=true"):
        published(tmp_path, model.state_dict(), DINO).build(42)


def renamed(weights, key, other):
    return {(other if name == key else name): tensor for name, tensor in weights.items()}


REFUSED = {
    "renamed": (lambda w: renamed(w, "blocks.1.ls2.gamma", "blocks.1.ls2.gama"), ("blocks.1.ls2.gamma", "blocks.1.ls2.gama")),
    "missing": (lambda w: {key: t for key, t in w.items() if key != "cls_token"}, ("lacks cls_token",)),
    "extra": (lambda w: w | {"blocks.7.norm1.bias": torch.zeros(32)}, ("has blocks.7.norm1.bias", "2 blocks")),
    "another shape": (lambda w: w | {"norm.bias": torch.zeros(31)}, ("norm.bias is of shape (31,)", "(32,)")),
    "no square of positions": (lambda w: w | {"pos_embed": torch.zeros(1, 12, 32)}, ("pos_embed is of shape (1, 12, 32)",)),
    "a few numbers repeated": (lambda w: w | {"norm.bias": torch.zeros(1).expand(32)}, ("norm.bias", "a few numbers repeated")),
    "not finite": (lambda w: w | {"norm.bias": torch.full((32,), torch.inf)}, ("norm.bias", "finite")),
    "beside the weights": (lambda w: {"model": w, "ema": {}}, ("'ema'",)),
    "another model": (lambda w: {"conv1.weight": torch.zeros(3)}, ("names of no known encoder", "conv1.weight")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_explained_is_refused_by_name(case, tmp_path):
    change, words = REFUSED[case]
    with pytest.raises(UserError) as refused:
        published(tmp_path, change(dict(shaken(theirs(DINO, 56)).state_dict())), DINO).build(56)
    line = str(refused.value)
    assert all(word in line for word in words), line
    assert len(line) <= 400
    assert "\n" not in line


def test_a_key_that_transformers_does_not_have_is_refused(tmp_path):
    weights = dict(transformers_model().state_dict())
    for other, words in (
        (renamed(weights, "layers.0.mlp.fc1.bias", "layers.0.mlp.fc3.bias"), "layers.0.mlp.fc3.bias"),
        (
            {key: tensor for key, tensor in weights.items() if key != "layers.1.attention.k_proj.bias"},
            "lacks the key of blocks.1.attn.qkv.bias",
        ),
    ):
        with pytest.raises(UserError, match=words):
            published(tmp_path, other, MAE, architecture={"positions": "stored"}).build(64)


def test_files_that_are_none(tmp_path):
    for name, content, words in (
        ("a.safetensors", b"text", "no file of safetensors"),
        ("a.pth", b"text", "no file of torch.save"),
        ("model.pt2", b"", "is a program"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=words):
            read_encoder(tmp_path / name)
    with pytest.raises(UserError, match="there are no weights at"):
        read_encoder(tmp_path / "nowhere")
    (tmp_path / "cut").mkdir()
    with pytest.raises(UserError, match="holds no weights"):
        read_encoder(tmp_path / "cut")
    (tmp_path / "cut/model.safetensors.index.json").write_text(json.dumps({}))
    with pytest.raises(UserError, match="cut into several files"):
        read_encoder(tmp_path / "cut")


def test_safetensors_and_folders_are_read(tmp_path):
    model = shaken(theirs(DINO, 28))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    for place in (tmp_path, tmp_path / "model.safetensors"):
        assert far(Published(architecture=Architecture(model=DINO, **OURS), weights=str(place)), 28, model) < 1e-4


def test_a_frozen_encoder_has_no_gradients(tmp_path):
    component = published(tmp_path, shaken(theirs(DINO, 28)).state_dict(), DINO, frozen=True)
    assert not [name for name, parameter in component.build(28).named_parameters() if parameter.requires_grad]
    assert not [name for name, parameter in component.rebuild(28).named_parameters() if parameter.requires_grad]
    assert Published(architecture=Architecture(model=DINO, **OURS), lr_scale=0.1).build(28).lr_scale == 0.1


CHOICES = {  # timm's own definitions of the published models, by other names than ours
    "ijepa_vith14": ("vit_huge_patch14_gap_224", 224),
    "ijepa_vith16_448": ("vit_huge_patch16_gap_448", 448),
    "ijepa_vitg16": ("vit_giant_patch16_gap_224", 224),
    **{f"dinov2_vit{s[0]}14": (f"vit_{s}_patch14_dinov2", 518) for s in ("small", "base", "large", "giant")},
    **{f"dinov2_vit{s[0]}14_reg": (f"vit_{s}_patch14_reg4_dinov2", 518) for s in ("small", "base", "large", "giant")},
    "mae_vitb16": ("vit_base_patch16_224", 224),
    "mae_vitl16": ("vit_large_patch16_224", 224),
    "mae_vith14": ("vit_huge_patch14_224", 224),
}


@pytest.mark.parametrize("name", CHOICES)
def test_ready_made_choices_are_the_published_models(name):
    model, size = CHOICES[name]
    recipe = thaw(compose("import/encoder", [f"encoder={name}", f"image_size={size}", "data=scenes"])[0])
    with torch.device("meta"):
        own, other = recipe.encoder.rebuild(size), timm.create_model(model, img_size=size, num_classes=0)
    shapes = {key.removeprefix("vit.").replace("positions", "pos_embed"): tuple(t.shape) for key, t in own.state_dict().items()}
    assert shapes == {key: tuple(tensor.shape) for key, tensor in other.state_dict().items()}
    assert own.vit.blocks[0].attn.num_heads == other.blocks[0].attn.num_heads
    assert type(own.vit.blocks[0].mlp.act) is type(other.blocks[0].mlp.act)
    assert [layer.eps for layer in (own.vit.norm, own.vit.blocks[0].norm1)] == [layer.eps for layer in (other.norm, other.blocks[0].norm1)]
    assert recipe.encoder.licence == ("Apache-2.0" if name.startswith("dinov2") else "CC BY-NC 4.0")
    assert recipe.encoder.frozen, "as of the recipe"


def test_every_choice_is_compared():
    from iwm_core.plugins.recipe_files import ready_made

    assert {*ready_made("encoder")} == {*CHOICES}
