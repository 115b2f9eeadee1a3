"""The zoo: its page, its table and its models tell the same."""

import json

import pytest
import torch
from iwm_interop.sums import sha256_of
from iwm_interop.zoo.entry import FOLDER, LARGEST, entries
from iwm_interop.zoo.shown import mrr, page
from places import ROOT

import iwm_core
from iwm_core.cli.main import dispatch, guarded

NAMES = sorted(entries())
SHIPPED = [name for name in NAMES if entries()[name].get("weights")]


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_page_is_that_of_the_entries():
    fresh = (ROOT / "docs/zoo.md").read_text(encoding="utf-8") == page(list(entries().values()))
    assert fresh, "docs/zoo.md is stale: run `python docs/make_zoo.py`"


def test_the_quickstart_is_there():
    entry = entries()["quickstart"]
    assert "quickstart" in SHIPPED
    measure = mrr(entry)
    assert measure.low > 2 * measure.controls["chance"].value
    assert [line["step"] for line in entry["log"]][-1] == entry["steps"] == 3000
    assert entry["log"][-1]["loss"] < entry["log"][0]["loss"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_model_that_comes_with_it_is_the_one_that_is_told_of(name):
    entry = entries()[name]
    model = iwm_core.load(f"zoo://{name}", device="cpu")
    assert model.step == entry["steps"]
    assert model.recipe.recipe == entry["recipe"]
    assert model.recipe.train.seed == entry["seed"]
    assert sum(p.numel() for p in model.model.student.parameters()) == entry["parameters"]["encoder"]
    assert sum(p.numel() for p in model.model.predictor.parameters()) == entry["parameters"]["predictor"]
    tokens = model.encode(torch.rand(2, 3, entry["image_size"], entry["image_size"], generator=torch.Generator().manual_seed(0)))
    assert torch.isfinite(tokens).all()
    found = {one.name: one.metrics for one in iwm_core.measured(f"zoo://{name}") if one.metrics}
    assert repr(found) == repr({one["evaluator"]: one["metrics"] for one in entry["scorecard"]})
    folder = FOLDER / "models" / name
    (weights,) = folder.glob("checkpoints/*/model.safetensors")
    assert sha256_of(weights) == entry["weights"]["sha256"]
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) == entry["weights"]["bytes"] < LARGEST
    assert entry["weights"]["rounding"] < 0.01


def test_the_verb_lists_and_shows(capsys):
    assert dispatch(["zoo"]) == 0
    assert f"zoo://{SHIPPED[0]}" in capsys.readouterr().out
    assert dispatch(["zoo", "quickstart"]) == 0
    assert "iwm train recipe=quickstart" in capsys.readouterr().out
    assert dispatch(["zoo", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == NAMES


def test_the_report_of_an_address_is_written_here():
    from iwm_report.report import read_arguments

    for words, out in (
        (["zoo://quickstart"], "quickstart.html"),
        (["zoo://quickstart", "zoo://quickstart"], "report.html"),
        (["zoo://quickstart", "out=a.html"], "a.html"),
    ):
        assert str(read_arguments(words)[1]) == out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["zoo", "quikstart"], "the zoo has no 'quikstart'; did you mean quickstart?"),
        (["zoo", "a", "b"], "cannot read 'b'"),
        (["report", "zoo://quikstart"], "did you mean quickstart?"),
        (["report", "zooo://quickstart"], "did you mean zoo://?"),
        (["resume", "zoo://quickstart"], "zoo://quickstart is shared without its optimizer, and cannot go on; train a recipe, or tune it"),
    ],
)
def test_mistakes_get_one_line(capsys, words, told):
    assert guarded(lambda: dispatch(words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
