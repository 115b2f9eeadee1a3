"""The parts of a report: names, numbers, marks, axes and colours."""

import math
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_evals.measuring.scorecard import nested
from iwm_evals.measuring.tables import three_digits
from iwm_report.differences import config_differences, in_short
from iwm_report.drawing import draw_chart, spread, style
from iwm_report.joined_charts import alternative, axes_of, panels
from iwm_report.naming import common_folder
from iwm_report.numbers import interval, measure_and_part
from iwm_report.reproduce import commands, report_command, report_place
from iwm_report.run_record import read_run
from iwm_report.score_table import make_score_table, signs_of
from places import ROOT
from report_page import report
from report_runs import evaluation, make_run

from iwm_core.interfaces.results import Chart, Metric, Series

STYLESHEET = ROOT / "plugins/iwm-report/iwm_report/templates/page.css"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("mrr", ("mrr", "")),
        ("mrr.jitter.hue", ("mrr", "jitter.hue")),
        ("target_std", ("target_std", "")),
        ("dose_error.contrast", ("dose_error", "contrast")),
    ],
)
def test_metric_names(name, parts):
    assert measure_and_part(name) == parts


def test_controls_of_format_1_are_told_by_their_names():
    names = ["mrr", "mrr_chance", "mrr.jitter", "mrr.jitter_shuffled", "chance", "size_random", "gap", "gap_random", "gap_random_chance"]
    found = nested({name: {"value": place} for place, name in enumerate(names)})
    assert {
        name: (line["value"], {control: one["value"] for control, one in line["controls"].items()}) for name, line in found.items()
    } == {
        "mrr": (0, {"chance": 1}),
        "mrr.jitter": (2, {"shuffled": 3}),
        "chance": (4, {}),
        "size_random": (5, {}),
        "gap": (6, {"random": 7}),
        "gap_random": (7, {"chance": 8}),
    }


def test_a_metric_is_held_against_controls_that_there_are():
    chance, null = Metric.constant(0.25, 9), Metric(0.3, 0.2, 0.4, 9)
    metric = Metric(0.5, 0.4, 0.6, 9)
    assert metric.against(chance=chance).against(null=null).controls == {"chance": chance, "null": null}
    assert metric.controls == {}
    with pytest.raises(ValueError, match="there is no control 'luck'; there are chance, shuffled"):
        metric.against(luck=chance)


@pytest.mark.parametrize(
    ("bounds", "signs"),
    [
        ([(0.5, 0.6), (0.1, 0.2)], "▲▼"),
        ([(0.5, 0.6), (0.55, 0.7)], ".."),
        ([(0.5, 0.6), (0.6, 0.7)], ".."),
        ([(0.1, 0.2), (0.3, 0.4), (0.35, 0.5)], "▼.."),
        ([(0.1, 0.2), (0.3, 0.4), (0.5, 0.6)], "▼.▲"),
        ([(0.5, 0.6), None], ".."),
        ([(0.5, 0.6), (float("nan"), float("nan"))], ".."),
        ([(1.0, 1.0), (1.0001, 1.0001)], ".."),  # written alike
    ],
)
def test_runs_are_marked_where_intervals_do_not_overlap(bounds, signs):
    values = [b and Metric((b[0] + b[1]) / 2, *b, 10) for b in bounds]
    assert [sign or "." for sign in signs_of(values)] == list(signs)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.77812, "0.778"),
        (-0.0741, "−0.074"),
        (0.0, "0.000"),
        (0.0000213, "2.1e−5"),
        (1.0394, "1.039"),
        (6.6881, "6.69"),
        (12.345, "12.3"),
        (123.45, "123"),
        (12345.6, "12,346"),
        (float("nan"), "–"),
        (float("-inf"), "–"),
    ],
)
def test_numbers_as_written(number, text):
    assert three_digits(number) == text


def test_tiny_numbers_beside_large_ones_are_zero():
    assert three_digits(-0.00002, 1.0) == "0.000"
    assert three_digits(-0.00002, 0.5) == "−2.0e−5"
    assert interval(Metric(0.0002, -0.0001, 0.002, 9), 1.0) == "0.000 to 0.002"
    assert interval(Metric.constant(0.5, 9)) == "exact"
    assert interval(Metric(0.5, 0.5, 0.5, 9)) == "0.500 to 0.500", "images may agree by chance"
    assert interval(Metric(0.5, float("nan"), 0.6, 9)) == ""


def test_marks_lie_on_one_scale(here):
    path = make_run("a", charts=(), logs=False)
    card = make_score_table([read_run(path, "a").measured["rank"]])
    (mark,) = card.groups[0].lines[0].marks
    assert mark[:3] == pytest.approx((70, 65, 75))
    assert mark.controls == pytest.approx({"chance": 1.6, "shuffled": 2.0})
    assert card.details[0].lines[0].marks[0][:3] == pytest.approx((50, 40, 60))
    assert card.groups[1].lines[0].marks == [None]


def test_charts_side_by_side_share_their_axes():
    def chart(top):
        two = (Series("told", [0, 1], [0.0, top]), Series("not", [0, 2], [0.0, float("nan")]))
        return Chart("c", "C", "x", "y", "lines", two, "", {"chance": -1.0})

    one, two = panels(["a", "b"], [chart(1.0), chart(3.0)])
    assert one.axes == two.axes
    assert one.axes.x == pytest.approx((-0.1, 2.1))
    assert one.axes.y == pytest.approx((-1.2, 3.2))
    assert "told: 0.000 at 0, 3.00 at 1." in alternative(two)
    assert "chance at −1.000." in alternative(two)
    (only,) = panels(["a", "b"], [None, chart(1.0)._replace(series=(Series("told", [0, 1], [0.0, 1.0]),))])
    assert only.order == ["a", "b"], "a run looks the same in every chart, also where another has none"
    assert only.chart.series[0].label == "b"


def test_what_is_made_again_lies_beside_and_is_measured_as_the_report_shows(here):
    path = make_run("runs/a", charts=(), logs=False)
    assert commands(read_run(path, "a")) == ["iwm train recipe=runs/a/config.yaml run=runs/a-again"]
    evaluation(path / "eval", name="own")
    assert commands(read_run(path, "a"))[1:] == ["iwm eval runs/a-again 'evaluators=[own]'"]
    os.chdir(path)
    assert commands(read_run(Path(), "a"))[0] == "iwm train recipe=config.yaml run=../a-again"


def test_a_run_called_like_a_switch_is_told_as_one_types_it(here):
    run = read_run(make_run("-x y", charts=(), logs=False), "x")
    assert commands(run)[0] == "mkdir './-x y-again' && cp './-x y/config.yaml' './-x y-again' && iwm resume './-x y-again'"
    assert report_command([run, run]) == "iwm report './-x y-again' './-x y-again'"
    assert report_place([run]) == "-x y-again/report.html"
    page = report("./-x y")
    assert "iwm resume './-x y'" in page.text
    assert "iwm report './-x y-again'" in page.text
    assert not re.search(r"iwm \w+ -x", page.text)


def test_a_level_that_differs_between_runs_is_told_and_not_drawn():
    def chart(chance):
        return Chart("c", "C", "x", "y", "lines", (Series("told", [0], [0.5]),), "", {"chance": chance, "perfect": 1.0})

    (same,) = panels(["a", "b"], [chart(0.1), chart(0.1)])
    assert same.chart.levels == {"chance": 0.1, "perfect": 1.0}
    assert same.name_of("a") == "a"
    (other,) = panels(["a", "b"], [chart(0.1), chart(0.2)])
    assert other.chart.levels == {"perfect": 1.0}
    assert [other.name_of(label) for label in "ab"] == ["a (chance 0.100)", "b (chance 0.200)"]


@pytest.mark.parametrize("kind", ["lines", "bars", "points"])
def test_numbers_at_the_end_of_the_range_are_drawn_in_silence(recwarn, kind):
    values = [1e308, -1.7e308, 0.1]
    chart = Chart("c", "C", "x", "y", kind, (Series("a", ["p", "q", "r"] if kind == "bars" else [0, 1, 2], values),), "", {"chance": 1e308})
    (panel,) = panels(["run"], [chart])
    assert "<svg" in draw_chart(panel, 1)
    assert [str(one.message) for one in recwarn] == []


@pytest.mark.parametrize("kind", ["lines", "bars", "points"])
def test_texts_of_drawings_stay_texts(here, kind):
    """No formula, no escape of the SVG, and no number of a label taken for a coordinate."""
    words = ["$x$", "<i>", "1.23456", "#010203"]
    chart = Chart("c", "C", words[0], words[1], kind, (Series("a", [words[2]], [0.5]),), "", {words[3]: 0.4})
    (panel,) = panels(["run"], [chart])
    found = re.findall(r"<text[^>]*>([^<]*)</text>", draw_chart(panel, 1))
    assert {"&lt;i&gt;", "1.23456", "#010203"} <= set(found)
    assert kind == "bars" or "$x$" in found


@pytest.mark.parametrize("kind", ["lines", "points"])
def test_a_diagonal_is_drawn_and_told(here, kind):
    chart = Chart("c", "C", "asked", "found", kind, (Series("a", [-1.0, 1.0], [0.5, 0.6]),), "", diagonal="truth")
    (drawn,), (plain,) = panels(["run"], [chart]), panels(["run"], [chart._replace(diagonal="")])
    assert "truth" in re.findall(r"<text[^>]*>([^<]*)</text>", draw_chart(drawn, 1))
    assert "truth" not in draw_chart(plain, 1)
    assert draw_chart(drawn, 1).count("<path") == draw_chart(plain, 1).count("<path") + 1
    assert alternative(drawn).endswith("The diagonal is truth.")


def test_names_of_levels_do_not_cover_one_another():
    assert spread([0.1, 0.12, 0.5], [0.1, 0.1, 0.1]) == pytest.approx([0.1, 0.2, 0.5])
    assert spread([0.1, 0.12, 0.14], [0.1, 0.3, 0.1]) == pytest.approx([0.1, 0.3, 0.5])


@pytest.mark.parametrize(
    ("runs", "folder"),
    [(["runs/a", "runs/b"], "runs"), (["a", "b"], "."), (["x/a", "y/z/b"], "."), (["a", "a/b"], "."), (["p/a", "./p/q/b"], "p")],
)
def test_several_runs_are_reported_where_they_meet(here, runs, folder):
    assert common_folder([Path(run) for run in runs]) == Path(folder)
    assert common_folder([Path(run).absolute() for run in runs]) == (here / folder).resolve()


def test_a_series_looks_like_no_other():
    looks = [style(i) for i in range(40)]
    assert len({(look.marker, str(look.dashes)) for look in looks}) == 40, "also in grey"
    assert len({looks[i].colour for i in range(7)}) == 7


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, other):
    """WCAG 2.2's contrast ratio."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_colours_are_seen_in_light_and_in_dark(here):
    blocks = re.findall(r":root \{(.*?)\}", STYLESHEET.read_text(), re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in blocks)
    assert light.keys() == dark.keys()
    for theme in (light, dark):
        assert min(contrast(theme[f"series-{i}"], theme["paper"]) for i in range(1, 8)) >= 3
        assert len({theme[f"series-{i}"] for i in range(1, 8)}) == 7
        for text in ("ink", "pale", "link", "right", "wrong"):
            assert contrast(theme[text], theme["paper"]) >= 4.5
        assert contrast(theme["ink"], theme["note"]) >= 4.5
        assert contrast(theme["ink"], theme["raised"]) >= 4.5
    used = set(re.findall(r"var\(--([\w-]+)\)", report(make_run("a", logs=False)).source))
    assert used <= light.keys()
    assert not re.search(r"(fill|stroke): #", report("a").source), "every drawing takes its colours from the page"


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    st.lists(st.floats(-1e9, 1e9) | st.sampled_from([25.7, -25.7, 1e-7, 2.0, math.nan]), min_size=1, max_size=4),
    st.sampled_from([None, 2.0]),
)
def test_bars_are_labelled_with_their_values(values, longest):
    series = (Series("one", [f"bar {i}" for i in range(len(values))], values),)
    (panel,) = panels([""], [Chart("c", "C", "x", "y", "bars", series, "", longest=longest)])
    span = panel.axes.y[1] - panel.axes.y[0]
    assert longest is None or span <= 2.5 * 2 * longest
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", draw_chart(panel, 0))
    for value in values:
        if math.isfinite(value):
            text = three_digits(value, span)
            assert text in texts
            said = float(text.replace(",", "").replace("−", "-"))
            tiny = 0 < abs(value) < 0.0005 and span < 1  # two digits, as in 2.1e-5; else three decimals, or three digits
            near = pytest.approx(value, rel=0.051, abs=0) if tiny else pytest.approx(value, rel=6e-3, abs=6e-4)
            assert said == near, "rounded, not cut"


@pytest.mark.parametrize(("points", "first"), [(1, 0.0), (3, 0.0), (4, 10.0)])
def test_a_line_of_few_points_begins_at_0(points, first):
    """Any step between two points would else go from the bottom to the top."""
    line = Series("a", list(range(points)), [10.0 + 0.1 * place for place in range(points)])
    low, high = axes_of([Chart("c", "t", "x", "y", "lines", (line,), "")]).y
    assert low <= first <= high
    assert (low < 1) == (first == 0.0)


def test_names_of_what_differs_are_short():
    configs = [{"data": {"name": name, "path": "a" * 50}, **{f"key{place}": f"{name}{place}" for place in range(9)}} for name in "xy"]
    told = in_short(config_differences(configs), 0)
    assert told == "data=x, key0=x0, key1=x1, key2=x2, key3=x3, key4=x4, key5=x5 and 3 more"
    assert in_short(config_differences([{"path": "a" * 99}, {"path": "b"}]), 0) == f"path={'a' * 99}", "one is told, however long"
