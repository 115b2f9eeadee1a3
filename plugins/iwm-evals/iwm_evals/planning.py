"""Action inference: what happened between two images, asked of the world model by searching through it.

Decisions:
- The goal is a target made from a clean validation image with parameters drawn as in training. Each search gets both images, and its
  answer is compared number by number with the encoded action that made the goal.
- *chance* is the mean error of all candidates: what an independent draw from the same distribution gets; of an observed action, that of
  all measured pairs' actions. *null* is the error of zeros. It
  is below chance: the middle of a distribution lies nearer to all of it than one of its draws does.
- Over all numbers: the sum of their errors over that of chance. 0 is perfect and 1 is chance.
- The searches share one bank of candidates, which is predicted once.
- Numbers that are the same for all targets (flags of destructive operations) are left out: there is nothing to find.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core import installed
from iwm_core.interfaces import (
    ActionParams,
    Draws,
    Evaluation,
    EvaluationData,
    Evaluator,
    ImageBatch,
    Metric,
    NotApplicable,
    Row,
    Track,
    UserError,
    WorldModel,
    option,
)
from iwm_evals.plans import CEM, GradientSearch, Problem, Search, drawn_candidates, find
from iwm_evals.questions.views import draw_params, make_views
from iwm_evals.statistics.metrics import mean_metrics, ratio_metrics
from iwm_evals.words.answers import answer_and_better
from iwm_evals.words.planning import ABOUT, chart_answers, chart_errors, in_one_sentence, show_plans

IMAGES_AT_ONCE = 8
ROWS = 8
TOLD = "cem"  # whose answers are told first and shown, as `plan` searches by default: the best on these images would look better than it is


class Answers(NamedTuple):
    """What was done to each image, what each search answered, and chance's error; ``v`` are the numbers that vary on targets."""

    true: Float[Tensor, "b v"]
    found: Float[Tensor, "b s v"]
    chance: Float[Tensor, "b v"]
    params: Float[Tensor, "b s p"]


@dataclass(kw_only=True)
class Planning(Evaluator):
    """The action between two images, found by searching through the predictor; the error of each number against chance and zeros."""

    name = "planning"
    retired = ("resamples",)

    images: int = option(64, "validation images measured; all of them where there are fewer", low=1)
    searches: list[str] = option(["cem", "gradient", "bank"], "how actions are searched for, as `iwm components search` lists")
    candidates: int = option(128, "drawn from the recipe's targets for each image; every search begins with them", low=2)
    rounds: int = option(4, "cem: times that answers are drawn around the nearest", low=1)
    samples: int = option(32, "cem: answers drawn in a round", low=1)
    starts: int = option(2, "gradient: nearest candidates to start from", low=1)
    steps: int = option(15, "gradient: steps from each start, each as dear as three predictions", low=1)
    chunk: int = option(64, "actions predicted in one pass: bounds the memory", low=IMAGES_AT_ONCE)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.chosen()

    @torch.no_grad()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: the recipe has no action or none that changes a target.
            ValueError: no search is named, there are no validation images, or the model's latents are not finite.
        """
        places = varying(model, data.seed)
        if not len(places):
            raise NotApplicable("no action of this recipe changes a target, so that there is none to find")
        count = self.asked(data, self.images)
        searches = self.chosen()
        if not searches:
            raise ValueError("planning.searches is empty; name some of those that `iwm components search` lists")

        shown = set(Draws(data.seed, 0, torch.zeros(1, dtype=torch.int64), "planning/rows").permutation(count)[0, :ROWS].tolist())
        pieces: list[Answers] = []
        pairs, seen = [], 0
        for batch in self.batches(data, count, IMAGES_AT_ONCE, track):
            goal, true = make_goals(model, batch, data.seed)
            problem = Problem(model, batch.images, goal, batch.index, data.seed, self.candidates, self.chunk)
            pieces.append(answer(problem, list(searches.values()), true, places))
            pairs += [(seen + i, batch.images[i], goal[i]) for i in range(len(goal)) if seen + i in shown]
            seen += len(goal)
        answers = Answers(*(torch.cat(column) for column in zip(*pieces, strict=True)))
        shown_by_data = torch.tensor([model.parts[model.names[place]].observed for place in places.tolist()])
        answers = answers._replace(chance=torch.where(shown_by_data, apart(answers.true), answers.chance))

        names = [f"{model.names[place]}.{model.actions.labels[place]}" for place in places.tolist()]
        metrics = metrics_of(answers, list(searches), names)
        told = TOLD if TOLD in searches else next(iter(searches))
        column = list(searches).index(told)
        rows = [make_row(model, source, goal, answers, place, column, names) for place, source, goal in pairs]
        fields = ("candidates", "rounds", "samples", "starts", "steps")
        return Evaluation(
            metrics,
            {
                "images": seen,
                "searches": list(searches),
                **{name: getattr(self, name) for name in fields},
                "shown": told,
                "seed": data.seed,
            },
            ABOUT,
            in_one_sentence(metrics, list(searches), told, names),
            (
                chart_errors(relative_errors(answers), list(searches), names),
                chart_answers(answers.true, answers.found[:, column], told, names),
            ),
            (show_plans(metrics, told, rows),),
            **answer_and_better("planning", metrics),
        )

    def chosen(self) -> dict[str, Search]:
        """The searches by name, in the order of the field, each once: ours by this evaluator's options, others by their own.

        Raises:
            ValueError: no installed plugin gives one.
        """
        ours = {"cem": CEM(rounds=self.rounds, samples=self.samples), "gradient": GradientSearch(starts=self.starts, steps=self.steps)}
        try:
            return {name: ours[name] if name in ours else installed("search", name)() for name in self.searches}
        except UserError as error:
            raise ValueError(f"planning.searches: {error}") from error


def varying(model: WorldModel, seed: int) -> Int[Tensor, "v"]:
    """Places of the encoded numbers that are not the same for all targets, on the CPU."""
    drawn = drawn_candidates(model.actions, seed, model.device)
    told = model.actions.encode(model.actions.identity.to(drawn).expand_as(drawn), drawn).cpu()
    return (told != told[:1]).any(0).nonzero()[:, 0]


def make_goals(model: WorldModel, batch: ImageBatch, seed: int) -> tuple[Float[Tensor, "b 3 h2 w2"], Float[Tensor, "b a"]]:
    """A target of each image, and the encoded action that leads to it."""
    target = draw_params(model, batch, seed, 0, "planning/goal").target
    views = make_views(model, batch, ActionParams(model.actions.identity.to(target).expand_as(target), target))
    return views.target, views.action


def answer(problem: Problem, searches: list[Search], true: Float[Tensor, "b a"], places: Int[Tensor, "v"]) -> Answers:
    """What each search finds for a batch; float64 on the CPU."""
    plans = [find(problem, search) for search in searches]
    candidates = problem.encode(problem.candidates).cpu().double()[:, :, places]
    wanted = true.cpu().double()[:, places]
    found = torch.stack([plan.action for plan in plans], 1).cpu().double()[:, :, places]
    chance = (candidates - wanted[:, None]).abs().mean(1)
    return Answers(wanted, found, chance, torch.stack([plan.params for plan in plans], 1).cpu())


def apart(true: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
    """How far each action lies from all others on average, number by number: from the middle of its range, where it is the only one."""
    others = len(true) - 1
    return (true[:, None] - true).abs().sum(1) / others if others else 0.5 * torch.ones_like(true)


def errors_of(answers: Answers) -> Float[Tensor, "b s v"]:
    """The errors of each search, then of zeros."""
    zeros = torch.zeros_like(answers.true)[:, None]
    return (torch.cat([answers.found, zeros], 1) - answers.true[:, None]).abs()


def metrics_of(answers: Answers, searches: list[str], names: list[str]) -> dict[str, Metric]:
    """The errors over all numbers in units of chance's, then those of each number by itself, each with its controls."""
    errors, metrics = errors_of(answers), {}
    *relative, null = ratio_metrics(errors.sum(2), answers.chance.sum(1, keepdim=True).expand(-1, errors.shape[1]))
    for search, metric in zip(searches, relative, strict=True):
        metrics[f"planning_relative.{search}"] = metric.against(null=null)
    table = torch.cat([errors, answers.chance[:, None]], 1)
    by_answer = [mean_metrics(column, least=0.0) for column in table.unbind(1)]
    for search, found in zip(searches, by_answer, strict=False):
        for name, error, chance, nothing in zip(names, found, by_answer[-1], by_answer[-2], strict=True):
            metrics[f"planning.{search}.{name}"] = error.against(chance=chance, null=nothing)
    return metrics


def relative_errors(answers: Answers) -> list[list[Metric]]:
    """Each number's error over chance's, of each search and then of zeros."""
    return [ratio_metrics(column, answers.chance) for column in errors_of(answers).unbind(1)]


def make_row(model: WorldModel, source: Tensor, goal: Tensor, answers: Answers, place: int, column: int, names: list[str]) -> Row:
    """A row of the gallery: what a search found for one image, and what that makes of its source; an observed action makes nothing."""
    params = answers.params[place, column].to(model.device)
    made = () if model.actions.observed else (model.actions.apply_target(source[None], params[None])[0],)
    found, true = answers.found[place, column], answers.true[place]
    off, chance = float((found - true).abs().mean()), float(answers.chance[place].mean())
    return Row(
        (source, goal, *made), dict(zip(names, found.tolist(), strict=True)), f"off by {off:.2f}, chance by {chance:.2f}", off < chance / 2
    )
