"""Mistakes are answered in one line, before anything is measured; records are compared where they can be."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from asked_by import asked_by
from iwm_bench.command_line import read_arguments
from iwm_bench.record import KIND, Arm, Record, Spread, Tokens, write
from iwm_bench.table import compared, table
from one_line import assert_one_line
from rich.console import Console

from iwm_core.cli.main import dispatch

ARM = Arm(
    steps=4,
    seconds=Spread(0.1, 0.08, 0.2),
    images_per_s=Spread(80, 40, 100),
    tokens_per_s=Spread(2560, 1280, 3200),
    mfu=Spread(0.4, 0.3, 0.5),
    data_wait=Spread(0.01, 0, 0.02),
    operations=1000,
    waits=0,
    peak_memory=2 * 10**9,
)
RECORD = Record(
    kind=KIND,
    recipe="tiny",
    config={"launch": {"precision": "fp32"}, "image_size": 16},
    device="cpu",
    device_name="some processor",
    threads=2,
    precision="fp32",
    compiled=False,
    images=8,
    tokens=Tokens(16, 8, 1, 8),
    gflop=0.5,
    product_side=1024,
    product_tflops=Spread(0.1, 0.09, 0.11),
    arms={"model": ARM, "step": ARM},
    versions={"torch": "2.9"},
)


@pytest.fixture
def records(tiny):
    """Records in files: of this recipe, of another, and one that was changed by hand."""
    write(RECORD, Path("ours.json"))
    write(replace(RECORD, recipe="quickstart"), Path("other.json"))
    Path("forged.json").write_text(Path("ours.json").read_text().replace('"median": 80', '"median": 8000'))
    Path("text.json").write_text("{}")
    Path("folder.json").mkdir()


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("", "say which recipe, once: recipe=NAME"),
        ("recipe=tiny --arms=modle", "did you mean --arms model?"),
        ("recipe=tiny --arms ,", "one of model, step, data, feed, decode, actions, got ''; write --arms model,step,data"),
        ("recipe=tiny --arms", "--arms needs a value"),
        ("recipe=tiny --profil", "did you mean --profile?"),
        ("recipe=tiny --json=yes", "--json takes no value"),
        ("recipe=tiny --json --json", "give it once"),
        ("recipe=tiny --repeats 0", "write --repeats 5"),
        ("recipe=tiny --repeats 2.5", "--repeats is a whole number, got '2.5'; write --repeats 5"),
        ("recipe=tiny --seconds nan", "write --seconds 1"),
        ("recipe=tiny out=", "out=FILE.json"),
        ("recipe=tiny out=a.json out=b.json", "once"),
        ("recipe=tiny out=nowhere/a.json", "there is no folder nowhere"),
        ("recipe=tiny out=a.txt", "write out=a.txt.json"),
        ("recipe=tiny out=text.json", "text.json exists and is no record of iwm bench"),
        ("recipe=tiny --compare missing.json", "missing.json"),
        ("recipe=tiny --compare folder.json", "folder.json"),
        ("recipe=tiny --compare runs/quickstart", "runs/quickstart is no record of iwm bench"),
        ("recipe=tiny --compare text.json", "text.json"),
        ("recipe=tiny --compare forged.json", "checksum"),
        ("recipe=tiny --compare other.json", "measures recipe=quickstart, not tiny"),
        ("recipe=tiny --compare ours.json --json", "leave it out to compare"),
        ("recipe=tiny train.step=3", "train.steps=3"),
        ("recipe=tiny launch.processes=2", "iwm bench measures one process"),
        ("recipe=tiny train.batch_size=3 launch.accumulate=2", "not divisible by 2"),
        ("recipe=tiny actions=[] predictor=none --arms actions", "there are no actions"),
        ("recipe=tune/predictor", "iwm tune"),
    ],
    ids=lambda words: words if isinstance(words, str) else "",
)
def test_mistakes(iwm, records, words, fix, monkeypatch):
    monkeypatch.setattr("iwm_bench.benchmark.timed", lambda *_: pytest.fail("it was measured"))
    assert_one_line(iwm("bench", *words.split()), fix)


def test_arms_come_in_their_order_however_they_are_written(tiny):
    assert asked_by("bench", read_arguments, ["recipe=tiny", "--arms", "data,model,data"]).arms == ("model", "data")
    assert asked_by("bench", read_arguments, ["--arms=actions", "recipe=tiny"]).arms == ("actions",)


def printed(what):
    console = Console(width=80, no_color=True, record=True, markup=False)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def test_the_table_fits_a_terminal(tiny):
    wide = replace(ARM, images_per_s=Spread(12345, 11111, 13579), seconds=Spread(12.345, 12, 13), operations=12345, waits=476)
    text = printed(table(replace(RECORD, arms={"model": ARM, "torchvision": wide})))
    assert max(map(len, text.splitlines())) <= 80
    (line,) = (line for line in text.splitlines() if line.strip().startswith("model"))
    assert line.split() == ["model", "80", "(40–100)", "2560", "100", "40%", "1%", "2", "1000", "0"]
    assert "16 + 8 + 1×8 = 32 (teacher, context, predicted)" in text
    assert "some processor, 2 threads" in text
    assert "…" not in text, "nothing is cut"


def test_ratios_and_what_differs():
    faster = replace(ARM, images_per_s=Spread(160, 120, 200), operations=500, peak_memory=10**9)
    now = replace(RECORD, config={"launch": {"precision": "bf16"}, "image_size": 16}, arms={"model": faster, "data": ARM})
    text = printed(compared(now, RECORD, Path("before.json")))
    rows = [line.split() for line in text.splitlines()]
    assert ["model", "2.00", "1.20–5.00", "0.50", "0.50"] in rows
    assert not any(row[:1] in (["data"], ["step"]) for row in rows), "arms that one of them lacks"
    assert "launch.precision: fp32 → bf16" in text
    assert "image_size" not in text
    assert "another device" not in text


def test_another_device_is_named():
    text = printed(compared(replace(RECORD, device_name="one GPU"), RECORD, Path("before.json")))
    assert "another device: some processor, 2 threads → one GPU, 2 threads" in text


@pytest.mark.slow
def test_a_record_is_compared_with_itself_after_it_was_written(tiny, capsys):
    words = ["bench", "recipe=tiny", "--arms", "model", "--repeats", "2", "--seconds", "0.01"]
    assert dispatch([*words, "out=a.json"]) == 0
    capsys.readouterr()
    assert dispatch([*words, "--compare", "a.json", "train.batch_size=16"]) == 0
    said = capsys.readouterr().out
    assert "as a multiple of a.json" in said
    assert "train.batch_size: 8 → 16" in said
    assert json.loads(Path("a.json").read_text())["checksum"]
