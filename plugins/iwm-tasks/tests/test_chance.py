"""Chance is what the tasks' own metrics say of answers that know nothing of an image."""

import pytest
import torch
from iwm_tasks.tasks.classify import Classify
from iwm_tasks.tasks.multilabel import Multilabel
from iwm_tasks.tasks.regress import Regress
from iwm_tasks.tasks.segment import Segment

RANDOM = torch.Generator().manual_seed(0)
IMAGES = 40


def same_for_all(answer):
    return answer.expand(IMAGES, *answer.shape)


def classes(count):
    """Classes, some of them commoner than others, and the shares of each."""
    target = (count * torch.rand(IMAGES, generator=RANDOM) ** 2).long()
    return target, torch.bincount(target, minlength=count) / IMAGES


def classify(count):
    target, shares = classes(count)
    return Classify(), target, {"": same_for_all(shares)}


def segment():
    target = (3 * torch.rand(IMAGES, 8, 8, generator=RANDOM) ** 2).to(torch.uint8)
    target[:3] = 255
    return Segment(), target, {"": same_for_all(torch.tensor([1.0, 0, 0, 0])[:, None, None].expand(4, 8, 8))}


def multilabel():
    target = torch.rand(IMAGES, 4, generator=RANDOM) < torch.tensor([0.1, 0.4, 0.9, 0.0])
    return Multilabel(), target, {"": same_for_all(torch.ones(4))}


def regress():
    target = torch.rand(IMAGES, 4, generator=RANDOM) ** 2
    answers = {"r2": same_for_all(target.mean(0)), "mae": same_for_all(target.median(0).values)}
    return Regress(of=["size", "depth"], turns=["hue"], low=[-1.0], high=[3.0]), target, answers


@pytest.mark.parametrize(
    "case", [classify(2), classify(4), classify(20), segment(), multilabel(), regress()], ids=lambda case: case[0].name
)
def test_chance_is_what_an_answer_that_knows_nothing_gets(case):
    task, target, answers = case
    rows = task.rows(torch.randn(next(iter(answers.values())).shape, generator=RANDOM), target)
    chance = task.chance(rows)
    assert task.main in chance
    assert chance.keys() <= task.metrics(rows).keys()
    for name, value in chance.items():
        answer = answers.get(name.partition(".")[0], answers.get(""))
        assert value == pytest.approx(task.metrics(task.rows(answer, target))[name], abs=1e-5), name
