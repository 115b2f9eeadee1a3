"""What somebody has who never saw this repository: wheels, pip, and a plugin of their own (the commands of `docs/writing-plugins.md`)."""

import functools
import hashlib
import json
import shutil

import pytest
from fresh_environment import OURS, Environment, fresh_environment
from one_line import assert_one_line
from places import FURNITURE

from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.compose import compose

TINY = [
    *("image_size=16", "encoder.patch_size=4", "encoder.depth=1", "encoder.width=16", "encoder.heads=2"),
    *("predictor.depth=1", "predictor.width=16", "predictor.heads=2", "data.size=16", "data.train=32", "data.validation=8"),
    *("data.cache=none", "train.steps=2", "train.batch_size=16", "train.lr.warmup=1", "launch.device=cpu", "launch.workers=0"),
    *("evaluators.mrr.images=4", "evaluators.mrr.bank=8", "evaluators.mrr.part_images=4"),
]


def installed_core(environment: Environment) -> dict[str, str]:
    """Every file of the installed core and of its metadata, as a hash of what is in it."""
    files = [path for path in environment.packages.glob("iwm_core*/**/*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) > 100
    return {str(path.relative_to(environment.packages)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_from_nothing_to_a_plugins_own_numbers_in_the_scorecard(tmp_path):
    outside = fresh_environment(tmp_path / "environment", OURS)
    before = installed_core(outside)
    outside.run("iwm", "plugins", "new", "tint", "--kind", "action", cwd=tmp_path)
    outside.install("./iwm-tint", cwd=tmp_path)
    shutil.rmtree(tmp_path / "iwm-tint")  # what is installed does not need it
    outside.run("iwm", "plugins", "check", "iwm-tint", cwd=tmp_path)
    outside.run("iwm", "train", "recipe=quickstart", "actions=[jitter,tint]", "evaluators=[mrr]", "run=r", *TINY, cwd=tmp_path)
    metrics = json.loads((tmp_path / "r/eval/mrr.json").read_text())["metrics"]
    for name in ("mrr", "mrr.jitter.hue", "mrr.tint", "mrr.tint.light", "mrr.tint.warmth"):
        found = metrics[name]
        assert 0 < found["low"] <= found["value"] <= found["high"] <= 1
        assert found["n"] == 4
        assert "chance" in found["controls"]
    assert installed_core(outside) == before, "adding a plugin changes no file of the core"


@pytest.mark.slow
def test_the_core_alone_trains_with_one_plugin(tmp_path):
    """A package brings an encoder, a predictor, an action, a target selector, data and a recipe; timm and datasets are not there."""
    package = tmp_path / "iwm-alone"
    shutil.copytree(FURNITURE / "alone_recipes", package / "alone_recipes")
    for name in ("alone_plugin.py", "tiny_parts.py"):
        shutil.copy(FURNITURE / name, package)
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "iwm-alone"\nversion = "1"\ndependencies = ["iwm-core>=0.1,<0.2"]\n'
        '[project.entry-points.iwm]\nalone = "alone_plugin"\n'
        '[tool.hatch.build.targets.wheel]\nonly-include = ["alone_plugin.py", "tiny_parts.py", "alone_recipes"]\n'
    )
    alone = fresh_environment(tmp_path / "environment", ["iwm-core"])
    for name in ("timm", "datasets", "torchvision", "matplotlib", "jinja2", "PIL"):
        (alone.folder / "linked" / name).unlink()
    alone.install(package)
    plugins = json.loads(alone.run("iwm", "plugins", "--json").stdout)
    assert {plugin["distribution"]: plugin["problem"] for plugin in plugins} == {"iwm-core": "", "iwm-alone": ""}
    alone.run("iwm", "train", "recipe=alone", cwd=tmp_path)
    assert (tmp_path / "runs/alone/checkpoints/step_2/model.safetensors").is_file()
    alone.run("python", "-c", "import iwm_core; iwm_core.load('runs/alone')", cwd=tmp_path)


NEEDS = {
    "iwm": ("recipe=quickstart", "there is no recipe 'quickstart'"),
    "iwm-crop": ("recipe=paper/iwm_crop_vitb16", "gives the action 'crop'"),
    "iwm-data": ("recipe=repro/cifar10", "gives the data source 'hub'"),
    "iwm-evals": ("recipe=quickstart", "gives the evaluator 'scorecard'"),
    "iwm-masking": ("recipe=quickstart", "gives the target selector 'multiblock'"),
    "iwm-photometric": ("recipe=quickstart", "gives the action"),
    "iwm-scenes": ("recipe=quickstart", "gives the data source 'scenes'"),
    "iwm-vit": ("recipe=quickstart", "gives the encoder 'vit'"),
    "iwm-tasks": ("recipe=tune/predictor", "there is no recipe 'tune/predictor'"),
}
"""For each of our plugins, a recipe that needs it, and what that lacks without."""


@functools.cache
def composed(recipe):
    return compose(recipe.removeprefix("recipe="), ["data=scenes"])[0]


@pytest.mark.parametrize("missing", [*NEEDS])
def test_without_one_of_our_plugins_the_rest_works(iwm, monkeypatch, missing):
    monkeypatch.setenv("IWM_DISABLED_PLUGINS", missing)
    load_plugins.cache_clear()
    for verb in ("plugins", "components", "recipes"):
        assert iwm(verb, "--json") == (0, ""), "no warning, either"
    assert missing not in {plugin.distribution for plugin in load_plugins().plugins}
    assert load_plugins().problems == []
    recipe, lacks = NEEDS[missing]
    assert_one_line(iwm("show", recipe), lacks)
    monkeypatch.delenv("IWM_DISABLED_PLUGINS")
    load_plugins.cache_clear()
    assert composed(recipe), "with it, the same recipe composes"


VERBS = {
    **{"iwm-report": "report", "iwm-tasks": "tune", "iwm-devkit": "plugins new", "iwm-bench": "bench", "iwm-interop": "export"},
    **{"iwm-cluster": "submit", "iwm-repro": "reproduce", "iwm-explore": "explore"},
}
"""For each of our plugins of verbs, one of them."""


@pytest.mark.parametrize("missing", [*VERBS])
def test_a_verb_that_is_not_installed_says_what_to_install(iwm, monkeypatch, missing):
    monkeypatch.setenv("IWM_DISABLED_PLUGINS", missing)
    load_plugins.cache_clear()
    assert iwm("plugins", "--json") == (0, "")
    assert missing not in {plugin.distribution for plugin in load_plugins().plugins}
    assert load_plugins().problems == []
    status, said = iwm(*VERBS[missing].split(), "x")
    assert status == 2
    assert len(said.splitlines()) == 1
    if missing != "iwm-devkit":  # whose verbs begin with one of the core
        assert "`pip install iwm` brings all first-party verbs" in said


def test_the_tables_name_all_of_our_plugins():
    assert {*NEEDS, *VERBS, "iwm-core"} == set(OURS)
