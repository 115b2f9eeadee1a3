"""The claims that come with the recipes: their runs compose, they share what they can, and the page is that of their records."""

import importlib.util
import re
from functools import cache

import pytest
from iwm_recipes.claims import CLAIMS
from iwm_repro.claim import SCALES, Correlation
from iwm_repro.places import job_of, name_of
from omegaconf import ListConfig, OmegaConf
from places import ROOT

from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training.starting import check_anywhere

load_plugins.cache_clear()
SCRIPT = ROOT / "docs/make_reproduction.py"
spec = importlib.util.spec_from_file_location("make_reproduction", SCRIPT)
assert spec
assert spec.loader
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
SIZES = [(claim, scale) for claim in CLAIMS for scale in claim.sizes]
IDS = [f"{claim.name}-{scale}" for claim, scale in SIZES]
LARGE = dict.fromkeys(work for claim in CLAIMS if claim.name in ("ours", "sensitivity") for work in claim.sizes["gpu"].works if not work.of)
"""Of the runs for a GPU, those that are composed here, as each takes a tenth of a second."""
ALIKE = {(work.recipe, work.overrides): work for claim in CLAIMS for work in claim.sizes["cpu"].works}
"""Tunings of several models compose alike."""


@cache
def config_of(recipe, overrides, tuned):
    """A run's recipe, composed; of a tuning as if its world model had seen scenes."""
    world = {"data": {"world_model": {"name": "scenes"}}} if tuned else None
    config, notes = compose(recipe, [*overrides, "launch.device=cpu"], world)
    assert notes == []
    return config


def test_the_page_is_that_of_the_records():
    text = made.PAGE.read_text(encoding="utf-8")
    assert made.page(text) == text, "docs/reproduction.md is stale: run `python docs/make_reproduction.py`"
    for name, drawn in made.pictures().items():
        assert (made.PAGE.parent / name).read_text(encoding="utf-8") == drawn, f"docs/{name} is stale"


@pytest.mark.parametrize("work", [*ALIKE.values(), *LARGE], ids=name_of)
def test_every_run_of_a_claim_composes(work):
    recipe = thaw(config_of(work.recipe, work.overrides, bool(work.of)))
    if not work.of:
        check_anywhere(recipe)


@pytest.mark.parametrize(("claim", "scale"), SIZES, ids=IDS)
def test_rules_are_about_numbers_of_the_table(claim, scale):
    size = claim.sizes[scale]
    assert scale in SCALES
    assert bool(size.rules) == (claim.name != "sensitivity"), "it asks what is so"
    for rule in size.rules:
        if isinstance(rule, Correlation):
            assert {rule.x, rule.y} <= {*size.columns}
            assert len(size.rows) >= 8
        else:
            assert all(column in size.rows[row].measures for row, column in rule.places)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_a_claim_asks_for_numbers_that_its_runs_measure(claim):
    for measure in (measure for row in claim.sizes["cpu"].rows.values() for measure in row.measures.values()):
        work = measure.work
        config = config_of(work.recipe, work.overrides, bool(work.of))
        assert measure.evaluator in (config.tasks if work.of else config.evaluators) or (work.of and measure.evaluator == "cost")
        if work.of and measure.evaluator in config.tasks:
            task = load_plugins().entries("task")[config.tasks[measure.evaluator].name].component
            assert (measure.least, measure.most) == task.possible[measure.metric]
        elif measure.evaluator != "cost":
            assert measure.least == 0, "ranks and errors"
            assert measure.most == (1 if measure.evaluator == "mrr" else float("inf"))


@pytest.mark.parametrize("scale", SCALES)
def test_a_sensitivity_differs_from_the_model_in_one_setting_and_says_by_how_much(scale):
    """The values in its words are those that the recipes have."""
    size = next(claim.sizes[scale] for claim in CLAIMS if claim.name == "sensitivity")
    assert 8 < len(size.rows) <= 12
    whole, *changed = [(label, row.measures[size.columns[0]].work) for label, row in size.rows.items()]
    usual = config_of(whole[1].recipe, whole[1].overrides, False)
    for label, work in changed:
        (override,) = (word for word in work.overrides if word not in whole[1].overrides)
        before, new = (OmegaConf.select(one, override.partition("=")[0]) for one in (usual, config_of(work.recipe, work.overrides, False)))
        assert before != new, label
        told = re.findall(r"[\d.]+", label)
        usually = 12 if before is None else before  # blocks of vit_small
        values = [new, *([usually] if "not" in label else [])]
        if isinstance(new, list | ListConfig):
            values = [100 * end for pair in values for end in pair if end < 1]
        assert [float(one) for one in told] == pytest.approx([float(value) for value in values]), label


def test_claims_share_their_runs():
    """Conditioning's adaln is the model of `predictor`, of `ours`, and a place of `difficulty`."""
    runs = {claim.name: {job_of(work, 0, "cpu").path for work in claim.sizes["cpu"].works} for claim in CLAIMS}
    for name in ("predictor", "difficulty", "ours", "multitask"):
        assert runs["conditioning"] & runs[name], name
    assert runs["conditioning"] | runs["difficulty"] < runs["equivariance"]
    assert len(runs["sensitivity"] & runs["equivariance"]) == 6, "the model as it is and two depths of its predictor, each with its probe"


def test_the_figures_beside_are_the_papers():
    facts = (ROOT / "docs/paper.md").read_text(encoding="utf-8")
    for claim in CLAIMS:
        for size in claim.sizes.values():
            for figure in (figure for row in size.rows.values() for figure in row.paper.values()):
                assert f"{figure:.2f}" in facts or f"{100 * figure:.1f}" in facts, (claim.name, figure)
