"""Dose response: as one parameter sweeps its range, does the prediction move as far as the truth?

Decisions:
- Each parameter that varies on targets is swept by itself, from the lowest to the highest value that is ever drawn, all others at the
  identity. A parameter of few values, such as a flip's, takes just these. The prediction starts from the clean image.
- How a dose is read from a prediction, and what equal versions of an image tell: `iwm_evals.scores.response`.
- `dose` is the mean over images of the slope of a line fitted to the dose read against the dose asked. 1: moves as far as the truth; 0:
  does not move.
- `dose_error` is squared, and relative to not moving: the sum of |prediction - truth|² over that of |clean - truth|². *null*: the null
  action. *shuffled*: told the dose of another version, the mean over all others. A slope has no such controls: with the null
  action it is 0 by arithmetic, told the others it is -dose / (versions - 1).
- A parameter that moves no latent of any image (a constant encoder, or one that the encoder is blind to) has nothing to be read from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import (
    Chart,
    Evaluation,
    EvaluationData,
    Evaluator,
    Metric,
    NotApplicable,
    Series,
    Track,
    WorldModel,
    check_finite,
    option,
)
from iwm_evals.plans import drawn_targets
from iwm_evals.questions.bank import looks_of
from iwm_evals.questions.parts import each_parameter
from iwm_evals.scores.response import STILL, Response, compare
from iwm_evals.statistics.metrics import answered, mean_metrics, ratio_metrics
from iwm_evals.words.answers import answer_and_better

IMAGES_AT_ONCE = 16  # loaded together; they are measured one by one
ABOUT = {
    "dose": "how far the prediction moves where the truth moves by 1, as one parameter sweeps its range: 1 is perfect, 0 does not move",
    "dose_error": "squared distance of prediction and truth over that of clean image and truth, over all doses: 0 is perfect, 1 is no "
    "better than not moving; a small movement is lost in the blur of a prediction, which null shows alone",
}


class Sweep(NamedTuple):
    """One parameter, the doses that it is given, ascending, and all parameters with each of them; on the CPU."""

    name: str
    doses: Float[Tensor, "k"]
    params: Float[Tensor, "k p"]


@dataclass(kw_only=True)
class Dose(Evaluator):
    """Dose response: each parameter swept by itself; the dose read from the prediction against the dose asked, and the error."""

    name = "dose"
    retired = ("resamples",)

    images: int = option(64, "validation images measured; all of them where there are fewer", low=1)
    doses: int = option(11, "values of each parameter, evenly over its range", low=3)
    chunk: int = option(64, "images encoded, or actions predicted, in one pass: bounds the memory", low=1)

    @torch.no_grad()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: no parameter varies on targets, or none moves the latents.
            ValueError: there are no validation images, or the model's latents are not finite.
        """
        sweeps = make_sweeps(model, data.seed, self.doses)
        if not sweeps:
            raise NotApplicable("no action of this recipe changes a target, so that there is no dose to vary")
        count = self.asked(data, self.images)

        found: list[list[Response]] = [self.respond(model, image, sweeps) for image in track(one_by_one(data, count), "dose", count)]
        responses = {
            sweep.name: Response(*(torch.stack(column) for column in zip(*rows, strict=True)))
            for sweep, rows in zip(sweeps, zip(*found, strict=True), strict=True)
        }
        check_finite(*(number for response in responses.values() for number in response))
        sweeps = [sweep for sweep in sweeps if responses[sweep.name].moved.sum() > STILL * responses[sweep.name].size.sum()]
        if not sweeps:
            raise NotApplicable("no parameter of this recipe's actions moves the latents of this model: has its encoder collapsed?")

        metrics = metrics_of(sweeps, responses)
        charts = [chart_sweep(sweep, responses[sweep.name]) for sweep in sweeps]
        settings = {
            "images": count,
            "doses": self.doses,
            "ranges": {sweep.name: [float(sweep.doses[0]), float(sweep.doses[-1])] for sweep in sweeps},
            "seed": data.seed,
        }
        return Evaluation(metrics, settings, ABOUT, in_one_sentence(metrics, sweeps), tuple(charts), **answer_and_better("dose", metrics))

    def respond(self, model: WorldModel, image: Float[Tensor, "1 3 h w"], sweeps: list[Sweep]) -> list[Response]:
        """One image's response to each parameter."""
        params = torch.cat([sweep.params for sweep in sweeps]).to(model.device)
        rest = model.actions.identity.to(params).expand_as(params)
        told = model.actions.encode(rest, params)
        told = torch.cat([told, torch.zeros_like(told[:1])])  # the last one is the null action
        images = (model.actions.apply_target(image.expand(len(part), -1, -1, -1), part) for part in params.split(self.chunk))
        seen = [(flat(model.targets(part)), looks_of(part).cpu()) for part in images]
        truths, looks = map(torch.cat, zip(*seen, strict=True))
        clean, start = model.encode(image), flat(model.targets(image))
        predicted = flat(torch.cat([model.predict(clean, part[None])[0] for part in told.split(self.chunk)]))
        sizes = [len(sweep.doses) for sweep in sweeps]
        asked = zip(sweeps, truths.split(sizes), looks.split(sizes), predicted[:-1].split(sizes), strict=True)
        return [compare(sweep.doses, truth, look, answers, predicted[-1:], start) for sweep, truth, look, answers in asked]


def make_sweeps(model: WorldModel, seed: int, doses: int) -> list[Sweep]:
    """A sweep of every parameter that varies on targets."""
    drawn = drawn_targets(model.actions, seed, model.device).cpu()
    sweeps = []
    for place, (part, column) in enumerate(zip(each_parameter(model.parts), drawn.unbind(1), strict=True)):
        values = column.unique()
        if len(values) > doses:
            values = torch.linspace(float(values[0]), float(values[-1]), doses)
        if len(values) > 1:
            params = model.actions.identity.repeat(len(values), 1)
            params[:, place] = values
            sweeps.append(Sweep(part.name, values.double(), params))
    return sweeps


def one_by_one(data: EvaluationData, count: int) -> Iterator[Float[Tensor, "1 3 h w"]]:
    """Validation images, each a batch of one."""
    for batch in data.batches("validation", count, IMAGES_AT_ONCE):
        yield from batch.images.split(1)


def flat(tokens: Float[Tensor, "c n d"]) -> Float[Tensor, "c f"]:
    """All numbers of an image's tokens, float64 on the CPU."""
    return tokens.flatten(1).cpu().double()


def metrics_of(sweeps: list[Sweep], responses: dict[str, Response]) -> dict[str, Metric]:
    """The slope and the error of all parameters together and of each, with controls."""
    names = ["", *(f".{sweep.name}" for sweep in sweeps)]
    slopes, answers = (torch.stack([getattr(responses[sweep.name], field) for sweep in sweeps], 1) for field in ("slope", "answers"))
    together = slopes.sum(1) / answers.sum(1)  # no number where an image has one version of all
    columns = [together[answers.any(1)], *(column[asked > 0] for column, asked in zip(slopes.T, answers.T, strict=True))]
    metrics = {f"dose{name}": mean_metrics(column[:, None])[0] for name, column in zip(names, columns, strict=True)}
    moved = with_sum([responses[sweep.name].moved for sweep in sweeps])
    columns = {"": "error", "shuffled": "error_shuffled", "null": "error_null"}
    errors = {
        control: ratio_metrics(with_sum([getattr(responses[sweep.name], column) for sweep in sweeps]), moved)
        for control, column in columns.items()
    }
    for place, name in enumerate(names):
        metrics[f"dose_error{name}"] = answered({control: found[place] for control, found in errors.items()})
    return metrics


def with_sum(columns: list[Float[Tensor, "m"]]) -> Float[Tensor, "m v"]:
    """The sum of all columns before them."""
    table = torch.stack(columns, 1)
    return torch.cat([table.sum(1, keepdim=True), table], 1)


def chart_sweep(sweep: Sweep, response: Response) -> Chart:
    """The dose read from predictions against the dose asked."""
    own = response.answers > 0
    doses, read = sweep.doses.tolist(), mean_metrics(response.read[own])
    truth = sweep.doses + (response.asked[own] - sweep.doses).mean(0)
    nothing = float(response.read_null[own].mean())
    return Chart(
        name=f"dose_{re.sub('[^a-z0-9]+', '_', sweep.name.lower())}",
        title=f"Dose response: {sweep.name}",
        x=f"{sweep.name} asked for, in its own units",
        y="read from the prediction",
        kind="lines",
        series=(
            Series("predicted", doses, [m.value for m in read], [m.low for m in read], [m.high for m in read]),
            Series("truth", doses, truth.tolist()),
            Series("null action", doses, [nothing] * len(doses)),
        ),
        about="Where the prediction lies on the path of the true latents as this parameter sweeps its range, the mean over images. A "
        "perfect model follows the truth; one that is blind to it stays level.",
    )


def in_one_sentence(metrics: dict[str, Metric], sweeps: list[Sweep]) -> str:
    """The numbers that matter, in one sentence."""
    dose, error, null = metrics["dose"], metrics["dose_error"].value, metrics["dose_error"].controls["null"].value
    text = f"predictions move by {dose.value:z.2f} ({dose.low:z.2f} to {dose.high:z.2f}) where the truth moves by 1"
    by_slope = sorted((metrics[f"dose.{sweep.name}"].value, sweep.name) for sweep in sweeps)
    text += f", least with {by_slope[0][1]} ({by_slope[0][0]:z.2f})" if len(sweeps) > 1 else ""
    return f"{text}; their squared error is {error:.2f} times that of not moving, {null:.2f} times with the null action"
