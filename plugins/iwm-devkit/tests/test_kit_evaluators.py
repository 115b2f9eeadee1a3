"""The conformance kit catches every way in which an evaluator can break its contract."""

import pytest
import torch
from iwm_devkit import CHECKS
from iwm_devkit.known_model import KnownData
from kit_examples import Spread, broken, caught

from iwm_core.interfaces import Chart, Metric, NotApplicable, check_finite


def finds(**changes):
    """An evaluator that finds something else."""

    def found(self, metric, folder):
        return Spread.found(self, metric, folder)._replace(**changes)

    return {"found": found}


def metric(**changes):
    """An evaluator whose number is otherwise."""

    def found(self, metric, folder):
        good = Spread.found(self, metric, folder)
        return good._replace(metrics={"spread": metric._replace(**changes)})

    return {"found": found}


def writes(self, metric, folder):
    (folder / "notes.txt").write_text("mine")
    return Spread.found(self, metric, folder)


def forgets(self, metric, folder):
    return Spread.found(self, metric, folder)._replace(pictures=((folder / "spread_gone.png", "gone"),))


ONE = Metric(1.0, 1.0, 1.0, 1)
COUNTER = iter(range(10**6))
CHART = Chart("moon", "The moon", "night", "light", "lines", (), "Bright is good.")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"evaluate": lambda self, model, data, folder, track: {}}, ("must return an Evaluation, got dict",)),
        (finds(metrics={}), ("must measure something", "NotApplicable")),
        (finds(metrics={"Spread!": Metric(1, 1, 1, 1)}), ("'Spread!' must be called measure[.part]",)),
        (
            finds(metrics={"spread": ONE, "spread_null": ONE}),
            ("`about` must explain the measure 'spread_null'", "a control is written spread.against(null=…)"),
        ),
        (finds(metrics={"spread": ONE._replace(controls={"luck": ONE})}), ("spread has the control 'luck'; there are chance",)),
        (finds(metrics={"spread": ONE.against(null=ONE._replace(low=2.0))}), ("spread's null must lie in its interval",)),
        (metric(low=9.0), ("must lie in its interval",)),
        (metric(n=0), ("over how many images",)),
        (finds(about={}), ("`about` must explain the measure 'spread'",)),
        ({"found": lambda self, m, folder: Spread.found(self, Metric(next(COUNTER), -1, 1e9, 1), folder)}, ("the same numbers again",)),
        (finds(summary=""), ("needs a `summary`",)),
        (finds(charts=(CHART._replace(name="My chart"),)), ("the chart 'My chart' must be called",)),
        (finds(charts=(CHART, CHART)), ("each chart of spread must have a name of its own",)),
        ({"found": writes}, ("must name its files spread_…", "notes.txt")),
        ({"found": forgets}, ("pictures that it has not written", "spread_gone.png")),
        (
            {"found": lambda self, m, folder: Spread.found(self, m._replace(high=m.high + float(torch.rand(1))), folder)},
            ("global random generators",),
        ),
    ],
)
def test_evaluators(changes, words):
    caught("evaluator", broken(Spread, **changes), *words)


@pytest.mark.parametrize(("label", "total"), [("", 2), ("spread", -1)])
def test_progress_is_asked_for_in_full(label, total):
    def evaluate(self, model, data, folder, track):
        return Spread.evaluate(self, model, data, folder, lambda items, *told: track(items, label, total))

    caught("evaluator", broken(Spread, evaluate=evaluate), "track() needs")


def test_what_cannot_be_measured_is_passed_on():
    def evaluate(self, model, data, folder, track):
        raise NotApplicable("no moon tonight")

    with pytest.raises(NotApplicable, match="no moon tonight"):
        CHECKS["evaluator"](broken(Spread, evaluate=evaluate))


def test_evaluators_begin_alike():
    """How many images are asked of, and how they go by, which every evaluator has from its base class."""
    spread, data, told = Spread(), KnownData(train=50, images=20), []
    assert [spread.asked(data, images) for images in (0, 8, 20, 21)] == [20, 8, 20, 20]
    assert spread.asked(data, 0, "train") == 50
    with pytest.raises(ValueError, match="^spread needs validation images, and this data has none$"):
        spread.asked(KnownData(images=0), 8)
    with pytest.raises(NotApplicable, match="^spread compares images, and 2 are too few$"):
        spread.asked(KnownData(images=2), 8, least=3)

    def track(items, label, total):
        told.append((label, total))
        return items

    assert [len(batch.index) for batch in spread.batches(data, 20, 8, track)] == [8, 8, 4]
    assert sum(len(batch.index) for batch in spread.batches(data, 30, 16, track, "train", "fit")) == 30
    assert told == [("spread", 3), ("spread: fit", 2)]


def test_numbers_of_a_diverged_model_are_refused():
    check_finite(torch.ones(3), torch.zeros(0))
    for bad in (torch.nan, -torch.inf):
        with pytest.raises(ValueError, match="not finite numbers; has training diverged"):
            check_finite(torch.ones(3), torch.tensor([0.0, bad]))
