"""What all verbs print on a terminal of 80 columns: no line is broken by the terminal, no number by a line; and what they print elsewhere.

Sentences may be longer: a terminal breaks them where it likes.
"""

import io
import json
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_evals.measuring.tables import metrics_table, show_table
from iwm_interop.zoo.entry import entries
from iwm_report.displays import TerminalDisplay

from iwm_core import __version__
from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.results import Metric
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.display import PlainDisplay
from iwm_core.process.tables import tabulated

COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Carries out a command line on a terminal; returns what is to be seen there, and as it was sent."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(*words, columns=80, do=None):
        monkeypatch.setenv("COLUMNS", str(columns))
        screen = Terminal()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", screen)
            assert (do or (lambda: guarded(lambda: dispatch(list(words)))))() in (0, None)
        return COLOUR.sub("", screen.getvalue()), screen.getvalue()

    return run


def piped(capsys, *words):
    assert guarded(lambda: dispatch(list(words))) == 0
    return capsys.readouterr().out


def longest(text):
    return max(text.splitlines(), key=len)


def words_of(text):
    return re.sub(r"\s+", " ", text.replace(" \\\n", " "))


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_of_every_verb_fits(terminal, columns):
    for name, command in {"": None, **load_plugins().commands}.items():
        seen, _ = terminal(*name.split(), "--help", columns=columns)
        assert len(longest(seen)) <= columns, longest(seen)
        for text in (*command.forms, *command.forms.values(), *command.more, *command.examples) if command else ():
            assert words_of(text) in words_of(seen)


LISTINGS = [["plugins"], ["recipes"], ["components"], ["zoo"], ["reproduce"]]


@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_listings_fit_and_hold_all_in_a_pipe_a_row_a_line(terminal, capsys, words):
    seen, _ = terminal(*words)
    assert len(longest(seen)) <= 80, longest(seen)
    out = piped(capsys, *words)
    assert "\x1b" not in out
    head, *rows = out.splitlines()
    found = json.loads(piped(capsys, *words, "--json"))
    assert len(rows) == len(found)
    for one, row in zip(found, rows, strict=True):
        assert one["name"] in row
        for text in (str(one[key.lower()]) for key in head.split() if words != ["zoo"]):
            assert text in row
            assert words_of(text) in words_of(seen)


def test_options_of_every_component_fit(terminal):
    plugins = load_plugins()
    for kind in plugins.kinds:
        for name in plugins.entries(kind):
            seen, _ = terminal("components", kind, name)
            _, _, table = seen.partition("\n\n")  # below a sentence
            assert not table or len(longest(table)) <= 80, longest(table)


def scorecards():
    """The metrics of all evaluators, as the quickstart of the zoo has them."""
    for one in entries()["quickstart"]["scorecard"]:
        yield one["evaluator"], one["metrics"]


@pytest.mark.parametrize("columns", [70, 80])
def test_tables_of_every_evaluator_fit(terminal, columns):
    names = []
    for name, metrics in scorecards():
        names.append(name)
        lost = {"not.finite": Metric(float("nan"), float("nan"), float("nan"), 8).against(**next(iter(metrics.values())).controls)}
        head, rows = metrics_table({**metrics, **lost})
        seen, _ = terminal(columns=columns, do=lambda title=name, rows={**metrics, **lost}: show_table(TerminalDisplay(), title, rows))
        assert len(longest(seen)) <= columns, longest(seen)
        for row in rows:
            assert row[0] in seen.split()
            for control, value in zip(head, row, strict=True):
                assert value in seen or f"{control} {value}" in seen
    assert {"mrr", "health", "planning"} <= set(names)


@pytest.mark.slow
def test_what_eval_prints_fits(terminal, kept):
    kept("train", "recipe=tiny", "train.steps=2", "evaluators=[mrr]", "evaluators.mrr.bank=8", "run=r")
    seen, sent = terminal("eval", "r", "--all")
    table = seen[seen.index("metric ") : seen.index("wrote ")]
    assert "chance" in table
    assert len(longest(table[: table.rindex("\n", 0, -1)])) <= 80
    assert "\x1b" in sent


def test_no_colour_where_none_is_wanted(terminal, monkeypatch, capsys):
    def warn():
        TerminalDisplay().warn("a warning")

    assert "\x1b[33m" in terminal(do=warn)[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal(do=warn)[1] == "warning: a warning\n"
    show_table(PlainDisplay(), "in a log", {"x": Metric(0.5, 0.4, 0.6, 8)})
    assert "\x1b" not in capsys.readouterr().out


def test_the_version_is_a_line(terminal, capsys):
    assert terminal("--version")[0] == f"iwm {__version__}\n" == piped(capsys, "--version")


CELLS = st.text("abcdefghij-./ äß", max_size=70).map(str.strip)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=4)), st.booleans())
def test_any_table_fits_and_holds_all(rows, numbers):
    head = [f"column {place}" for place in range(len(rows[0]))]
    for keep in (0, 1):
        lines = tabulated(head, rows, 80, keep, numbers)
        assert all(len(line) <= 80 for line in lines)
        shown = "".join("".join(lines).split())
        for text in (cell for row in rows for cell in row):
            assert "".join(text.split()) in shown
    assert len(tabulated(head, rows, None)) == 1 + len(rows)
