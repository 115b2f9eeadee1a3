"""The world-model scorecard: does a prediction find the image that its action makes (PAPER §6)?

Decisions:
- For every image, a bank of augmented versions is encoded by the teacher; the predictor is given the clean image's latent and one
  element's action, and the bank is ranked by distance to its prediction. All patch tokens, layer-normed, L2, validation images.
- Control *shuffled*: each element is asked for with the action of another, by a cyclic shift of the bank. Above chance, something other
  than the action tells elements apart. A perfect model gets (H(k)-1)/(k-1), a little below chance: the truth is then never first.
- Control *null*: each element is asked for with zeros. One answer for all of them meets every rank once, so null is chance by
  arithmetic, whatever the model: another number would be a fault of the bank or of the distances.
- The predictor sees 2N tokens for each of images × bank queries, and that is most of the cost: the controls reuse its predictions (null
  adds one an image), and repeated elements are asked for once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import (
    Draws,
    Evaluation,
    EvaluationData,
    Evaluator,
    Gallery,
    Metric,
    NotApplicable,
    Row,
    Track,
    WorldModel,
    option,
)
from iwm_evals.bank import Bank, draw_bank
from iwm_evals.bootstrap import interval
from iwm_evals.ranking import chance_reciprocal_rank, distances, hit_rate, rank, reciprocal_rank, stand

MEASURED = ("mrr", "h1", "h5", "h10", "mrr_shuffled", "mrr_null")
ROWS = 8
IMAGES_AT_ONCE = 16  # loaded together; they are measured one by one


class Ranking(NamedTuple):
    """Distances of one image's bank (columns) from the prediction of each of its elements (rows) and of the null action."""

    asked: Float[Tensor, "k k"]
    null: Float[Tensor, "1 k"]


@dataclass(kw_only=True)
class Mrr(Evaluator):
    """Mean reciprocal rank of the true target in a bank of augmented versions, with H@1, H@5, H@10, chance and controls."""

    name = "mrr"

    images: int = option(256, "validation images measured; all of them where there are fewer", low=1)
    bank: int = option(256, "augmented versions of each image that are ranked", low=2)
    pooling: str = option("none", "what is compared: none (all patch tokens) or mean (their mean)", choices=("none", "mean"))
    chunk: int = option(64, "images encoded, or actions predicted, in one pass: bounds the memory", low=1)
    resamples: int = option(1000, "bootstrap resamples of the images, for the 95 % intervals", low=1)

    @torch.inference_mode()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: the recipe has no action or none that changes a target.
            ValueError: there are no validation images, or the model's latents are not finite.
        """
        if not model.actions.changes_target:
            raise NotApplicable("no action of this recipe changes a target, so that there is nothing to rank")
        count = min(self.images, data.count("validation"))
        if count == 0:
            raise ValueError("mrr measures validation images, and this data has none")

        shown = set(Draws(data.seed, 0, torch.zeros(1, dtype=torch.int64), "mrr/rows").permutation(count)[0, :ROWS].tolist())
        scores, distinct, rows = [], [], []
        for place, (index, image) in enumerate(track(one_by_one(data, count), "mrr", count)):
            bank = draw_bank(model.actions, data.seed, index, self.bank, model.device)
            ranking = self.rank_bank(model, image, bank)
            scores.append(self.score(ranking, data.seed, index))
            distinct.append(len(bank.actions))
            if place in shown:
                rows.append(self.make_row(model, image, bank, ranking, data.seed, index))
        table = torch.stack(scores)
        if not table.isfinite().all():
            raise ValueError("mrr cannot rank this model: its latents or predictions are not finite numbers; has training diverged?")

        metrics = self.summarise(table, data.seed)
        settings = {
            "images": count,
            "bank": self.bank,
            "distinct": min(distinct),
            "pooling": self.pooling,
            "distance": "l2",
            "resamples": self.resamples,
            "seed": data.seed,
        }
        mrr, chance = metrics["mrr"], metrics["mrr_chance"].value
        gallery = Gallery(
            name="mrr",
            title=f"MRR {mrr.value:.3f}",
            subtitle=f"95 % interval {mrr.low:.3f} to {mrr.high:.3f}   ·   {mrr.n} images, {self.bank} versions of each",
            headings=("source", "true target", "nearest to prediction"),
            rows=tuple(rows),
            about="   ·   ".join(
                f"{word} {metrics[name].value:.3f}"
                for word, name in (
                    ("chance", "mrr_chance"),
                    ("shuffled action", "mrr_shuffled"),
                    ("null action", "mrr_null"),
                    ("H@1", "h1"),
                    ("H@5", "h5"),
                )
            ),
        )
        summary = f"MRR {mrr.value:.3f} ({mrr.low:.3f} to {mrr.high:.3f}) where chance is {chance:.3f}"
        return Evaluation(metrics, settings, summary=summary, galleries=(gallery,))

    def rank_bank(self, model: WorldModel, image: Float[Tensor, "1 3 h w"], bank: Bank) -> Ranking:
        """Every prediction against every element of the bank of one image."""
        latents = torch.cat([self.compared(model.targets(augment(model, image, part))) for part in bank.params.split(self.chunk)])
        tokens = model.encode(image)
        queries = torch.cat([bank.actions, torch.zeros_like(bank.actions[:1])])  # the last one asks with the null action
        predictions = (self.compared(model.predict(tokens, part[None])[0]) for part in queries.split(self.chunk))
        by_query = distances(predictions, latents)
        member = bank.member.to(by_query.device)
        return Ranking(by_query[member][:, member], by_query[-1:, member])

    def compared(self, tokens: Float[Tensor, "c n d"]) -> Float[Tensor, "c f"]:
        """The numbers that distances are taken between."""
        return tokens.mean(1) if self.pooling == "mean" else tokens.flatten(1)

    def score(self, ranking: Ranking, seed: int, index: int) -> Float[Tensor, "v"]:
        """The numbers `MEASURED` of one image, each a mean over its bank; float64 on the CPU."""
        truth = torch.arange(self.bank, device=ranking.asked.device)
        shift = 1 + int(Draws(seed, 0, torch.tensor([index]), "mrr/shuffle").integers(self.bank - 1))
        asked = stand(ranking.asked, truth)
        shuffled = stand(ranking.asked.roll(shift, 0), truth)
        null = stand(ranking.null.expand(self.bank, -1), truth)
        numbers = [
            reciprocal_rank(asked),
            *(hit_rate(asked, k) for k in (1, 5, 10)),
            reciprocal_rank(shuffled),
            reciprocal_rank(null),
        ]
        return torch.stack(numbers).mean(1)

    def summarise(self, table: Float[Tensor, "m v"], seed: int) -> dict[str, Metric]:
        """Means over images with their intervals, and chance, which is exact."""
        low, high = interval(table, seed, self.resamples).tolist()
        means = table.mean(0).tolist()
        metrics = {name: Metric(means[i], low[i], high[i], len(table)) for i, name in enumerate(MEASURED)}
        for name, value in (("mrr_chance", chance_reciprocal_rank(self.bank)), ("h1_chance", 1 / self.bank)):
            metrics[name] = Metric(value, value, value, len(table))
        return metrics

    def make_row(self, model: WorldModel, image: Float[Tensor, "1 3 h w"], bank: Bank, ranking: Ranking, seed: int, index: int) -> Row:
        """A row of the gallery: one element of the bank, drawn at random, and what its prediction found."""
        element = int(Draws(seed, 0, torch.tensor([index]), "mrr/element").integers(self.bank))
        found = ranking.asked[element : element + 1]
        place = float(rank(stand(found, torch.tensor([element], device=found.device))))
        pair = bank.member[torch.tensor([element, int(found.argmin())], device=bank.member.device)]
        truth, nearest = augment(model, image, bank.params[pair])
        names = [f"{name}.{label}" for name, label in zip(model.names, model.actions.labels, strict=True)]
        numbers = dict(zip(names, bank.actions[pair[0]].tolist(), strict=True))
        verdict = f"{'found' if place == 1 else 'missed'}: rank {place:g} of {self.bank}"
        return Row((image[0], truth, nearest), numbers, verdict, place == 1)


def one_by_one(data: EvaluationData, count: int) -> Iterator[tuple[int, Float[Tensor, "1 3 h w"]]]:
    """Validation images with their index, each a batch of one."""
    for batch in data.batches("validation", count, IMAGES_AT_ONCE):
        yield from zip(batch.index.tolist(), batch.images.split(1), strict=True)


def augment(model: WorldModel, image: Float[Tensor, "1 3 h w"], params: Float[Tensor, "c p"]) -> Float[Tensor, "c 3 h2 w2"]:
    """Versions of one image."""
    return model.actions.apply_target(image.expand(len(params), -1, -1, -1), params)
