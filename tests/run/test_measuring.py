"""Runs are measured by a plugin: without one, what is to be measured is refused before it is trained, and all else is done."""

from pathlib import Path

import pytest
from one_line import assert_one_line

import iwm_core
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins

MISSING = "a run is to be measured, which no installed plugin does: `pip install iwm`"


@pytest.fixture
def alone(iwm, monkeypatch):
    """No plugin measures."""
    usual = load_plugins().modules
    monkeypatch.setattr(load_plugins(), "modules", lambda hook: [] if hook == "iwm_measurers" else usual(hook))
    return iwm


def test_what_is_to_be_measured_is_refused_before_a_run_has_a_directory(alone):
    assert_one_line(alone("train", "recipe=tiny", "evaluators=[mrr]", "run=r"), MISSING)
    assert not Path("r").exists()
    assert alone("show", "recipe=tiny", "evaluators=[mrr]")[0] == 0


def test_a_run_without_evaluators_is_trained_resumed_and_loaded(alone):
    assert alone("train", "recipe=tiny", "run=r")[0] == 0
    assert alone("resume", "r")[0] == 0
    assert iwm_core.load("r").step == 6
    assert_one_line(alone("eval", "r", "evaluators=[mrr]"), MISSING)
    with pytest.raises(UserError, match="which no installed plugin does"):
        iwm_core.measured("r")
