"""The claims that come with the recipes: their runs compose, they share what they can, and the page is that of their records."""

import importlib.util
from functools import cache

import pytest
from iwm_recipes.claims import CLAIMS
from iwm_repro.claim import SCALES, Correlation
from iwm_repro.places import job_of, name_of
from places import ROOT

from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training.course import check_anywhere

load_plugins.cache_clear()
SCRIPT = ROOT / "docs/make_reproduction.py"
spec = importlib.util.spec_from_file_location("make_reproduction", SCRIPT)
assert spec
assert spec.loader
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
SIZES = [(claim, scale) for claim in CLAIMS for scale in claim.sizes]
IDS = [f"{claim.name}-{scale}" for claim, scale in SIZES]
LARGE = dict.fromkeys(work for claim in CLAIMS if claim.name == "ours" for work in claim.sizes["gpu"].works)
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
    assert size.rules
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


def test_claims_share_their_runs():
    """Conditioning's adaln is the model of `predictor`, of `ours`, and a place of `difficulty`."""
    runs = {claim.name: {job_of(work, 0, "cpu").path for work in claim.sizes["cpu"].works} for claim in CLAIMS}
    for name in ("predictor", "difficulty", "ours", "multitask"):
        assert runs["conditioning"] & runs[name], name
    assert runs["conditioning"] | runs["difficulty"] < runs["equivariance"]


def test_the_figures_beside_are_the_papers():
    facts = (ROOT / "docs/paper.md").read_text(encoding="utf-8")
    for claim in CLAIMS:
        for size in claim.sizes.values():
            for figure in (figure for row in size.rows.values() for figure in row.paper.values()):
                assert f"{figure:.2f}" in facts or f"{100 * figure:.1f}" in facts, (claim.name, figure)
