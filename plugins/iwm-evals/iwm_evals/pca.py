"""What patch tokens look like: their first three principal components as colours, true and predicted side by side.

Decisions:
- Tokens are the teacher's, normalised as in training, because predictions are made of these. All maps share one basis and one scale, those
  of the true tokens of the images shown, before and after their action: equal colours are equal tokens, in every row and column.
- The sign of a component is that of its largest weight, so a second run gives the same colours. The scale runs from the 1st to the 99th
  percentile of the true tokens. A component that is not there, or does not vary, is mid-grey: of tokens of less than three dimensions, or
  where one patch is the whole image and few images are shown. One patch is one colour.
- Patches are drawn as squares: a smooth picture would show a finer map than there is.
- The source is the clean image and the target the most changed of a few draws, that something is to be seen; where no action changes a
  target, or sources are made from targets, it is the other way round; without an action, the image predicts itself.
- Shares of variance are of many images, from the sums of groups of them, which also give the intervals: memory does not grow with images.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import (
    ActionParams,
    Chart,
    Evaluation,
    EvaluationData,
    Evaluator,
    Gallery,
    ImageBatch,
    Metric,
    NotApplicable,
    Row,
    Series,
    Track,
    Views,
    WorldModel,
    check_finite,
    option,
)
from iwm_evals.probes.ridge import Moments, moments, total
from iwm_evals.questions.views import draw_params, make_views
from iwm_evals.statistics.jackknife import GROUPS, interval_of

FIRST = (1, 3, 10)
POINTS = 100  # of the curve
CANDIDATES = 8  # draws, of which the most changed is shown
FLAT = 1e-10  # a variance this small beside the tokens' own size is rounding


class Basis(NamedTuple):
    """Colours of tokens: ``(token - mean) @ directions``, from ``low`` (0) to ``high`` (1)."""

    mean: Float[Tensor, "d"]
    directions: Float[Tensor, "d 3"]
    low: Float[Tensor, "3"]
    high: Float[Tensor, "3"]

    def colours(self, tokens: Float[Tensor, "*n d"]) -> Float[Tensor, "*n 3"]:
        """In [0, 1]."""
        span = self.high - self.low
        place = ((tokens.cpu().double() - self.mean) @ self.directions - self.low) / span.clamp(min=1e-300)
        return torch.where(span > 0, place.clamp(0, 1), 0.5).float()


ABOUT = (
    "share of the variance of patch tokens in their first components: near 1 for one, a collapse; near 1 for three, few directions hold "
    "most of it, and `health` says whether the others are alive"
)


@dataclass(kw_only=True)
class Pca(Evaluator):
    """PCA maps of patch tokens, true and predicted, and the share of variance that the first components hold."""

    name = "pca"

    images: int = option(256, "validation images that the shares of variance are of; all of them where there are fewer", low=3)
    rows: int = option(8, "images shown", low=1, high=12)
    chunk: int = option(64, "images encoded in one pass: bounds the memory", low=1)

    @torch.inference_mode()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: fewer than three validation images, or tokens that are all the same.
            ValueError: there are no validation images, or the model's latents are not finite.
        """
        count = self.asked(data, self.images, least=3)
        groups = self.gather(model, data, count, track)
        known = total(groups)
        if known.xx.trace() <= FLAT * known.n * known.x_mean.square().sum():
            raise NotApplicable("the teacher's tokens are all the same, so that they have no components")

        shares = cumulative(known)
        without = [cumulative(total(groups[:left_out] + groups[left_out + 1 :])) for left_out in range(len(groups))]
        images = known.n // (model.grid[0] * model.grid[1])
        metrics = {
            f"variance.{first}": interval_of(shares[first - 1], [each[first - 1] for each in without], images, 0, 1)
            for first in FIRST
            if first <= len(shares)
        }
        gallery = self.show(model, data)
        chart = draw_curve(shares, without, images)
        held = ", ".join(f"{100 * shares[first - 1]:.0f} % in {first}" for first in FIRST if first <= len(shares))
        return Evaluation(
            metrics,
            {"images": images, "width": len(shares), "seed": data.seed},
            about={"variance": ABOUT},
            summary=f"of the variance of patch tokens, {held} of {len(shares)} directions",
            charts=(chart,),
            galleries=(gallery,),
        )

    def gather(self, model: WorldModel, data: EvaluationData, count: int, track: Track) -> list[Moments]:
        """Sums over the tokens of groups of images."""
        groups: dict[int, Moments] = {}
        done = 0
        for batch in self.batches(data, count, self.chunk, track):
            tokens = model.targets(batch.images)
            check_finite(tokens)
            group = (done + torch.arange(len(tokens), device=tokens.device)) % GROUPS
            done += len(tokens)
            for number in group.unique().tolist():
                rows = tokens[group == number].flatten(0, 1)
                new = moments(rows, rows[:, :0])
                groups[number] = total([groups[number], new]) if number in groups else new
        return list(groups.values())

    def show(self, model: WorldModel, data: EvaluationData) -> Gallery:
        """A row for each of a few images."""
        batch = next(iter(data.batches("validation", self.rows, self.rows)))
        views = choose_views(model, batch, data.seed)
        before, after = model.targets(views.source), model.targets(views.target)
        predicted = model.predict(model.encode(views.source), views.action[:, None])[:, 0]
        check_finite(predicted)
        basis = fit_basis(torch.cat([before, after]).flatten(0, 1))
        maps = [as_images(basis.colours(tokens), model) for tokens in (before, after, predicted)]
        error, still = ((other - after).square().flatten(1).sum(1).tolist() for other in (predicted, before))
        names = [f"{name}.{label}" for name, label in zip(model.names, model.actions.labels, strict=True)]
        rows = []
        for i, action in enumerate(views.action.tolist()):
            verdict = f"{error[i] / still[i]:.2f} of the error of doing nothing" if still[i] > 0 else ""
            shown = (views.source[i], maps[0][i], views.target[i], maps[1][i], maps[2][i])
            rows.append(Row(shown, dict(zip(names, action, strict=True)), verdict))
        return Gallery(
            name="pca",
            title="Patch tokens as colours",
            subtitle="their first three principal components",
            headings=("source", "its tokens", "target", "its tokens", "predicted"),
            rows=tuple(rows),
            about="Equal colours are equal tokens. A good prediction (right) looks like the target's tokens, not like the source's.",
        )


def choose_views(model: WorldModel, batch: ImageBatch, seed: int) -> Views:
    """Clean images and the most changed of a few targets, or of a few sources where targets alone change nothing between the two."""
    rest = model.actions.identity.to(batch.images.device).expand(len(batch.images), -1)
    drawn = [draw_params(model, batch, seed, version, "pca/view") for version in range(CANDIDATES)]
    every = torch.arange(len(rest), device=rest.device)
    for pairs in ([ActionParams(rest, p.target) for p in drawn], [ActionParams(p.source, rest) for p in drawn]):
        sizes = torch.stack([make_views(model, batch, pair).action.norm(dim=1) for pair in pairs])
        best = ActionParams(*(torch.stack(list(side))[sizes.argmax(0), every] for side in zip(*pairs, strict=True)))
        if sizes.any():
            break
    return make_views(model, batch, best)


def fit_basis(tokens: Float[Tensor, "r d"]) -> Basis:
    """The first three components of tokens, and their scale."""
    of = moments(tokens, tokens[:, :0])
    values, vectors = (part.flip(-1) for part in torch.linalg.eigh(of.xx))
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    directions = F.pad((vectors * signs)[:, :3], (0, max(0, 3 - len(values))))
    place = (tokens.cpu().double() - of.x_mean) @ directions
    low, high = torch.quantile(place, torch.tensor([0.01, 0.99], dtype=torch.float64), dim=0)
    there = F.pad(values[:3], (0, max(0, 3 - len(values)))) > FLAT * (values[0] + of.n * of.x_mean.square().sum())
    return Basis(of.x_mean, directions, low, torch.where(there, high, low))


def as_images(colours: Float[Tensor, "b n 3"], model: WorldModel) -> Float[Tensor, "b 3 h w"]:
    """Each patch a square of its colour."""
    maps = colours.unflatten(1, model.grid).permute(0, 3, 1, 2)
    return F.interpolate(maps, size=(model.image_size, model.image_size), mode="nearest")


def cumulative(of: Moments) -> Float[Tensor, "d"]:
    """The share of variance that the first 1, 2, … components hold."""
    values = torch.linalg.eigvalsh(of.xx).flip(0).clamp(min=0)
    return values.cumsum(0) / values.sum()


def draw_curve(shares: Float[Tensor, "d"], without: list[Float[Tensor, "d"]], images: int) -> Chart:
    """The share of variance against the number of components."""
    shown = range(min(len(shares), POINTS))
    curve: list[Metric] = [interval_of(shares[place], [each[place] for each in without], images, 0, 1) for place in shown]
    values, low, high = (list(column) for column in zip(*(metric[:3] for metric in curve), strict=True))
    return Chart(
        name="variance",
        title="Variance of patch tokens in their first components",
        x="components",
        y="share of variance",
        kind="lines",
        series=(Series("patch tokens", [place + 1 for place in shown], values, low, high),),
        about="A curve that rises slowly is of tokens that use many directions; one that is at 1 within a few has collapsed into them.",
    )
