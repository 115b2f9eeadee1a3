"""Schedules at points where their value is known; durations in steps and epochs."""

import itertools
import math

import pytest

from iwm_core.recipe.config import LearningRate, Ramp, Train, steps_of
from iwm_core.training.schedules import Durations, learning_rate, momentum, weight_decay

LR = LearningRate(start=2e-4, peak=1e-3, end=1e-6)


def test_learning_rate_at_known_points():
    rate = [learning_rate(LR, step, 101, 20) for step in range(101)]
    assert rate[0] == pytest.approx(2e-4)
    assert rate[10] == pytest.approx((2e-4 + 1e-3) / 2)
    assert rate[20] == pytest.approx(1e-3)
    assert rate[60] == pytest.approx((1e-3 + 1e-6) / 2)
    assert rate[40] == pytest.approx(1e-6 + (1e-3 - 1e-6) * (1 + math.sqrt(0.5)) / 2)
    assert rate[100] == pytest.approx(1e-6)


@pytest.mark.parametrize(("steps", "warmup"), [(101, 20), (30, 0), (30, 1), (5, 4), (1000, 999)])
def test_learning_rate_rises_then_falls_without_jumps(steps, warmup):
    rate = [learning_rate(LR, step, steps, warmup) for step in range(steps)]
    assert rate[: warmup + 1] == sorted(rate[: warmup + 1])
    assert rate[warmup:] == sorted(rate[warmup:], reverse=True)
    assert max(rate) == pytest.approx(LR.peak)
    up = (LR.peak - LR.start) / max(warmup, 1)
    down = (LR.peak - LR.end) * math.pi / 2 / max(steps - 1 - warmup, 1)
    assert all(-down * 1.001 <= b - a <= up * 1.001 for a, b in itertools.pairwise(rate))


def test_weight_decay_is_half_a_cosine():
    ramp = Ramp(start=0.04, end=0.4)
    values = [weight_decay(ramp, step, 101) for step in range(101)]
    assert values[0] == pytest.approx(0.04)
    assert values[50] == pytest.approx(0.22)
    assert values[25] == pytest.approx(0.04 + 0.36 * (1 - math.sqrt(0.5)) / 2)
    assert values[100] == pytest.approx(0.4)
    assert values == sorted(values)


def test_momentum_is_linear():
    values = [momentum(Ramp(start=0.996, end=1.0), step, 101) for step in range(101)]
    assert [values[0], values[25], values[50], values[100]] == pytest.approx([0.996, 0.997, 0.998, 1.0])
    assert max(values) <= 1


@pytest.mark.parametrize("schedule", [weight_decay, momentum])
def test_ramps_may_fall_or_stay(schedule):
    falling = [schedule(Ramp(start=0.5, end=0.1), step, 11) for step in range(11)]
    assert falling == sorted(falling, reverse=True)
    assert [falling[0], falling[-1]] == pytest.approx([0.5, 0.1])
    assert {schedule(Ramp(start=0.3, end=0.3), step, 11) for step in range(11)} == {0.3}


def test_a_run_of_one_step_takes_the_beginning():
    assert learning_rate(LR, 0, 1, 0) == LR.peak
    assert learning_rate(LR, 0, 1, 5) == LR.start
    assert weight_decay(Ramp(start=0.04, end=0.4), 0, 1) == pytest.approx(0.04)
    assert momentum(Ramp(start=0.9, end=1.0), 0, 1) == 0.9


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("500", 500), ("0", 0), (" 12 steps ", 12), ("1 step", 1), ("15 epochs", 150), ("1 epoch", 10), ("2ep", 20), ("0.5 epochs", 5),
        ("1.26 epochs", 13), ("0.001 epochs", 1), ("0 epochs", 0),
    ],
)  # fmt: skip
def test_durations(text, steps):
    assert steps_of(text, 10, "train.lr.warmup") == steps


@pytest.mark.parametrize("text", ["", "soon", "-3", "1.5", "2.5 steps", "10 days", "epochs", "1 2", "1e3"])
def test_durations_that_mean_nothing(text):
    with pytest.raises(ValueError, match=r'train.lr.warmup is a duration, such as 500 \(steps\) or "15 epochs"'):
        steps_of(text, 10, "train.lr.warmup")


@pytest.mark.parametrize("text", ["0", "0 epochs"])
def test_durations_that_are_too_short(text):
    with pytest.raises(ValueError, match="train.log_every must be at least 1 step"):
        steps_of(text, 10, "train.log_every", at_least=1)
    with pytest.raises(ValueError, match="log_every must be at least 1 step"):
        Train(steps=5, log_every=text)


def test_a_plan_counts_epochs_in_the_datas_steps():
    settings = Train(epochs=2.5, checkpoint_every="0.5 epochs", log_every="3", lr=LearningRate(warmup="1 epoch"))
    assert Durations.of(settings, 40) == Durations(steps=100, warmup=40, checkpoint_every=20, log_every=3)
    assert Durations.of(Train(steps=7), 40) == Durations(steps=7, warmup=0, checkpoint_every=40, log_every=50)
    assert Durations.of(Train(epochs=1e-5), 40).steps == 1
