"""No name can say anything but itself: no escape, no line break, no turned text leaves for the terminal, whatever verb shows it."""

import ast
import json
import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from iwm_cluster.jobs import at
from iwm_evals.measuring.tables import show_table
from iwm_report.displays import NamesConsole, TerminalDisplay
from places import ROOT
from predicting import RED, asker, picture
from rich.console import Console
from rich.table import Table

from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.results import Metric
from iwm_core.process.display import Display, PlainDisplay, Recurring
from iwm_core.process.shown import as_word, shown

CORE = ROOT / "iwm_core"
TURN = "\u202e"  # right to left from here on
EVIL = f"x\x1b[31m\x9b2J{TURN}\x7fy"
BROKEN = f"{EVIL}\r\n\u2028[b]z"
TOLD = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def assert_harmless(text, *seen):
    assert not TOLD.search(text), repr(text)
    for words in seen:
        assert words in text


@given(st.text(), st.sampled_from(["", "\n"]))
def test_what_is_shown_is_visible_and_names_its_text(text, keep):
    told = shown(text, keep)
    assert not TOLD.search(told.replace("\n", "") if keep else told)
    assert keep or "\n" not in told
    told.encode()  # also what is no text, in names of files
    if "\\" not in text and '"' not in text:
        assert json.loads(f'"{told}"', strict=False) == text


@pytest.mark.parametrize("text", ["قطّ", "猫\u3000子", "می\u200cخواهم", "3 × 4 – “so”", "é, e\u0301"])
def test_words_of_all_scripts_stay(text):
    assert shown(text) == text


@pytest.mark.parametrize(("path", "word"), [("runs/a", "runs/a"), ("a b", "'a b'"), ("-a", "./-a"), ("it's", """'it'"'"'s'""")])
def test_a_path_is_shown_as_it_is_typed(path, word):
    assert as_word(Path(path)) == word
    assert Path(*shlex.split(word)) == Path(path)


def test_nothing_else_prints():
    """One place prints: what goes round it would go round the escaping."""
    files = [*CORE.rglob("*.py"), *CORE.parent.glob("plugins/*/iwm_*/**/*.py")]
    for path in (path for path in files if "scaffold" not in path.parts):
        inside = path.relative_to(CORE if path.is_relative_to(CORE) else CORE.parent / "plugins").as_posix()
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if re.search(r"\b(print|write|Console)\s*\(", text) else ():
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "sys.stdout.write", "sys.stderr.write") or inside == "process/shown.py", f"{inside}: use tell()"
            assert called != "Console", f"{inside}: use iwm_report.displays.NamesConsole"


@pytest.mark.parametrize("display", [PlainDisplay, TerminalDisplay, Display])
def test_a_display_shows_names_as_they_are(display, capfd):
    one = display()
    one.say(BROKEN)
    one.warn(BROKEN)
    show_table(one, BROKEN, {BROKEN: Metric(0.5, 0.4, 0.6, 8)})
    assert list(one.track([1], BROKEN, 1)) == [1]
    assert list(one.steps(0, 1, BROKEN)) == [0]
    told = "".join(capfd.readouterr())
    assert_harmless(told, "[31m")
    if display is not Display:
        assert "[b]z" in told, "brackets are no markup"


def test_a_table_has_no_markup():
    table = Table(title="[/]")
    table.add_column("[red]:smile:")
    table.add_row("[/nothing] :smile:")
    console = NamesConsole(width=60)
    with console.capture() as found:
        console.print(table)
    assert "[/nothing] :smile:" in found.get()
    assert "[red]:smile:" in found.get()
    assert isinstance(console, Console)


@pytest.fixture
def told(tiny, capfd):
    """Run a command line in this process; returns its status and all that it printed."""

    def run(*words):
        status = guarded(lambda: dispatch([str(w) for w in words]))
        return status, "".join(capfd.readouterr())

    return run


@pytest.mark.slow
def test_names_of_files_classes_and_runs(told, here):
    for split, count in (("train", 16), ("val", 8)):
        for number in range(count):
            picture(f"{EVIL}/{split}/{BROKEN}/{number:02}{BROKEN}.png", (number, 0, 255 - number))
        Path(f"{EVIL}/{split}/{BROKEN}/00{BROKEN}.png").write_bytes(b"no image")
    Path(f"{EVIL}/train/{BROKEN}/01\udcff.png").write_bytes(b"a name that is no text")
    data = ["data=folder", f"data.path='{EVIL}'", "data.max_corrupt=0.5"]
    status, text = told("train", "recipe=tiny", *data, at(Path(f"run{EVIL}")))
    assert status == 0, text
    assert_harmless(text, "cannot read", "[31m")
    for words in (
        ["resume"],
        ["eval"],
        ["report"],
        ["compare"],
        ["predict", EVIL],
        ["tune", f"recipe={BROKEN}"],
        ["resume", "train.steps=8"],
    ):
        _, text = told(words[0], f"run{EVIL}", *words[1:])
        assert_harmless(text)
        assert text
    status, text = told("show", "recipe=tiny", *data)
    assert status == 0
    assert_harmless(text, "\\u202e")
    page = Path(f"run{EVIL}/report.html").read_text(encoding="utf-8")
    assert_harmless(page.replace("\t", ""), "\\u001b")


@pytest.mark.parametrize(
    "words",
    [
        *(
            [verb, BROKEN]
            for verb in ("resume", "eval", "tune", "compare", "predict", "report", "show", "recipes", "components", "plugins")
        ),
        *(["train", f"recipe={name}"] for name in (BROKEN, f"tiny{TURN}")),
        *(
            ["train", "recipe=tiny", f"{name}={value}"]
            for name in ("encoder", "data", "train.lr", "run", "launch", BROKEN)
            for value in (BROKEN, EVIL)
        ),
        *(["components", "action", BROKEN], ["plugins", "check", BROKEN], ["plugins", "new", BROKEN], [BROKEN], ["predict", "r", BROKEN]),
        *(["plugins", "new", "one", "--kind", BROKEN], ["train", "recipe=tiny", f"evaluators=[{EVIL}]"], ["report", f"out={BROKEN}"]),
        *(["train", "recipe=tiny", "data=folder", f"data.path={EVIL}"], ["train", "recipe=tiny", "data=hub", f"data.path='{EVIL}'"]),
    ],
    ids=repr,
)
def test_every_verb_that_refuses_a_name(told, words, here):
    status, text = told(*words)
    assert status == 2
    assert_harmless(text)
    assert len(text.splitlines()) == 1


def test_names_of_columns(told, parquet):
    table = pq.read_table(parquet / "train.parquet").rename_columns(["image", BROKEN])
    pq.write_table(table, parquet / "train.parquet")
    status, text = told("train", "recipe=tiny", "data=hub", f"data.path={parquet}", "data.label_column=none")
    assert status == 2
    assert_harmless(text, "\\u001b[31m")


def test_names_and_faults_of_plugins(fake_entry_points, capfd):
    fake_entry_points((BROKEN, BROKEN, ImportError(BROKEN)))
    for words in (["plugins"], ["plugins", "--json"], ["components"], ["recipes"], ["plugins", "check", "x"]):
        guarded(lambda words=words: dispatch(words))
        out, err = capfd.readouterr()
        assert_harmless(out + err)
        if "--json" in words:
            assert EVIL in json.loads(out)[-1]["name"]


def test_what_predict_says(here, monkeypatch, capfd):
    ask = asker(monkeypatch, capfd)
    picture(f"in/{BROKEN}.png", RED)
    Path(f"in/{EVIL}.jpg").write_bytes(b"no image")
    status, printed, told = ask("run", "in", f"out=o{BROKEN}")
    assert status == 0
    assert_harmless(printed + told, "left out of")


def test_warnings_that_come_again_are_told_less_and_less_and_counted():
    told = []
    warn = Recurring(told.append)
    for number in range(1, 41):
        warn("a", f"step {number}")
    warn("b", "another kind")
    assert [line.split(" (")[0] for line in told] == [*(f"step {n}" for n in (1, 2, 3, 4, 8, 16, 32)), "another kind"]
    assert told[6] == "step 32 (32 such warnings so far; the next is shown at 64)"
