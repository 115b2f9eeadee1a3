"""What evaluators answer: by intervals, against all that a metric is held against."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_evals.scores.relative import hardly_moved
from iwm_evals.words.answers import ANSWERS, BETTER, above, answer_and_better, below, of_factors, of_health, percent

from iwm_core.interfaces import QUESTIONS, Metric

ENDS = st.tuples(st.floats(-9, 9), st.floats(-9, 9)).map(sorted)


def metric(value, width=0.05, **controls):
    return Metric(value, value - width, value + width, 64).against(**{name: metric(other, 0.01) for name, other in controls.items()})


@settings(max_examples=50)
@given(ENDS, st.lists(ENDS, min_size=1, max_size=3))
def test_yes_and_no_are_said_by_intervals(own, others):
    one, held = Metric(sum(own) / 2, *own, 9), [Metric(sum(ends) / 2, *ends, 9) for ends in others]
    up, down = above(one, *held), below(one, *held)
    points = [*own, sum(own) / 2]
    assert (up is True) == all(x > most for x in points for _, most in others)
    assert (up is False) == all(x <= max(most for _, most in others) for x in points)
    mirrored = [Metric(-m.value, -m.high, -m.low, 9) for m in (one, *held)]
    assert down == above(*mirrored)


GOOD = {
    "mrr": {"mrr": metric(0.7, chance=0.07, shuffled=0.06, null=0.07), "h1": metric(0.6, chance=1 / 64)},
    "imagination": {"imagined": metric(0.4, null=1.2, identity=1.0)},
    "inverse": {"inverse": metric(0.7, chance=0.07)},
    "error": {"error": metric(0.4, null=0.9, identity=1.0)},
    "undo": {"undo": metric(0.4, null=0.9)},
    "dose": {"dose": metric(0.8), "dose.jitter.hue": metric(0.1)},
    "compose": {"compose.twice": metric(0.2), "compose.once": metric(0.1)},
    "planning": {"planning_relative.cem": metric(0.3, null=0.8), "planning_relative.bank": metric(0.5, null=0.8)},
    "probe": {"linear": metric(0.5, raw=0.4, colour=0.3, chance=0.1), "knn": metric(0.5, raw=0.4, colour=0.3, chance=0.1)},
    "attentive": {"attentive": metric(0.5, raw=0.4, colour=0.3, chance=0.1)},
    "factors": {f"factor.{name}": metric(0.8, raw=0.4) for name in "abc"},
    "equivariance": {"equivariance": metric(0.5, raw=0.1)},
}
BLIND = {
    "mrr": {"mrr": Metric.constant(0.07, 64).against(chance=Metric.constant(0.07, 64)), "h1": metric(1 / 64, chance=1 / 64)},
    "imagination": {"imagined": Metric.constant(1.3, 64).against(null=Metric.constant(1.3, 64))},
    "inverse": {"inverse": metric(0.03, 0.02, chance=0.07)},
    "error": {"error": Metric.constant(0.83, 64).against(null=Metric.constant(0.83, 64))},
    "undo": {"undo": metric(1.5, null=1.0)},
    "dose": {"dose": metric(-0.1)},
    "compose": {"compose.twice": metric(1.4), "compose.once": metric(1.2)},
    "planning": {"planning_relative.cem": metric(1.3, null=0.8)},
    "probe": {"linear": metric(0.2, raw=0.4, colour=0.3, chance=0.1)},
    "attentive": {"attentive": metric(0.2, raw=0.4, colour=0.3, chance=0.1)},
    "factors": {f"factor.{name}": metric(0.3, raw=0.4) for name in "abc"},
    "equivariance": {"equivariance": metric(0.05, raw=0.2)},
}


@pytest.mark.parametrize("evaluator", sorted(ANSWERS))
def test_a_good_model_is_told_from_a_blind_one(evaluator):
    for metrics, yes in ((GOOD, True), (BLIND, False)):
        answer = answer_and_better(evaluator, metrics[evaluator])["answer"]
        assert answer.yes is yes
        assert answer.question in QUESTIONS
        assert not answer.evidence[0].islower()
        assert answer.evidence.endswith(".")


def test_a_difference_that_is_certain_and_too_small_to_be_of_use_is_left_open():
    tiny = {"mrr": metric(0.095, 0.005, chance=0.07), "h1": metric(0.02, 0.001, chance=1 / 64)}
    assert above(tiny["mrr"], *tiny["mrr"].controls.values()) is True
    assert ANSWERS["mrr"](tiny).yes is None
    assert ANSWERS["error"]({"error": metric(0.93, 0.01, null=0.96)}).yes is None
    assert ANSWERS["error"]({"error": metric(0.83, 0.01, null=0.96)}).yes is True


def test_what_is_open_is_neither():
    wide = {"mrr": metric(0.08, 0.05, chance=0.07)}
    assert ANSWERS["mrr"](wide).yes is None
    half = {"factor.a": metric(0.8, raw=0.4), "factor.b": metric(0.4, raw=0.4), "factor.c": metric(0.4, raw=0.4)}
    assert of_factors(half).yes is None


@pytest.mark.parametrize(
    ("word", "yes"), [("healthy", True), ("watch", True), ("not available", None), ("collapse", False), ("partial collapse", False)]
)
def test_health_answers_as_its_verdict(word, yes):
    metrics = {"target_std": metric(0.8), "rankme.tokens": metric(19.0)}
    answer = of_health(word, "predictions hardly depend on the image", 32, metrics)
    assert (answer.question, answer.yes) == ("alive", yes)
    assert "few directions" not in answer.evidence, "19 of 32 are many"
    assert ("alive, though most" in of_health(word, "", 96, metrics).evidence) == (yes is True)
    assert ("but predictions hardly depend" in answer.evidence) == (word == "watch")


def test_the_better_direction_is_known_of_every_measure_that_has_one():
    assert answer_and_better("mrr", GOOD["mrr"])["better"] == {"mrr": "higher", "h1": "higher"}
    assert answer_and_better("planning", GOOD["planning"])["better"] == {"planning_relative": "lower"}
    assert set(BETTER.values()) == {"higher", "lower"}


def test_shares_are_said_as_people_say_them():
    assert [percent(share) for share in (0.648, 1 / 64, 0.0, 1.0, 0.095)] == ["65 %", "1.6 %", "0 %", "100 %", "9.5 %"]


def test_an_action_that_hardly_moves_the_tokens_is_named():
    parts = {"blur": metric(33.0, 1.0, null=32.0), "jitter": metric(0.06, null=0.98), "old": metric(40.0)}
    assert hardly_moved(parts).startswith("; blur hardly moves the tokens")
    assert hardly_moved({"jitter": parts["jitter"]}) == ""
