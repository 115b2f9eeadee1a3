"""Is the representation alive: ranks, spreads, and a verdict in words.

Decisions:
- The verdict and its limits are those of training (`iwm_evals.scores.health.judge`), as are target std and rank: what that warns of, this
  confirms.
- Everything is over validation images. Target std and the rank of tokens are taken on normalised tokens of *target* views and the
  prediction std on predictions of these from their source views with their actions, as in training, but from all patches to all patches.
- RankMe (Garrido et al. 2023) and uniformity are of mean-pooled teacher tokens of the images themselves: what a user gets.
- A rank of few images says how few they are: one Gaussian of width 768, of rank 608, reads 110, 207, 528, 600 for 128, 256, 1,024, 8,192
  images. RankMe is asked of more images than all else, by default `ENOUGH` for each dimension; where the data has fewer, it is marked.
- Student and teacher are compared by squared distance in units of the teacher's variance: unlike a cosine, it says how much of what tells
  images apart is at stake, and tokens that share a large mean do not look alike.
- LiDAR needs views that training calls the same: targets; where no action changes a target, sources; without any action it is left out.
  The verdict does not use it: where views hardly differ, a few directions that no view moves outweigh all others, in a healthy model too.
- At most `TOKENS` tokens are kept, at the same positions of every image, so memory grows with ``images`` times width alone.
- Intervals by `jackknife`: none of these numbers is a mean over images.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import (
    Chart,
    Draws,
    Evaluation,
    EvaluationData,
    Evaluator,
    ImageBatch,
    Metric,
    Series,
    Track,
    WorldModel,
    check_finite,
    option,
)
from iwm_evals.questions.views import draw_views
from iwm_evals.scores.health import ENOUGH, ROWS, bounded, effective_rank, judge, singular_values, target_std
from iwm_evals.scores.spread import lidar, relative_distance, uniformity
from iwm_evals.statistics.jackknife import jackknife
from iwm_evals.words.answers import better_of, of_health

TOKENS = 16384  # kept of all images together, at least one of each
POINTS = 100  # of a curve
FLOOR = 1e-4  # smaller singular values are drawn as this
ABOUT = {
    "rankme": "how many directions hold the variance of the teacher's features (tokens: of single patches); higher is richer, 1 is a "
    "collapse; it is limited by the number of images: with fewer than four for each dimension, compare it only at the same number",
    "lidar": "how many directions tell images apart whatever the action, each weighed against how far actions move it, so that small ones "
    "count too; higher is better",
    "target_std": "how much the teacher's tokens differ between images; 0 is a collapse, 1 is all about the image",
    "prediction_std": "how much predictions differ between images; far below target_std, they ignore the image",
    "uniformity": "how evenly features fill the sphere; 0 is a collapse, about -4 is even",
    "teacher_distance": "squared distance of student from teacher, in units of the teacher's variance; 0 is agreement, 1 is far",
}


@dataclass(kw_only=True)
class Health(Evaluator):
    """RankMe, LiDAR, target and prediction std, uniformity, teacher-student distance, and what they say: healthy, or how collapsed."""

    name = "health"

    images: int = option(256, "validation images measured; all of them where there are fewer", low=3)
    rank_images: int = option(0, "validation images for RankMe, if more; 0: four for each dimension of the features", low=0)
    views: int = option(8, "views of each image for LiDAR; 0 leaves it out", low=0)
    chunk: int = option(64, "images encoded in one pass: bounds the memory", low=1)

    @torch.inference_mode()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: fewer than three validation images, which cannot be compared.
            ValueError: there are no validation images, or the model's latents are not finite.
        """
        count = self.asked(data, self.images, least=3)
        patches = model.grid[0] * model.grid[1]
        order = Draws(data.seed, 0, torch.zeros(1, dtype=torch.int64), "health/positions").permutation(patches)[0]
        positions = order[: max(1, TOKENS // count)].to(model.device)
        made = [action for action in model.parts.values() if not action.observed]  # of a pair, there are no more views
        views = self.views if self.views > 1 and made else 0

        batches = self.batches(data, count, self.chunk, track)
        kept = zip(*(self.measure_batch(model, batch, data.seed, positions, views) for batch in batches), strict=True)
        pooled, targets, predictions, pairs, versions = (torch.cat(parts) for parts in kept)
        check_finite(pooled, targets, predictions, pairs, versions)

        ranked = self.ranked(model, data, pooled, track)
        few = targets[:, : max(1, ROWS // len(targets))]
        width = min(few.shape[-1], few.shape[0] * few.shape[1])
        rank_of = partial(jackknife, least=1)
        metrics = {
            "rankme": rank_of(effective_rank, ranked, most=min(ranked.shape)),
            "rankme.tokens": rank_of(lambda tokens: effective_rank(tokens.flatten(0, 1)), few, most=width),
        }
        if views:
            metrics["lidar"] = rank_of(lidar, versions, most=min(len(versions) - 1, versions.shape[-1]))
        metrics["target_std"] = jackknife(target_std, targets, least=0)
        metrics["prediction_std"] = jackknife(target_std, predictions, least=0)
        metrics["uniformity"] = jackknife(uniformity, pooled, least=-8, most=0)
        metrics["teacher_distance"] = jackknife(relative_distance, pairs, least=0)
        settings = {"images": len(pooled), "rank_images": len(ranked), "views": views, "positions": len(positions), "seed": data.seed}
        return self.conclude(
            metrics, width, settings, bounded(*ranked.shape), draw_spectrum({"images": pooled, "patches": few.flatten(0, 1)})
        )

    def ranked(self, model: WorldModel, data: EvaluationData, pooled: Float[Tensor, "m d"], track: Track) -> Float[Tensor, "r d"]:
        """Pooled teacher tokens of the images that RankMe is asked of."""
        count = min(self.rank_images or ENOUGH * pooled.shape[1], data.count("validation"))
        if count <= len(pooled):
            return pooled
        batches = self.batches(data, count, self.chunk, track, doing="RankMe")
        return torch.cat([model.encode(batch.images).float().mean(1) for batch in batches])

    def measure_batch(
        self, model: WorldModel, batch: ImageBatch, seed: int, positions: Int[Tensor, "k"], views: int
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b k d"], Float[Tensor, "b k d"], Float[Tensor, "b 2 k d"], Float[Tensor, "b q d"]]:
        """Of each image: pooled tokens; tokens of its target view; predictions of these; student and teacher; pooled tokens of views."""
        tokens = model.encode(batch.images).float()
        pair = draw_views(model, batch, seed, 0, "health/pair")
        predicted = model.predict(model.encode(pair.source), pair.action[:, None])[:, 0].float()
        pairs = torch.stack([model.student(batch.images).float()[:, positions], tokens[:, positions]], 1)
        versions = [tokens.new_empty(len(tokens), 0, tokens.shape[-1])]
        for version in range(views):
            drawn = draw_views(model, batch, seed, version, "health/views")
            view = drawn.target if model.actions.changes_target else drawn.source
            versions.append(model.encode(view).float().mean(1, keepdim=True))
        return tokens.mean(1), model.targets(pair.target)[:, positions], predicted[:, positions], pairs, torch.cat(versions, 1)

    def conclude(self, metrics: dict[str, Metric], width: int, settings: dict[str, int], mark: str, spectrum: Chart) -> Evaluation:
        """The verdict, in words."""
        verdict = judge(
            width,
            target_std=metrics["target_std"].value,
            effective_rank=metrics["rankme.tokens"].value,
            prediction_std=metrics["prediction_std"].value,
            teacher_distance=metrics["teacher_distance"].value,
            rankme=metrics["rankme"].value,
        )
        about = {measure: text for measure, text in ABOUT.items() if measure in metrics}
        answer, better = of_health(verdict.word, verdict.reason, width, metrics), better_of(metrics)
        told = settings | {"verdict": verdict.word}
        return Evaluation(metrics, told, about, f"{verdict}{mark}", (spectrum,), answer=answer, better=better)


def draw_spectrum(features: dict[str, Float[Tensor, "_ d"]]) -> Chart:
    """Singular values in units of the largest, on a scale of powers of ten, of at most `POINTS` directions."""
    series = []
    for label, rows in features.items():
        values = singular_values(rows)
        shown = sorted({round(place) for place in torch.linspace(0, len(values) - 1, min(POINTS, len(values))).tolist()})
        sizes = (values / values[0].clamp(min=1e-12)).clamp(min=FLOOR).log10()
        series.append(Series(label, [place + 1 for place in shown], sizes[shown].tolist()))
    return Chart(
        name="spectrum",
        title="Spectrum of the features",
        x="direction, the strongest first",
        y="log10 of its singular value, the first is 0",
        kind="lines",
        series=tuple(series),
        about="A curve that falls slowly uses many directions; one that drops to the floor within a few has collapsed into them.",
    )
