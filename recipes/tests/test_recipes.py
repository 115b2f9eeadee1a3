"""Every recipe that is installed composes, fits together and tells its cost, result and command; the paper's have the paper's sizes."""

import re
import shlex
from functools import cache

import pytest
import torch
from places import ROOT

from iwm_core.model.world_model import build_model
from iwm_core.plugins.lineage import lineage_of
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import find_recipes
from iwm_core.recipe.compose import compose
from iwm_core.recipe.config import steps_of
from iwm_core.recipe.thaw import thaw
from iwm_core.training.fits import check_fit
from iwm_core.training.schedules import Durations

load_plugins.cache_clear()
RECIPES = find_recipes()
NAMES = sorted(RECIPES)
TUNINGS = [name for name in NAMES if lineage_of(RECIPES[name]).kind.name == "tuning"]
TRAININGS = [name for name in NAMES if name not in TUNINGS]
FOR_CPUS = ("repro/scenes", "repro/claims")
SIZED = [name for name in TRAININGS if name.startswith("repro/") and name not in FOR_CPUS]
EPOCH = 625
"""Steps of an epoch of ImageNet-1k at the paper's batch size, rounded: 1,281,167 / 2048."""


def header(name: str) -> dict[str, str]:
    """What stands behind ``cost:`` and so on."""
    return {key: text.strip() for key, _, text in (line.partition(":") for line in RECIPES[name].header)}


def test_the_recipes_of_the_checkout_are_found():
    """By their paths; the folders of shared groups hold no recipes."""
    folder = ROOT / "recipes/iwm_recipes"
    shared = {"data", "launch", "size", "budget"}
    files = {p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml") if p.parent.name not in shared}
    assert files == {name for name, recipe in RECIPES.items() if recipe.plugin.distribution == "iwm"}
    assert "quickstart" in files


@pytest.mark.parametrize("name", TRAININGS)
def test_every_recipe_composes_and_fits_together(name):
    config, notes = compose(name, ["launch.device=cpu"])
    assert notes == []
    recipe = thaw(config)
    assert recipe.recipe == name
    check_fit(recipe)
    plan = Durations.of(recipe.train, EPOCH)
    assert 0 <= plan.warmup < plan.steps
    assert 1 <= plan.checkpoint_every <= plan.steps
    assert 1 <= plan.log_every <= plan.steps
    every = steps_of(recipe.evaluators["health"].every, EPOCH, "every")
    assert 1 <= every <= plan.steps / 2, "health is also measured in training"
    assert recipe.train.lr.start <= recipe.train.lr.peak >= recipe.train.lr.end
    assert recipe.train.momentum.start < recipe.train.momentum.end == 1


def test_the_recipes_of_tunings_are_those_in_their_folder():
    assert [name for name in NAMES if name.startswith("tune/")] == TUNINGS
    assert {"tune/predictor", "tune/encoder", "tune/probe_linear"} <= set(TUNINGS)


@cache
def usual(name):
    """A tuning's config where nothing is said of its budget."""
    return compose(name, ["launch.device=cpu"], {"data": {"world_model": {"name": "scenes"}}})[0]


@pytest.mark.parametrize("name", TUNINGS)
@pytest.mark.parametrize("budget", ["paper", "cpu"])
def test_every_tuning_composes_within_each_budget(name, budget):
    """What it fits is a world model, which a recipe does not know; it chooses the paper's settings unless it is told otherwise."""
    config, notes = compose(name, [f"budget={budget}", "launch.device=cpu"], {"data": {"world_model": {"name": "scenes"}}})
    assert notes == []
    recipe = thaw(config)
    assert recipe.recipe == name
    assert recipe.data.name == "scenes"
    plan = Durations.of(recipe.train, EPOCH)
    assert 0 <= plan.warmup < plan.steps
    assert 1 <= plan.checkpoint_every <= plan.steps
    assert recipe.train.lr.start <= recipe.train.lr.peak >= recipe.train.lr.end
    assert (usual(name) == config) == (budget == "paper")
    frozen = recipe.protocol.name in ("frozen", "pixels")
    assert bool(recipe.augment.mixup and recipe.augment.randaugment) == (budget == "paper" and not frozen), "probes see plain images"


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_tells_cost_result_and_command(name):
    told = header(name)
    assert len(RECIPES[name].header[0]) > 20
    for key in ("cost", "expect"):
        assert len(told[key]) > 5, key
    command = shlex.split(re.split(r"\s{2,}|\s#", told["command"])[0])
    assert command[0] == "iwm"
    assert f"recipe={name}" in command
    compose(name, [word for word in command[2:] if "=" in word and not word.startswith("recipe=")])


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("size", ["cpu", "gpu"])
def test_reproductions_come_in_two_sizes(name, size):
    config, notes = compose(name, [f"size={size}", "launch.device=cpu"])
    assert notes == []
    recipe = thaw(config)
    check_fit(recipe)
    parameters = {"cpu": (0.1e6, 4e6), "gpu": (20e6, 60e6)}[size]
    with torch.device("meta"):
        count = trained(build_model(recipe))
    assert parameters[0] < count < parameters[1]
    assert recipe.data.cache == {"cpu": "ram", "gpu": "device"}[size]
    assert recipe.launch.compile == (size == "gpu")


def trained(module):
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def blocks(depth, width):
    """Parameters of pre-norm blocks with biases and an MLP four times as wide: 12 d² + 13 d each."""
    return depth * (12 * width**2 + 13 * width)


def encoder_size(depth, width, patch=16):
    """I-JEPA's ViT: patch embedding, blocks and last norm; no class token, no learned positions."""
    return 3 * patch**2 * width + width + blocks(depth, width) + 2 * width


def predictor_size(depth, width, outer):
    """Linear in, mask token, blocks, norm, linear out; without the conditioning."""
    return outer * width + width + width + blocks(depth, width) + 2 * width + width * outer + outer


@pytest.mark.parametrize(
    ("name", "encoder", "predictor", "stated", "told"),
    [
        ("paper/iwm_inv_vitb16_12x384", (12, 768), (12, 384), (85.6e6, 21.9e6), 7),
        ("paper/iwm_equi_vitb16_18x384", (12, 768), (18, 384), (85.6e6, 32.5e6), 7),
        ("paper/iwm_crop_vitb16", (12, 768), (18, 384), (85.6e6, 32.5e6), 7 + 4),
        ("paper/ijepa_vitb16", (12, 768), (12, 384), (85.6e6, 21.9e6), 0),
        ("paper/iwm_equi_vitl16_36x512", (24, 1024), (36, 512), None, 7),
    ],
)
def test_paper_recipes_have_the_papers_sizes(name, encoder, predictor, stated, told):
    """The formula to the last parameter, and within 1 % of the counts of PAPER §8, where it has some; ``told``: numbers of an action."""
    recipe = thaw(compose(name, ["launch.device=cpu"])[0])
    with torch.device("meta"):
        model = build_model(recipe)
    student = trained(model.student)
    assert student == encoder_size(*encoder)
    assert trained(model.teacher) == 0
    assert sum(p.numel() for p in model.teacher.parameters()) == student

    conditioning = sum(p.numel() for n, p in model.predictor.named_parameters() if n.startswith("mix"))
    transformer = trained(model.predictor) - conditioning
    assert transformer == predictor_size(*predictor, encoder[1])
    assert stated is None or (student, transformer) == pytest.approx(stated, rel=0.01)

    assert sum(len(action.labels) for action in recipe.actions.values()) == told
    d = predictor[1]
    assert conditioning == ((d + told) * d + d + 2 * (d * d + d) if told else 0)
