"""``iwm report``: one file that needs nothing else and shows what a run, or several, hold."""

import base64
import io
import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import pytest
from comparison_runs import write_tuned
from PIL import Image
from report_page import read, report
from report_runs import HOSTILE, config, evaluation, make_run

from iwm_core import hookimpl
from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.results import Metric
from iwm_core.plugins.loader import Plugin


@pytest.mark.slow
def test_a_run_is_told_whole(here):
    page = report(make_run("runs/a & b"))
    assert page.text.count("It ranks well.") == 1
    assert page.row("measure", table=0) == ["measure", "value", "95 % interval", "against its controls"]
    assert page.row("hit", table=0) == ["hit 1 is always, chance is 1/64", "0.700", "0.650 to 0.750", "chance, shuffled"]
    header = page.row("measure", table=1)
    assert header == ["measure", "value", "95 % interval", "on its scale", "chance", "shuffled", "images"]
    row = page.row("hit", table=1)
    assert row[0] == "hit 1 is always, chance is 1/64"
    assert row[1:3] == ["0.700", "0.650 to 0.750"]
    assert row[4:] == ["0.016", "0.020", "64"]
    assert page.row("lost")[1] == "–"
    assert page.row("gain.log2", table=2)[1] == "0.500", "a part, in the folded table"
    assert "asked with the action of another image or version" in page.text
    for words in ("Chart of curve", "it rises", "Retrieval", "read it row by row", "✓", "found: rank 1", "✗", "missed: rank 2", "−0.25"):
        assert words in page.text
    assert "undo" not in page.text.split("Settings of rank")[0], "a number that is zero in every row is left out"
    assert [image["alt"] for image in page.each("img")][-1] == "drawn by the evaluator"
    assert "nearest, case 2: missed: rank 2" in [image["alt"] for image in page.each("img")]
    assert page.row("pooling.kind") == ["pooling.kind", "none"]
    assert "step 6 of 8" in page.text
    for title in ("Loss", "Learning rate", "Throughput", "Effective rank", "Measured during training", "hit (rank)"):
        assert title in page.text
    assert "3 steps were skipped" in page.text
    assert page.row("torch") == ["torch", "2.9"]
    assert page.text.count("depth: 3") == 1, "config.yaml"
    assert len(page.each("img")) == 5
    commands = page.text.partition("Reproduce A run's")[2]
    assert "&& iwm resume 'runs/a & b-again' iwm report 'runs/a & b-again' It was started with iwm train recipe=quickstart" in commands
    assert "The new page is runs/a & b-again/report.html ." in commands


def test_pictures_go_in_as_they_are_or_smaller(here):
    page = report(make_run("a", charts=(), logs=False))
    grid = page.each("img")[:4]
    sizes = []
    for image in grid:
        kind, content = re.fullmatch(r"data:(image/\w+);base64,(.+)", image["src"]).groups()
        sizes.append((kind, Image.open(io.BytesIO(base64.b64decode(content))).size, image.get("class")))
    assert sizes == [
        ("image/png", (8, 8), "coarse"),
        ("image/jpeg", (192, 192), None),
        ("image/png", (8, 8), "coarse"),
        ("image/png", (8, 8), "coarse"),
    ]
    assert base64.b64decode(grid[0]["src"].partition(",")[2]) == Path("a/eval/grid/00_0.png").read_bytes()


@pytest.mark.slow
def test_several_runs_stand_side_by_side(here):
    runs = [make_run("runs/one", best=0.7), make_run("runs/two", best=0.3, seed=5, words="it does not")]
    assert guarded(lambda: dispatch(["report", *map(str, runs)])) == 0
    page = read(Path("runs/report.html").read_text())
    told = ["train.seed=0 one · recipe quickstart · step 6 of 8, a trial", "train.seed=5 two · recipe quickstart · step 6 of 8, a trial"]
    assert page.row("measure", table=0) == ["measure", *told]
    assert page.row("hit", table=0) == ["hit", "0.700 ▲ 0.650 to 0.750", "0.300 ▼ 0.250 to 0.350"]
    assert page.row("measure", table=1) == ["measure", "one", "two"]
    assert page.row("value", table=1)[1:] == ["0.700 ▲ 0.650 to 0.750 0 1", "0.300 ▼ 0.250 to 0.350 0 1"]
    assert page.row("shuffled", table=1)[1:] == ["0.020", "0.020"]
    assert page.row("train.seed") == ["train.seed", "0", "5"], "the only key that differs, but for the run's own directory"
    assert not any(row[0].startswith(("predictor", "run.", "recipe")) for table in page.tables for row in table)
    labels = [a["aria-label"] for a in page.each("div") if a.get("class") == "plot"]
    assert sum("Chart of curve" in label for label in labels) == 1, "one series each: one chart"
    assert sum("Chart of many" in label for label in labels) == 2, "several series: a chart a run"
    assert sum(label.startswith("Loss:") for label in labels) == 1
    assert any(label.startswith("Chart of curve") and "one: 0.100 at 0" in label and "two: 0.100 at 0" in label for label in labels)
    assert "It ranks well" in page.text
    assert "It does not" in page.text


@pytest.mark.slow
def test_what_repeats_for_many_runs_is_folded(here):
    runs = [make_run(f"runs/r{i}", seed=i, charts=("many",), logs=False) for i in range(7)]
    assert guarded(lambda: dispatch(["report", *map(str, runs)])) == 0
    page = read(Path("runs/report.html").read_text())
    assert len(page.tables[0]) == 8
    assert page.text.count("One chart for each of 7 runs") == 1
    assert [row[0].split()[1] for row in page.tables[0][1:]] == [f"r{i}" for i in range(7)]


@pytest.mark.slow
def test_the_same_runs_give_the_same_bytes(here):
    make_run("a", charts=("curve", "parts"), logs=False)
    first = report("a").source
    with mpl.rc_context(
        {"lines.solid_capstyle": "round", "hatch.color": "red", "axes.labelsize": 30, "axes.grid.axis": "x", "axes.xmargin": 0.4}
    ):
        assert report("a").source == first, "whatever the user's own settings of matplotlib"
    evaluation(Path("a/eval"), best=0.71)
    assert report("a").source != first


@pytest.mark.slow
def test_names_are_text_and_nothing_else(here):
    settings = config(recipe=HOSTILE, note=HOSTILE)
    path = make_run(f"runs/{HOSTILE.replace('/', '')}", settings=settings, words=HOSTILE)
    content = json.loads((path / "eval/rank.json").read_text())
    content["about"] = {"hit": HOSTILE}
    content["settings"] = {HOSTILE: HOSTILE}
    for chart in content["charts"]:
        chart |= {"title": HOSTILE, "x": HOSTILE, "y": HOSTILE, "about": HOSTILE, "levels": {HOSTILE: 0.2}}
        for one in chart["series"]:
            one["label"] += HOSTILE
    content["charts"][2]["series"][0]["x"] = [HOSTILE, "hue"]
    for row in content["galleries"][0]["rows"]:
        row |= {"verdict": HOSTILE, "numbers": {HOSTILE: 0.5}}
    content["galleries"][0] |= {"title": HOSTILE, "headings": [HOSTILE, HOSTILE]}
    content["pictures"][0]["about"] = HOSTILE
    (path / "eval/rank.json").write_text(json.dumps(content))
    for page in (report(path), report(path, make_run("runs/other"), out="both.html")):
        assert not page.each("b")
        assert "49" not in page.text
        assert page.text.count(HOSTILE) > 10
        assert any(image["alt"] == HOSTILE for image in page.each("img"))


def test_runs_of_one_name_are_told_apart_by_their_folders(here):
    for path in ("x/quick", "y/quick", "y/other"):
        make_run(path, charts=(), logs=False)
    page = report("x/quick", "y/quick", "y/other", out="page.html")
    assert [cell.split()[0] for cell in page.row("measure", table=0)[1:]] == ["x/quick", "y/quick", "other"]


def test_a_plugin_adds_a_section(tiny):
    def add(page):
        page.add(HOSTILE, "how to read it", ("run", "bytes"), [(run.label, HOSTILE) for run in page.runs])

    module = SimpleNamespace(iwm_report_sections=hookimpl(add))
    tiny.plugins.append(Plugin("more", "more-plugin", "0", module))
    tiny.manager.register(module)
    page = report(make_run("a", charts=(), logs=False))
    assert page.text.count("how to read it") == 1
    assert page.row("a") == ["a", HOSTILE]
    assert "Cost" not in page.text, "nothing was tuned"


def test_a_plugin_adds_plots_and_has_pages_of_its_own(tiny):
    exact, wide = Metric.constant(0.5, 9), Metric(0.25, 0.0, 1.0, 9)
    unknown = Metric(0.5, -math.inf, math.inf, 1)

    def add(page):
        section = page.section("Sizes")
        section.plot([(HOSTILE, 10, exact), ("large", 1000, wide)], x="bytes", y="score", told="scores of two sizes of it")
        section.table("Sizes", ("name", "score"), [("small", "1"), ("large", "2"), ("lost", "3")], [exact, wide, unknown])
        section.words({HOSTILE: page.markup("*b* of `{}`", HOSTILE)})
        section.heading("More")
        section.text(HOSTILE)
        section.code(HOSTILE)

    module = SimpleNamespace(iwm_report_sections=hookimpl(add))
    tiny.plugins.append(Plugin("more", "more-plugin", "0", module))
    tiny.manager.register(module)
    tiny.tell("iwm_report_page", SimpleNamespace(path=Path("own.html"), fill=add))
    for page in (report(make_run("a", charts=(), logs=False)), read(Path("own.html").read_text())):
        assert page.text.count(HOSTILE) >= 4
        assert page.row("large") == ["large", "2", ""]
        assert f"b of {HOSTILE}" in page.text
        assert any(a.get("aria-label") == "scores of two sizes of it" for a in page.each("div"))
        marks = [a["style"] for a in page.each("i") if a.get("class") == "range"][-2:]
        assert marks == ["left:50.0%;width:0.0%", "left:0.0%;width:100.0%"], "of what has an interval"
    assert HOSTILE in "".join(ET.parse("own.svg").getroot().itertext())
    assert Path("own.png").read_bytes()[1:4] == b"PNG"


def test_what_a_tuning_cost_is_shown_and_damage_told(here, capsys):
    path = write_tuned("t", {"shape": 0.8}, trained=1000, seconds=60.0)
    assert report(path).row("t") == ["t", "1 k", "25 %", "1.500", "0.500", "1:00", "512 MiB", "cpu"]
    (path / "cost.json").write_text("{")
    capsys.readouterr()
    page = report(path)
    assert "t/cost.json is damaged" in page.text
    assert "warning: t/cost.json is damaged" in capsys.readouterr().err
    assert "GFLOPs" not in page.text
