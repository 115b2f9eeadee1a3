"""Dose response: as one parameter sweeps its range, does the prediction move as far as the truth?

Decisions:
- Each parameter that varies on targets is swept by itself, from the lowest to the highest value that is ever drawn, all others at the
  identity. A parameter of few values, such as a flip's, takes just these. The prediction starts from the clean image.
- The dose is read from a prediction as the place on the *true trajectory*, the latents of the doses joined by straight lines, that lies
  nearest to it. The nearest dose alone would round every reading to a grid; a projection on one straight line from end to end would read
  a curved trajectory wrongly even from a perfect prediction. What a prediction has beside the trajectory, such as the blur of one that is
  unsure, is at right angles to it and moves no reading. A prediction beyond the last dose reads as the last dose.
- `dose` is the slope of a line fitted to the dose read against the dose asked. Every image is asked the same doses, so it is the mean of
  the images' slopes. 1: moves as far as the truth; 0: does not move.
- `dose_error` is squared, and relative to not moving: the sum of |prediction - truth|² over that of |clean - truth|². *null*: told nothing.
  *shuffled*: told another dose, the mean over all others. A slope has no such controls: told nothing it is 0 by arithmetic, told
  the other doses it is -dose / (doses - 1).
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
from iwm_core.model.planning import drawn_targets
from iwm_evals.questions.parts import each_parameter
from iwm_evals.statistics.measured import answered, mean_metrics, ratio_metrics

IMAGES_AT_ONCE = 16  # loaded together; they are measured one by one
STILL = 1e-10  # of the square of the latents: a movement that is rounding
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


class Response(NamedTuple):
    """What one image answered to one sweep; float64 on the CPU."""

    read: Float[Tensor, "k"]
    read_null: Float[Tensor, ""]
    error: Float[Tensor, ""]
    error_shuffled: Float[Tensor, ""]
    error_null: Float[Tensor, ""]
    moved: Float[Tensor, ""]
    size: Float[Tensor, ""]


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

        metrics = summarise(sweeps, responses)
        charts = [chart_sweep(sweep, responses[sweep.name]) for sweep in sweeps]
        settings = {
            "images": len(responses[sweeps[0].name].moved),
            "doses": self.doses,
            "ranges": {sweep.name: [float(sweep.doses[0]), float(sweep.doses[-1])] for sweep in sweeps},
            "seed": data.seed,
        }
        return Evaluation(metrics, settings, ABOUT, sum_up(metrics, sweeps), tuple(charts))

    def respond(self, model: WorldModel, image: Float[Tensor, "1 3 h w"], sweeps: list[Sweep]) -> list[Response]:
        """One image's response to each parameter."""
        params = torch.cat([sweep.params for sweep in sweeps]).to(model.device)
        rest = model.actions.identity.to(params).expand_as(params)
        told = model.actions.encode(rest, params)
        told = torch.cat([told, torch.zeros_like(told[:1])])  # the last one is told nothing
        images = (model.actions.apply_target(image.expand(len(part), -1, -1, -1), part) for part in params.split(self.chunk))
        truths = flat(torch.cat([model.targets(part) for part in images]))
        clean, start = model.encode(image), flat(model.targets(image))
        predicted = flat(torch.cat([model.predict(clean, part[None])[0] for part in told.split(self.chunk)]))
        sizes = [len(sweep.doses) for sweep in sweeps]
        asked = zip(sweeps, truths.split(sizes), predicted[:-1].split(sizes), strict=True)
        return [compare(sweep.doses, truth, answers, predicted[-1:], start) for sweep, truth, answers in asked]


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


def compare(
    doses: Float[Tensor, "k"],
    truth: Float[Tensor, "k f"],
    predicted: Float[Tensor, "k f"],
    null: Float[Tensor, "1 f"],
    start: Float[Tensor, "1 f"],
) -> Response:
    """What predictions of each dose, and of none, say beside the truth."""
    others = torch.stack([squares(predicted.roll(shift, 0) - truth) for shift in range(1, len(truth))])
    read = read_doses(torch.cat([predicted, null]), truth, doses)
    return Response(
        read[:-1],
        read[-1],
        squares(predicted - truth),
        others.mean(),
        squares(null - truth),
        squares(start - truth),
        squares(truth),
    )


def one_by_one(data: EvaluationData, count: int) -> Iterator[Float[Tensor, "1 3 h w"]]:
    """Validation images, each a batch of one."""
    for batch in data.batches("validation", count, IMAGES_AT_ONCE):
        yield from batch.images.split(1)


def flat(tokens: Float[Tensor, "c n d"]) -> Float[Tensor, "c f"]:
    """All numbers of an image's tokens, float64 on the CPU."""
    return tokens.flatten(1).cpu().double()


def squares(differences: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """The sum of squares."""
    return differences.square().sum()


def read_doses(points: Float[Tensor, "q f"], trajectory: Float[Tensor, "k f"], doses: Float[Tensor, "k"]) -> Float[Tensor, "q"]:
    """The dose at the place of the trajectory, straight from one dose's latents to the next's, that is nearest to each point."""
    start, step, gaps = trajectory[:-1], trajectory.diff(dim=0), doses.diff()
    length = step.square().sum(1).clamp_min(torch.finfo(step.dtype).tiny)
    readings = []
    for point in points:
        share = (((point - start) * step).sum(1) / length).clamp(0, 1)
        nearest = (point - start - share[:, None] * step).square().sum(1).argmin()
        readings.append(doses[nearest] + share[nearest] * gaps[nearest])
    return torch.stack(readings)


def slopes_of(read: Float[Tensor, "m k"], doses: Float[Tensor, "k"]) -> Float[Tensor, "m"]:
    """The slope of each image's doses read against the doses asked, by least squares."""
    asked = doses - doses.mean()
    return ((read - read[:, :1]) @ asked) / asked.square().sum()  # of differences, so that equal readings give 0, not rounding


def summarise(sweeps: list[Sweep], responses: dict[str, Response]) -> dict[str, Metric]:
    """The slope and the error of all parameters together and of each, with controls."""
    names = ["", *(f".{sweep.name}" for sweep in sweeps)]
    own = [slopes_of(responses[sweep.name].read, sweep.doses) for sweep in sweeps]
    slopes = mean_metrics(torch.stack([torch.stack(own).mean(0), *own], 1))
    metrics = {f"dose{name}": metric for name, metric in zip(names, slopes, strict=True)}
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
    doses, read = sweep.doses.tolist(), mean_metrics(response.read)
    nothing = float(response.read_null.mean())
    return Chart(
        name=f"dose_{re.sub('[^a-z0-9]+', '_', sweep.name.lower())}",
        title=f"Dose response: {sweep.name}",
        x=f"{sweep.name} asked for, in its own units",
        y="read from the prediction",
        kind="lines",
        series=(
            Series("predicted", doses, [m.value for m in read], [m.low for m in read], [m.high for m in read]),
            Series("truth", doses, list(doses)),
            Series("told nothing", doses, [nothing] * len(doses)),
        ),
        about="Where the prediction lies on the path of the true latents as this parameter sweeps its range, the mean over images. A "
        "perfect model follows the truth; one that is blind to it stays level.",
    )


def sum_up(metrics: dict[str, Metric], sweeps: list[Sweep]) -> str:
    """The numbers that matter, in one sentence."""
    dose, error, null = metrics["dose"], metrics["dose_error"].value, metrics["dose_error"].controls["null"].value
    text = f"predictions move by {dose.value:z.2f} ({dose.low:z.2f} to {dose.high:z.2f}) where the truth moves by 1"
    by_slope = sorted((metrics[f"dose.{sweep.name}"].value, sweep.name) for sweep in sweeps)
    text += f", least with {by_slope[0][1]} ({by_slope[0][0]:z.2f})" if len(sweeps) > 1 else ""
    return f"{text}; they have {error:.2f} of the squared error of not moving, {null:.2f} when told nothing"
