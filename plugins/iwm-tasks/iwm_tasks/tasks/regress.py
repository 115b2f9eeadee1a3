"""``regress``: numbers and angles that are known of images.

Decisions:
- Which factors are numbers and which are turns is said in the recipe: a tuned model must tell what its outputs mean without the data.
- A number is learned on the scale where ``low`` is -1 and ``high`` is 1, so that all of them weigh alike in the loss, whatever their units;
  a turn as its cosine and sine, since 0 and 1 are one angle. The loss is the mean squared error of them all.
- Answers are in the data's units. Cosine and sine are answered as the angle, in turns, and its certainty: their vector's length, which is
  1 where the model is sure and 0 where it cannot tell any angle from another.
- ``r2`` is 1 less the squared error over that of the mean of the images measured, of a turn over cosine and sine together, as the
  ``factors`` evaluator has it; its mean is over the factors that vary. ``mae``, the mean absolute error, is in the data's units; of a turn
  it is measured round the circle.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import Images, option
from iwm_tasks.interfaces import Task
from iwm_tasks.tasks.known import find, read

FAR = 3.0  # on the scale where low is -1 and high is 1
SAME = 1e-6  # of the size of numbers: what float32 may make of equal ones


@dataclass(kw_only=True)
class Regress(Task):
    """Factors of images that are numbers or turns."""

    name = "regress"
    main = "r2"
    possible: ClassVar[dict[str, tuple[float, float]]] = {"r2": (-math.inf, 1), "mae": (0, math.inf)}

    of: list[str] = option([], "factors that are numbers")
    turns: list[str] = option([], "factors that are turns, such as a hue")
    low: list[float] = option([0.0], "about the lowest value of each of the numbers; one value is that of them all")
    high: list[float] = option([1.0], "about the highest, in the same way")

    def __post_init__(self) -> None:
        super().__post_init__()
        asked = [*self.of, *self.turns]
        if len(set(asked)) < len(asked):
            raise ValueError(f"regress names a factor twice: {', '.join(asked)}; name each once, in of or in turns")
        for field in ("low", "high"):
            if len(getattr(self, field)) not in (1, len(self.of)):
                raise ValueError(
                    f"regress.{field} has {len(getattr(self, field))} values for {len(self.of)} numbers; give one, or one for each"
                )
        if any(low >= high for low, high in zip(*self.ranges(), strict=True)):
            raise ValueError(f"regress.low={self.low} must lie below regress.high={self.high}")

    def ranges(self) -> tuple[list[float], list[float]]:
        """The low and the high of each number."""
        low, high = (values * len(self.of) if len(values) == 1 else values for values in (self.low, self.high))
        return low, high

    def outputs(self, images: Images) -> tuple[str, ...]:
        """The numbers, and for each turn the angle and its certainty; see `Task`."""
        known = {kind: [factor.name for factor in images.factors if factor.kind == kind] for kind in ("number", "turn")}
        if not self.of and not self.turns:
            if not any(known.values()):
                raise ValueError("this data knows no factors that are numbers; choose data that does, such as data=scenes")
            has = f"this data has of=[{','.join(known['number'])}] and turns=[{','.join(known['turn'])}]"
            raise ValueError(f"regress needs to know which factors to learn; {has}")
        for field, kind in (("of", "number"), ("turns", "turn")):
            for name in getattr(self, field):
                factor = find(images, name)
                if factor.kind != kind:
                    fix = {"number": "name it in of", "turn": "name it in turns", "class": "learn it with the task classify"}[factor.kind]
                    raise ValueError(f"regress.{field} names the factor {name}, which is a {factor.kind}; {fix}")
        return (*self.of, *(f"{name}{ending}" for name in self.turns for ending in ("", ".certainty")))

    def target(self, images: Images, index: int) -> Float[Tensor, "o"]:
        """The numbers of one image on their scale, and the cosines and sines of its turns; see `Task`."""
        values = read(images, index, [find(images, name) for name in (*self.of, *self.turns)])
        scaled = []
        for name, value, low, high in zip(self.of, values, *self.ranges(), strict=False):
            scaled.append(2 * (value - low) / (high - low) - 1)
            if abs(scaled[-1]) > FAR:
                far = f"its factor {name} is {value:g}, far from the range {low:g} to {high:g}"
                raise ValueError(f"{images.describe(index)}: {far}; set regress.low and regress.high")
        angles = 2 * math.pi * torch.tensor(values[len(self.of) :], dtype=torch.float64)
        return torch.cat([torch.tensor(scaled), torch.stack([angles.cos(), angles.sin()], 1).flatten().float()])

    def loss(self, output: Float[Tensor, "b o"], target: Float[Tensor, "b o"]) -> Float[Tensor, ""]:
        """Mean squared error; see `Task`."""
        return F.mse_loss(output, target)

    def rows(self, output: Float[Tensor, "b o"], target: Float[Tensor, "b o"]) -> Float[Tensor, "b v"]:
        """What is answered, then the right answer."""
        return torch.cat([self.answer(output), self.answer(target)], 1)

    def metrics(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """``r2``, then ``r2.NAME`` and ``mae.NAME`` for each factor; an R² is NaN where its factor does not vary."""
        from torchmetrics.functional.regression import mean_absolute_error  # takes a second

        said, truth = rows.double().chunk(2, 1)
        numbers = len(self.of)
        scores = [score(said[:, c : c + 1], truth[:, c : c + 1]) for c in range(numbers)]
        scores += [score(vectors(said[:, c : c + 2]), vectors(truth[:, c : c + 2])) for c in range(numbers, said.shape[1], 2)]
        errors = said - truth
        shorter_way = (errors[:, numbers::2] + 0.5) % 1 - 0.5
        errors = torch.cat([errors[:, :numbers], shorter_way], 1)
        lost = mean_absolute_error(errors, torch.zeros_like(errors), num_outputs=errors.shape[1]).reshape(-1).tolist()
        found = {"r2": float(torch.tensor(scores, dtype=torch.float64).nanmean())}
        for name, r2, mae in zip((*self.of, *self.turns), scores, lost, strict=True):
            found |= {f"r2.{name}": r2, f"mae.{name}": mae}
        return found

    def chance(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """Of one answer for all images: the mean for ``r2``, for ``mae`` of a number the median."""
        truth = rows.double().chunk(2, 1)[1][:, : len(self.of)]
        lost = (truth - truth.median(0).values).abs().mean(0).tolist()
        found = {f"mae.{name}": mae for name, mae in zip(self.of, lost, strict=True)}
        return {"r2": 0.0} | {f"r2.{name}": 0.0 for name in (*self.of, *self.turns)} | found

    def answer(self, output: Float[Tensor, "b o"]) -> Float[Tensor, "b o"]:
        """Numbers in the data's units; angles in turns, each with its certainty."""
        low, high = (torch.tensor(values, dtype=output.dtype, device=output.device) for values in self.ranges())
        numbers, pairs = output[:, : len(self.of)], output[:, len(self.of) :]
        cosine, sine = pairs[:, ::2], pairs[:, 1::2]
        turns = torch.atan2(sine, cosine) / (2 * math.pi) % 1
        return torch.cat([low + (numbers + 1) / 2 * (high - low), torch.stack([turns, torch.hypot(cosine, sine)], 2).flatten(1)], 1)


def vectors(answer: Float[Tensor, "m 2"]) -> Float[Tensor, "m 2"]:
    """Cosine and sine, times the certainty, of an angle in turns and its certainty."""
    angle, certainty = (2 * math.pi * answer[:, 0]), answer[:, 1]
    return torch.stack([angle.cos() * certainty, angle.sin() * certainty], 1)


def score(said: Float[Tensor, "m c"], truth: Float[Tensor, "m c"]) -> float:
    """R² of all columns together; NaN where the truth does not vary."""
    from torchmetrics.functional.regression import r2_score  # takes a second

    middle = truth.mean(0)
    spread = (truth - middle).square().mean().sqrt()
    if spread <= SAME * truth.abs().max():
        return math.nan
    # On a scale where the truth has mean 0 and variance 1: torchmetrics takes small sums of squares for 0.
    return float(r2_score(((said - middle) / spread).flatten(), ((truth - middle) / spread).flatten()))
