"""What every evaluator must keep to, and what this one finds in a world where the answer is known."""

import pytest

from iwm_devkit import check_evaluator
from iwm_devkit.known_model import KnownModel, blind
from iwm_devkit.scaffold.evaluator.example import Example


def test_contract() -> None:
    check_evaluator(Example())


def test_a_perfect_predictor_scores_one_and_told_nothing_less() -> None:
    cosine = check_evaluator(Example()).metrics["cosine"]
    assert cosine.value == pytest.approx(1)
    assert cosine.controls["null"].high < cosine.low


def test_a_predictor_that_ignores_the_action_is_no_better_than_its_control() -> None:
    cosine = check_evaluator(Example(), KnownModel(blind)).metrics["cosine"]
    assert cosine[:3] == cosine.controls["null"][:3]
