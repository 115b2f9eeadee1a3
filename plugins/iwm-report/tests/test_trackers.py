"""What goes to trackers: names as in the results, pictures, into the run that training made there; what cannot be sent costs nothing."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from iwm_report.trackers import track
from report_runs import png

from iwm_core.interfaces.events import Evaluated
from iwm_core.interfaces.results import Metric


class NoAnswer(Exception):
    """What the service's library raises."""


@pytest.fixture
def sent(here, monkeypatch):
    """What a stand-in for the library of Weights & Biases is given; a run's training wrote to it."""
    heard = []

    class Tracked:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            heard.append("finished")

        log = heard.append

    def init(**asked):
        heard.append(asked)
        if asked["id"] == "lost":
            raise NoAnswer("no answer")
        return Tracked()

    wandb = ModuleType("wandb")
    wandb.__spec__ = ModuleSpec("wandb", None)
    wandb.init, wandb.Image, wandb.errors = init, lambda pixels: pixels.shape, SimpleNamespace(Error=NoAnswer)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    return heard


def measured(beside=".", run="r", own="ab12"):
    """A result of a run whose training was tracked."""
    folder = Path(run)
    (folder / f"wandb/run-20260101_101010-{own}").mkdir(parents=True)
    (folder / "wandb/latest-run").symlink_to(f"run-20260101_101010-{own}")
    found = SimpleNamespace(metrics={"mrr": Metric(0.5, 0.4, 0.6, 8), "mrr.hue": Metric(0.25, 0.2, 0.3, 8)})
    return Evaluated("mrr", 6, found, folder / "eval", Path(beside), pictures=[folder / png(folder, "found.png")])


def test_results_and_pictures_go_into_the_run_of_the_training(sent):
    track(measured())
    assert sent == [
        {"project": "iwm", "id": "ab12", "resume": "allow", "dir": "r"},
        {"mrr/mrr": 0.5, "mrr/mrr.hue": 0.25, "mrr/found": (8, 8, 3), "step": 6},
        "finished",
    ]


def test_other_settings_and_untracked_runs_send_nothing(sent):
    track(measured(beside="mrr/0123456789abcdef"))
    found = measured(run="s")
    (Path("s") / "wandb/latest-run").unlink()
    track(found)
    assert sent == []


def test_what_cannot_be_sent_is_told_and_kept(sent, monkeypatch, capsys):
    track(measured(own="lost"))
    assert capsys.readouterr().err == "warning: mrr is not sent to wandb: no answer; its results are in r\n"
    monkeypatch.setattr("iwm_report.trackers.find_spec", lambda name: None)
    track(measured(run="s"))
    assert capsys.readouterr().err == "warning: mrr is not sent to wandb, as training was: it is not installed here\n"
    assert len(sent) == 1
