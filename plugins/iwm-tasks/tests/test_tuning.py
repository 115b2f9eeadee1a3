"""``iwm tune`` from world model to tuned run: what is trained and what is not, what is written, what comes back from disk."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from iwm_tasks.tuning.tuned import Tuned
from safetensors.torch import load_file
from tiny_tuning import MIXED, begin, content, lines, tune, untrained, weights

import iwm_core
from iwm_core.cli.main import dispatch
from iwm_core.model.frozen import FrozenModel
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import find_recipes
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training.optimisation import make_optimizer

ENCODERS = dict.fromkeys(("encoder", "probe_linear", "probe_attentive", "pixels"), "backbone.encoder.")
"""Where a tuned model of a recipe has the teacher, if not at ``backbone.teacher.encoder.``"""
WITHOUT_MODEL = ("pixels",)
TRAIN_TEACHER = ("encoder", "end_to_end")
load_plugins.cache_clear()
RECIPES = sorted(name.removeprefix("tune/") for name in find_recipes() if name.startswith("tune/"))


def images(count=3):
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def numbers_that_changed(run):
    before, after = untrained(run).state_dict(), weights(run)
    assert before.keys() == after.keys()
    untold = untrained(run).untold()  # entries of trained parameters that the null action does not reach
    for name, entries in untold.items():
        assert torch.equal(before[name][entries], after[name][entries]), f"{name} decayed where it is not trained"
    kept = {name: int(entries.sum()) for name, entries in untold.items()}
    return {name: after[name].numel() - kept.get(name, 0) for name in after if not torch.equal(before[name], after[name])}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_frozen_stays_and_what_is_counted_changes(tiny, worlds, recipe, capsys):
    world = worlds()
    capsys.readouterr()
    run = tune(world, recipe)
    said = capsys.readouterr().out
    cost, changed = content(run, "cost.json"), numbers_that_changed(run)
    assert cost["trained"] == sum(changed.values())
    assert cost["parameters"] == sum(p.numel() for p in untrained(run).parameters())
    assert f"trains {cost['trained']:,} of {cost['parameters']:,} parameters" in said

    source = {n.removeprefix("teacher."): t for n, t in weights(world).items() if n.startswith("teacher.")}
    prefix = ENCODERS.get(recipe, "backbone.teacher.encoder.")
    own = {n.removeprefix(prefix): t for n, t in weights(run).items() if n.startswith(prefix)}
    assert own.keys() == (set() if recipe in WITHOUT_MODEL else source.keys())
    same = [torch.equal(own[name], source[name]) for name in own]
    assert not any(same) if recipe in TRAIN_TEACHER else all(same)
    assert any(name.startswith("heads.") for name in changed)
    assert any(name.startswith("backbone.predictor.") for name in changed) == (recipe not in ENCODERS)
    assert cost["gflops_train"] > cost["gflops_inference"] > 0 or recipe.startswith(("probe", "pixels"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("predictor", "recipe"),
    [("feature", "end_to_end"), ("sequence", "predictor"), ("adaln", "predictor_query"), ("none", "predictor"), ("identity", "predictor")],
)
def test_the_count_is_right_whatever_the_null_action_cannot_reach(tiny, worlds, predictor, recipe):
    own = ["protocol.drop_path=0"] if predictor == "identity" else []
    run = tune(worlds(f"predictor={predictor}"), recipe, *own)
    changed = numbers_that_changed(run)
    assert content(run, "cost.json")["trained"] == sum(changed.values())
    assert "backbone.predictor.scale" not in changed, "it multiplies zeros"
    assert ("backbone.predictor.shift" in changed) == (predictor == "sequence")
    assert any(name.startswith("backbone.predictor") for name in changed) == (predictor != "identity")


@pytest.mark.parametrize("predictor", ["feature", "sequence", "adaln", "none"])
def test_the_null_action_is_that_of_the_world_model(tiny, worlds, predictor):
    """Before its first step, a tuned predictor says what the world model imagines where nothing happens."""
    world = worlds(f"predictor={predictor}")
    told = iwm_core.load(world)
    assert isinstance(told, FrozenModel)
    model = begin(world, "predictor")[1].eval()
    with torch.no_grad():
        given = model.backbone(images(), torch.zeros(3, dtype=torch.int64))
    torch.testing.assert_close(given, told.imagine(images(), {}), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_learning_rates_follow_protocol_and_recipe(tiny, worlds):
    """The optimizer's groups: a tenth for the pretrained predictor; powers for an encoder's layers; one for heads."""

    def scales(recipe):
        settings, model, _ = begin(worlds(), recipe)
        named = {f"backbone.{name}": scale for name, scale in model.backbone.lr_scales().items()}
        groups = make_optimizer(model, settings.train, named).param_groups
        by_id = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
        return {name: by_id[id(p)] for name, p in model.named_parameters() if p.requires_grad}

    for recipe, expected in (("predictor", 0.1), ("predictor_random", 1.0)):
        found = scales(recipe)
        assert {s for name, s in found.items() if name.startswith("backbone.")} == {expected}
        assert {s for name, s in found.items() if name.startswith("heads.")} == {1.0}
    found = scales("encoder")
    assert found["backbone.encoder.vit.blocks.0.attn.qkv.weight"] == pytest.approx(0.65)
    assert found["backbone.encoder.vit.patch_embed.proj.weight"] == min(found.values()) == pytest.approx(0.65**2)
    assert found["heads.classify.linear.weight"] == max(found.values()) == 1


@pytest.mark.slow
def test_new_weights_depend_on_the_seed_alone(tiny, worlds):
    made = []
    for number, options in enumerate(([], ["data.count=36", "augment.label_smoothing=0"], ["train.seed=1"])):
        torch.manual_seed(number)
        made.append(begin(worlds(), "predictor_random", *options)[1].state_dict())
    one, again, other = made
    assert all(torch.equal(one[name], again[name]) for name in one)
    drawn = [name for name in one if name.startswith("backbone.predictor") and "norm" not in name and name.endswith("weight")]
    assert drawn
    assert all(not torch.equal(one[name], other[name]) for name in drawn)


@pytest.mark.slow
def test_a_tuning_without_its_rows_is_measured_again(tiny, worlds, capsys):
    """`iwm compare` needs them, and can only ask for a resume."""
    run = tune(worlds(), "probe_linear")
    rows = run / "eval/classify_rows.safetensors"
    before = rows.read_bytes()
    assert dispatch(["resume", str(run)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    rows.unlink()
    assert dispatch(["resume", str(run)]) == 0
    assert rows.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["predictor", "end_to_end"])
def test_a_model_from_disk_answers_as_it_did_before_it_was_saved(tiny, worlds, recipe, monkeypatch):
    """To the bit: what training held at its end, and what `iwm_core.load` gives."""
    kept = {}
    monkeypatch.setattr("iwm_tasks.tuning.tune.write_cost", lambda path, cost: None)

    def look(model, *given):
        kept["answers"] = model.eval().outputs(images())["classify"].softmax(1).detach()
        return 0.0, 0.0

    monkeypatch.setattr("iwm_tasks.tuning.tune.flops", look)
    run = tune(worlds(), recipe, *MIXED)
    loaded = iwm_core.load(str(run))
    assert isinstance(loaded, Tuned)
    assert loaded.outputs == {"classify": ("red", "green", "blue")}
    assert torch.equal(loaded.predict(images())["classify"], kept["answers"])
    assert loaded.step == 6


@pytest.mark.slow
def test_a_tuned_run_needs_its_world_model_no_more(tiny, worlds, tmp_path):
    shutil.copytree(worlds(), "moved")
    run = tune("moved", "predictor")
    expected = iwm_core.load(str(run)).predict(images())["classify"]
    shutil.rmtree("moved")
    assert torch.equal(iwm_core.load(str(run)).predict(images())["classify"], expected)
    assert dispatch(["eval", str(run)]) == 0


@pytest.mark.slow
def test_it_learns_what_there_is_to_learn_and_writes_it_down(tiny, worlds, capsys):
    run = tune(worlds(), "predictor", "train.steps=60", "train.log_every=10", "train.evaluate_every=30")
    found = content(run, "eval/classify.json")
    assert found["metrics"]["accuracy"]["value"] > 0.7, "chance is a third"
    assert (found["evaluator"], found["step"], found["checkpoint"]) == ("classify", 60, "step_60")
    assert found["settings"]["main"] == "accuracy"
    assert found["metrics"]["accuracy"]["n"] == 48
    rows = load_file(run / "eval/classify_rows.safetensors")["rows"]
    assert rows.shape == (48, 2)
    assert rows[:, 1].mean().item() == pytest.approx(found["metrics"]["accuracy"]["value"])
    logged = lines(run)
    assert [line["step"] for line in logged] == [10, 20, 30, 40, 50, 60]
    assert logged[-1]["loss"] < logged[0]["loss"]
    history = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    assert [(line["step"], line["evaluator"]) for line in history] == [(30, "classify")], "the end's is in eval"
    assert history[0]["metrics"].keys() == found["metrics"].keys()
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "next: iwm predict tuned IMAGES"
    assert str(run) in said


@pytest.mark.slow
def test_a_report_of_tuned_runs(tiny, worlds, capsys):
    runs = ["predictor", "probe_linear"]
    for recipe in runs:
        tune(worlds(), recipe, run=recipe)
    assert dispatch(["report", runs[0]]) == 0
    page = Path(runs[0], "report.html").read_text()
    assert "accuracy" in page
    assert "iwm resume predictor-again" in page
    assert "evaluators=[" not in page, "a tuned run is measured by its tasks"
    assert dispatch(["report", *runs, "out=both.html"]) == 0
    assert "probe_linear" in Path("both.html").read_text()
    assert "damaged" not in capsys.readouterr().err


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_shown(tiny, recipe, capsys):
    assert dispatch(["show", f"recipe=tune/{recipe}"]) == 0
    shown = capsys.readouterr().out
    assert f"# command:  iwm tune RUN recipe=tune/{recipe}" in shown
    assert "world_model" in shown
    config, notes = compose(f"tune/{recipe}", ["data=taught", "budget=cpu"])
    assert notes == []
    assert thaw(config).recipe == f"tune/{recipe}"
