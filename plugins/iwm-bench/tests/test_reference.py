"""The step of I-JEPA's reference code, from a checkout; here from modules that have its names, and refuse what they are not given there."""

import importlib.machinery
import sys
from types import ModuleType

import pytest
import torch
from iwm_bench.by_lightly import Lightly
from iwm_bench.counting import tokens_of
from iwm_bench.course import Course
from iwm_bench.reference import Reference, gflop_of_peer, peer_step
from one_line import assert_one_line
from torch import nn

from iwm_core.cli.main import dispatch
from iwm_core.process.display import Display
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw

CODE = """
import torch
from torch import nn

def at(tokens, index):
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))

class VisionTransformer(nn.Module):
    def __init__(self, img_size, patch_size, embed_dim, depth, num_heads, mlp_ratio, qkv_bias, norm_layer):
        super().__init__()
        assert qkv_bias and norm_layer(4).eps == 1e-6
        self.sizes, self.seen = (img_size, patch_size, embed_dim, depth, num_heads, mlp_ratio), []
        self.embed = nn.Conv2d(3, embed_dim, patch_size, patch_size)

    def forward(self, x, masks=None):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = x if masks is None else torch.cat([at(x, mask) for mask in masks])
        self.seen.append(x.shape[1])
        return x

class VisionTransformerPredictor(nn.Module):
    def __init__(self, num_patches, embed_dim, predictor_embed_dim, depth, num_heads, mlp_ratio, qkv_bias, norm_layer):
        super().__init__()
        self.sizes, self.seen = (num_patches, embed_dim, predictor_embed_dim, depth, num_heads, mlp_ratio), []
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, masks_x, masks):
        self.seen.append((len(masks), masks[0].shape[1]))
        return torch.cat([self.out(x.mean(1, keepdim=True)).expand(-1, mask.shape[1], -1) for mask in masks])
"""


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "reference/src/models").mkdir(parents=True)
    (tmp_path / "reference/src/models/vision_transformer.py").write_text(CODE)
    return tmp_path / "reference"


def test_it_has_the_sizes_and_tokens_of_the_recipe(tiny, tmp_path, checkout):
    sizes = ["encoder.depth=2", "encoder.heads=4", "predictor.depth=3", "predictor.width=24", "predictor.heads=3"]
    course = Course(thaw(compose("tiny", ["targets=ijepa", "image_size=32", *sizes])[0]), tmp_path, False, Display())
    model = Reference(checkout, course.model, 32)
    width, patch, (rows, columns) = course.model.student.width, course.model.student.patch, course.model.student.grid
    assert model.encoder.sizes == ([32], patch, width, 2, 4, 4.0)
    assert model.predictor.sizes == (rows * columns, width, 24, 3, 3, 4.0)
    tokens, before = tokens_of(course.where, (rows, columns)), [p.clone() for p in model.teacher.parameters()]
    peer_step(model, course.views, course.where, course.views.source.dtype)()
    assert (model.teacher.seen, model.encoder.seen, model.predictor.seen) == (
        [tokens.all],
        [tokens.context],
        [(tokens.groups, tokens.each)],
    )
    for now, old, student in zip(model.teacher.parameters(), before, model.encoder.parameters(), strict=True):
        assert ((now - old) - 0.004 * (student - old)).abs().max() < 1e-6
    assert gflop_of_peer(model, course.views, course.where) > 0
    assert not [name for name in sys.modules if name.split(".")[0] == "src"]


def test_what_cannot_be_measured_is_refused(iwm, tiny, tmp_path, checkout):
    asked = ["bench", "recipe=tiny", "--ijepa", str(checkout)]
    assert_one_line(iwm(*asked, "--arms", "step"), "--ijepa stands beside the arm model; add it to --arms")
    assert_one_line(iwm(*asked, "launch.accumulate=2"), "use launch.accumulate=1")
    status, error = iwm(*asked, "predictor=identity")
    assert (status, "a narrow ViT as predictor" in error.splitlines()[-1]) == (2, True), "below the options that it lacks"
    (checkout / "src/models/vision_transformer.py").write_text("import nowhere")
    assert_one_line(iwm(*asked), "No module named 'nowhere'", "give the folder that src/ is in")
    assert_one_line(iwm("bench", "recipe=tiny", "--ijepa", str(tmp_path)), "is no checkout of I-JEPA's reference code")


def test_it_is_a_row_beside_the_model(tiny, checkout, capsys):
    words = ["--ijepa", str(checkout), "--arms", "model", "--repeats", "1", "--seconds", "0.01", "launch.precision=bf16"]
    assert dispatch(["bench", "recipe=tiny", *words]) == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if line.startswith(" ijepa") or line.startswith("ijepa")]
    assert [row[0] for row in rows] == ["ijepa", "ijepa"]
    assert rows[1][1] == "fp32"


def test_lightly_is_a_row_with_the_same_parameters_as_the_reference_would_have(tiny, monkeypatch, tmp_path, capsys, iwm):
    """lightly's classes by their names and arguments; what they hold is torch's, so that a wrong size would not run."""

    class Encoder(nn.Module):
        def __init__(self, vit):
            super().__init__()
            self.vit = vit

        def forward(self, images, idx_keep=None):
            tokens = self.vit.norm(self.vit.blocks(self.vit.patch_embed(images) + self.vit.pos_embed))
            assert tokens.shape[1] == self.vit.patch_embed.num_patches, "no class token"
            return tokens if idx_keep is None else tokens.gather(1, idx_keep[..., None].expand(-1, -1, tokens.shape[-1]))

    class Predictor(nn.Module):
        def __init__(self, num_patches, depth, mlp_dim, predictor_embed_dim, num_heads, qkv_bias, mlp_ratio, norm_layer):
            super().__init__()
            assert predictor_embed_dim % num_heads == 0
            self.into, self.out = nn.Linear(mlp_dim, predictor_embed_dim), nn.Linear(predictor_embed_dim, mlp_dim)

        def forward(self, x, masks_x, masks):
            mean = self.out(self.into(x)).mean(1, keepdim=True)
            return torch.cat([mean.expand(-1, mask.shape[1], -1) for mask in masks])

    spec = importlib.machinery.ModuleSpec("lightly", None)
    parts = {"lightly": {"__spec__": spec}, "lightly.models": {}, "lightly.models.modules": {"MaskedVisionTransformerTIMM": Encoder}}
    for name, content in (parts | {"lightly.models.modules.ijepa_timm": {"IJEPAPredictorTIMM": Predictor}}).items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    course = Course(thaw(compose("tiny", ["image_size=32"])[0]), tmp_path, False, Display())
    assert peer_step(Lightly(course.model, 32), course.views, course.where, torch.float32)() is None
    assert dispatch(["bench", "recipe=tiny", "--lightly", "--arms", "model", "--repeats", "1", "--seconds", "0.01"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip().startswith("lightly")] == ["lightly"]
    assert_one_line(iwm("bench", "recipe=tiny", "--lightly", "--arms", "step"), "--lightly stands beside the arm model; add it to --arms")
    monkeypatch.setattr("iwm_bench.by_lightly.find_spec", lambda name: None)
    assert_one_line(iwm("bench", "recipe=tiny", "--lightly", "--arms", "model"), "pip install lightly")
