"""What a comparison tells: its interval against simulations and theory, its tables and files against counts by hand."""

import json
import math
import xml.etree.ElementTree as ET

import comparison_runs
import pytest
import scipy.stats
import torch
from comparison_runs import right, write_tuned
from iwm_tasks.comparison.interval import interval_over, student
from iwm_tasks.comparison.presentation import as_markdown, show_tables, write_comparison
from iwm_tasks.comparison.records import Comparison, count, held_against, memory, percentage, row_cells, what_is_in_it, with_ends
from iwm_tasks.comparison.tabulate import read_finished, tables_of
from PIL import Image
from report_page import read
from report_runs import HOSTILE

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.results import Metric
from iwm_core.plugins.loader import Plugin


@pytest.fixture
def tasks(tiny):
    """The task of `comparison_runs` among the installed ones."""
    tiny.plugins.append(Plugin("compared", "compared", "0", comparison_runs))
    tiny.manager.register(comparison_runs)


def mean(rows):
    return rows.mean().item()


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 10, 30, 100])
def test_students_t_is_that_of_scipy(freedom):
    assert student(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=1e-9)


def test_the_interval_holds_the_truth_over_trainings_and_images():
    """Trainings are normal around 0.6, images of different difficulty are right or wrong, and every interval is made anew."""
    random, truth, trials = torch.Generator().manual_seed(1), 0.6, 80
    held, images_alone = 0, 0
    for _ in range(trials):
        easy = 0.6 * (torch.rand(150, generator=random) - 0.5)
        chances = [(truth + 0.04 * torch.randn((), generator=random) + easy).clamp(0, 1) for _ in range(3)]
        rows = [(torch.rand(150, generator=random) < chance).float()[:, None] for chance in chances]
        found = interval_over(rows, mean, 30)
        held += found.low <= truth <= found.high
        images_alone += abs(found.value - truth) <= 1.96 * torch.cat(rows, dim=1).mean(1).std().item() / math.sqrt(150)
    assert held / trials >= 0.95
    assert images_alone / trials < 0.92, "or the simulation could not tell an interval that forgets the trainings"


def test_one_training_has_the_interval_over_images_alone():
    found = interval_over([right(0.3, 0, 400)], mean, 400)
    assert found.value == pytest.approx(0.3)
    assert found.n == 400
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * math.sqrt(0.3 * 0.7 / 400), rel=0.1)


def test_images_are_resampled_together_for_all_trainings():
    rows = right(0.3, 0, 400)
    one, same = interval_over([rows], mean, 100), interval_over([rows, rows, rows], mean, 100)
    assert same[:4] == pytest.approx(one[:4]), "three times the same is no more than once"
    opposite = interval_over([rows, 1 - right(0.3, 0, 400) - 0.4], mean, 100)  # whatever the images, the mean is 0.3
    assert opposite.high - opposite.low == pytest.approx(0, abs=1e-6)


def test_trainings_without_spread_over_images_have_students_interval():
    rows = [torch.full((10, 1), value) for value in (0.5, 0.6, 0.76)]
    found = interval_over(rows, mean, 20)
    expected = scipy.stats.t.interval(0.95, 2, loc=0.62, scale=scipy.stats.sem([0.5, 0.6, 0.76]))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-5)


def gathered(folder, shares, **details):
    """A comparison of protocols by their seeds' shares of right images, by task."""
    found = {
        name: {
            seed: read_finished(write_tuned(folder / f"{name}-seed{seed}", one, seed, trained=1000 * (1 + place)))
            for seed, one in enumerate(seeds)
        }
        for place, (name, seeds) in enumerate(shares.items())
    }
    missing = {name: list(range(len(tunings), 3)) for name, tunings in found.items() if len(tunings) < 3}
    about = {"name": "pets", "world_model": "runs/pets", "checkpoint": "step_4", "command": "iwm compare runs/pets", "seeds": 3}
    more = {"protocols": {name: f"about {name}" for name in shares}, "overrides": [], "own": {}, "missing": missing}
    return Comparison(**(about | more | {"tables": tables_of(found, {})} | details))


SHAPES = {"predictor": [{"shape": s} for s in (0.8, 0.82, 0.81)], "predictor_random": [{"shape": s} for s in (0.5, 0.52)]}


def test_a_table_tells_what_each_protocol_gives_and_costs(tasks, tmp_path):
    (table,) = gathered(tmp_path, SHAPES).tables
    predictor, control = table.entries
    assert (table.task, table.metric) == ("shape", "accuracy")
    assert (predictor.protocol, control.protocol) == ("predictor", "predictor_random")
    assert predictor.values == pytest.approx({0: 0.8, 1: 0.82, 2: 0.81})
    assert predictor.metric.value == pytest.approx(0.81)
    assert predictor.metric.n == 200
    over_trainings = scipy.stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    over_images = 1.96 * math.sqrt(0.81 * 0.19 / 200 / 3)  # three trainings that err on images of their own
    assert (predictor.metric.high - predictor.metric.low) / 2 == pytest.approx(math.hypot(over_trainings, over_images), rel=0.2)
    assert (predictor.cost.trained, control.cost.trained, predictor.cost.parameters) == (1000, 2000, 4000)
    assert (predictor.cost.seconds, predictor.cost.peak_memory, control.cost.peak_memory) == (60, 514 << 20, 513 << 20), (
        "the most of all seeds"
    )


def test_several_tasks_have_a_table_each_and_one_for_their_mean(tasks, tmp_path):
    seeds = [{"shape": 0.8, "colour": 0.4}, {"shape": 0.82, "colour": 0.44}, {"shape": 0.78, "colour": 0.36}]
    shape, colour, both = gathered(tmp_path, {"predictor": seeds, "encoder": [{"shape": 0.5}]}).tables
    assert [table.task for table in (shape, colour, both)] == ["shape", "colour", "mean of the tasks"]
    assert [len(table.entries) for table in (shape, colour, both)] == [2, 1, 1], "a protocol that lacks a task has no mean"
    assert both.entries[0].values == pytest.approx({0: 0.6, 1: 0.63, 2: 0.57})
    assert both.entries[0].metric.value == pytest.approx(0.6)


def test_tasks_with_different_metrics_have_no_mean(tasks, tmp_path):
    tuned = read_finished(write_tuned(tmp_path / "a", {"shape": 0.8, "size": 0.9}, kinds={"size": "off"}))
    tables = tables_of({"predictor": {0: tuned}}, {})
    assert [(t.task, t.metric, pytest.approx(t.entries[0].metric.value)) for t in tables] == [
        ("shape", "accuracy", 0.8),
        ("size", "error", 0.1),
    ]


def test_a_row_is_made_once(tasks, tmp_path):
    known = {}
    tunings = {"predictor": {0: read_finished(write_tuned(tmp_path / "a", {"shape": 0.8}))}}
    (first,) = tables_of(tunings, known)
    tunings["predictor"][1] = read_finished(write_tuned(tmp_path / "b", {"shape": 0.6}, seed=1))
    (second,) = tables_of(tunings, known)
    assert (first.entries[0].metric.value, second.entries[0].metric.value) == pytest.approx((0.8, 0.7))
    assert tables_of(tunings, known)[0].entries[0] is second.entries[0]


def test_what_has_not_finished_is_no_result(tasks, tmp_path):
    assert read_finished(tmp_path / "none") is None
    assert read_finished(write_tuned(tmp_path / "half", {"shape": 0.8}, finished=False)) is None
    for lacking in ("cost.json", "eval/shape.json", "eval/shape_rows.safetensors"):
        path = write_tuned(tmp_path / lacking.replace("/", "_"), {"shape": 0.8})
        assert read_finished(path) is not None
        (path / lacking).unlink()
        assert read_finished(path) is None, lacking


def test_a_damaged_measurement_is_named_with_its_cure(tasks, tmp_path):
    path = write_tuned(tmp_path / "a", {"shape": 0.8})
    (path / "eval" / "shape_rows.safetensors").write_bytes(b"no")
    with pytest.raises(UserError, match=r"shape_rows\.safetensors is damaged .*; remove shape\.json and shape_rows\.safetensors there"):
        read_finished(path)


def test_trainings_on_different_images_are_not_compared(tasks, tmp_path):
    a, b = (read_finished(write_tuned(tmp_path / str(n), {"shape": 0.5}, images=n)) for n in (100, 200))
    with pytest.raises(UserError, match=r"shape was measured on different images \(x on 100, y on 200\)"):
        tables_of({"x": {0: a}, "y": {0: b}}, {})
    with pytest.raises(UserError, match="the trainings of x were measured on different images"):
        tables_of({"x": {0: a, 1: b}}, {})


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        ({"data": {"name": "folder"}}, "data.name noise against folder"),
        ({"train": {"resamples": 9}}, "resamples 40 against 9"),
    ],
)
def test_what_was_measured_otherwise_is_not_held_against_another(tasks, tmp_path, measured, reason):
    shared = {"data": {"name": "noise"}}
    one = read_finished(write_tuned(tmp_path / "a", {"shape": 0.9}, config=shared))
    other = read_finished(write_tuned(tmp_path / "b", {"shape": 0.2}, config=shared | measured))
    (table,) = tables_of({"predictor": {0: one}, "predictor_random": {0: other}}, {})
    assert held_against(table) == [f"Not comparable: {reason}."]
    (same,) = tables_of({"predictor": {0: one}, "predictor_random": {0: one}}, {})
    assert same.apart == ""


def test_a_tuning_that_was_measured_otherwise_or_by_an_earlier_version_is_not_measured(tasks, tmp_path):
    path = write_tuned(tmp_path / "a", {"shape": 0.8}, measured={"train": {"resamples": 9}})
    assert read_finished(path) is None
    path = write_tuned(tmp_path / "b", {"shape": 0.8})
    file = path / "eval" / "shape.json"
    file.write_text(json.dumps({"evaluator": "shape", "step": 8, "metrics": {}, "settings": {"main": "accuracy"}}))
    assert read_finished(path) is None, "`iwm compare` has it measured again by `iwm resume`"


def test_numbers_are_written_short():
    assert [count(n) for n in (640, 12_800, 999_600, 1_234_567, 2e9)] == ["640", "12.8 k", "1 M", "1.23 M", "2 G"]
    assert [percentage(s) for s in (1, 0.1234, 0.0123, 0.00036)] == ["100 %", "12.3 %", "1.23 %", "0.04 %"]
    assert [memory(m) for m in (512 << 20, 3 << 29)] == ["512 MiB", "1.5 GiB"]


def test_words_say_whether_the_control_is_beaten_and_what_is_in_the_interval(tasks, tmp_path):
    (apart,) = gathered(tmp_path / "a", SHAPES).tables
    assert held_against(apart) == ["predictor lies above predictor_random, and their intervals do not overlap: 0.810 against 0.510."]
    assert what_is_in_it(apart).startswith("In brackets a 95 % interval over 2 or 3 trainings and 200 validation images.")
    (near,) = gathered(tmp_path / "b", {"predictor": [{"shape": 0.5}], "predictor_random": [{"shape": 0.49}]}).tables
    assert held_against(near) == ["predictor and predictor_random have overlapping intervals: 0.500 against 0.490."]
    assert "the spread over trainings is not in it" in what_is_in_it(near)


def test_both_ends_of_an_interval_are_told():
    assert with_ends(Metric(0.211, 0.0, 0.613, 9)) == "0.211 (0.000–0.613)", "no ±, which would reach below 0"
    assert with_ends(Metric(-0.5, -2.0, 0.25, 9)) == "−0.500 (−2.00–0.250)"
    assert with_ends(Metric(0.5, -math.inf, 1.0, 1)) == "0.500"


def test_markdown_is_a_table_with_what_must_be_known(tasks, tmp_path):
    found = gathered(tmp_path, SHAPES)
    text = as_markdown(found)
    lines = text.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:4]]
    assert {len(row) for row in rows} == {9}
    assert rows[0][:2] == ["protocol", "accuracy (95 %)"]
    assert rows[2][0] == "`predictor`"
    assert rows[2][1] == with_ends(found.tables[0].entries[0].metric) == "0.810 (0.774–0.846)"
    assert rows[2][2:] == ["1 k", "25 %", "1.500", "0.500", "1:00", "514 MiB", "3"]
    assert rows[3][8] == "2 of 3"
    assert "5 of 6 trainings have finished. Not yet: predictor_random, seed 2." in text
    assert "`iwm compare runs/pets`" in text


def test_all_files_tell_the_same(tasks, tmp_path):
    found = gathered(tmp_path, SHAPES)
    paths = write_comparison(found, tmp_path)
    assert [path.name for path in paths] == ["comparison.md", "comparison.html", "comparison.png", "comparison.svg", "comparison.json"]

    told = json.loads((tmp_path / "comparison.json").read_text())
    entry = told["tables"][0]["entries"][1]
    assert (told["tables"][0]["task"], entry["protocol"], entry["trained_fraction"], entry["values"]) == (
        *("shape", "predictor_random", 0.5),
        {"0": pytest.approx(0.5), "1": pytest.approx(0.52)},
    )
    assert entry["metric"]["low"] < entry["metric"]["value"] < entry["metric"]["high"]
    assert told["missing"] == {"predictor_random": [2]}

    page = read((tmp_path / "comparison.html").read_text())
    texts = row_cells(found.tables[0].entries[0], found)
    assert page.row("predictor", table=0) == [*texts[:2], "", *texts[2:]]
    assert page.row("predictor_random", table=1) == ["predictor_random", "0.5", "0.52", "–"]
    plot = next(a["aria-label"] for tag, a in page.tags if a.get("class") == "plot")
    assert f"predictor {texts[1]} with 1 k, predictor_random" in plot
    for text in ("accuracy", "trained parameters", "predictor_random", "5 of 6 trainings", "about predictor", "resampled together"):
        assert text in page.text

    with Image.open(tmp_path / "comparison.png") as image:
        assert len(image.convert("RGB").getcolors(1 << 20)) > 50
        assert image.getpixel((2, 2))[:3] == (255, 255, 255), "paper, for a README in the dark"
    drawn = "".join(ET.parse(tmp_path / "comparison.svg").getroot().itertext())
    assert "predictor_random" in drawn
    assert "#0102" not in (tmp_path / "comparison.svg").read_text(), "every colour is a real one"


@pytest.mark.slow
def test_the_same_comparison_gives_the_same_bytes(tasks, tmp_path):
    found = gathered(tmp_path, SHAPES)
    first = {path.name: path.read_bytes() for path in write_comparison(found, tmp_path)}
    assert {path.name: path.read_bytes() for path in write_comparison(found, tmp_path)} == first


@pytest.mark.slow
def test_the_page_of_several_tasks_and_hostile_names_is_sound(tasks, tmp_path):
    shares = {"predictor": [{"shape": 0.8, "colour": 0.4}], "end_to_end": [{"shape": 0.8, "colour": 0.4}]}
    found = gathered(tmp_path, shares, name=HOSTILE, world_model=HOSTILE, own={"predictor": [HOSTILE]}, command=HOSTILE)
    write_comparison(found, tmp_path)
    page = read((tmp_path / "comparison.html").read_text())
    assert page.text.count(HOSTILE) >= 4
    assert [page.tables[n][1][0].strip() for n in range(3)] == ["predictor"] * 3
    assert "49" not in page.each("title")


@pytest.mark.parametrize("columns", [None, 80])
def test_the_terminal_shows_every_table(tasks, tmp_path, capsys, monkeypatch, columns):
    monkeypatch.setattr("iwm_tasks.comparison.presentation.room", lambda: columns)
    show_tables(gathered(tmp_path, SHAPES))
    out = capsys.readouterr().out
    _, head, *rows = out.partition("Made")[0].splitlines()
    if columns:
        assert head.split() == ["protocol", "accuracy", "(95", "%)"]
        assert "    trained parameters 1 k · trained share 25 % · " in rows[1]
        assert max(map(len, rows[:4])) <= columns
    else:
        assert head.split()[4:8] == ["trained", "parameters", "trained", "share"]
    assert "pets: shape" in out
    assert "0.810 (0.7" in out
    assert "2 of 3" in out
    assert "predictor_random, seed 2" in out
