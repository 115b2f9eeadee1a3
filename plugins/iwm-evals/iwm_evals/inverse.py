"""Observed actions ranked: of the actions of many pairs, does a pair's own lead nearest to its target?

Decisions:
- An observed action cannot be applied to an image, so there is no bank of its targets to rank as `mrr` does. The question is turned round:
  from the source of a pair, the target is predicted under its own action and under those of other pairs, and the predictions are ranked by
  their distance to the true target. All patch tokens, layer-normed, L2, validation pairs; everything else of the recipe's action rests.
- The bank of a pair is its own action and distinct others, drawn for that pair from all validation pairs: the same bank again whatever else
  is measured. Where there are fewer distinct actions than asked for, all banks have as many as there are.
- Chance is exact, H(bank)/bank, and a predictor that is blind to the action gets exactly that: its predictions tie.
- Control *shuffled*: the place of another of the bank's actions instead of the pair's own. *random*: a predictor of new random weights.
- Parts: one number of the action is another pair's and all others are the pair's own; in fewer pairs, as *random*. Their banks hold
  distinct values of that number, and their chance is that of as many; a number that is always the same has no part.
"""

from dataclasses import dataclass
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
    NotApplicable,
    Series,
    Track,
    WorldModel,
    check_finite,
    option,
)
from iwm_evals.questions.bank import first_of_each
from iwm_evals.questions.views import observed_numbers
from iwm_evals.scores.ranking import HITS, chances, distances, gains, stand, telling
from iwm_evals.statistics.metrics import share_metrics
from iwm_evals.words.answers import answer_and_better

IMAGES_AT_ONCE = 16  # loaded together; they are measured one by one
NAMES = ("inverse", *(f"inverse.h{k}" for k in HITS))
ABOUT = {
    "inverse": "mean reciprocal rank of a pair's own action among other pairs', by how near each leads to its target: 1 where the model "
    "knows the action; a part: only that number is other pairs'; h1, h5, h10: share of pairs whose own is first, among 5, among 10"
}


@dataclass(kw_only=True)
class Inverse(Evaluator):
    """Observed actions: the rank of a pair's own action among those of other pairs, by where the model imagines that each leads."""

    name = "inverse"
    retired = ("resamples",)

    images: int = option(256, "validation pairs measured; all of them where there are fewer", low=1)
    bank: int = option(64, "actions that are ranked for each pair, its own and those of others", low=2)
    part_images: int = option(
        64, "of these, pairs that each number of the action is also asked of alone, and an untrained predictor; 0: none", low=0
    )
    chunk: int = option(64, "actions predicted in one pass: bounds the memory", low=1)

    @torch.inference_mode()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: the data shows no action, or always the same.
            ValueError: there are no validation images, or the model's latents are not finite.
        """
        numbers = observed_numbers(model)
        if not numbers.any():
            raise NotApplicable("this data has no pairs with an observed action, so that there is none to rank")
        count = self.asked(data, self.images)
        pool = data.actions("validation", data.count("validation"))
        pool = pool[first_of_each(pool)]
        bank = min(self.bank, len(pool))
        if bank < 2:
            raise NotApplicable("all pairs of this data show one and the same action, so that there is none to tell from others")

        parts = [f"{model.names[place]}.{model.actions.labels[place]}" for place in numbers.nonzero()[:, 0].tolist()]
        values = {part: column.unique() for part, column in zip(parts, pool.unbind(1), strict=True)}
        parts = [part for part in parts if len(values[part]) > 1] if len(parts) > 1 and self.part_images else []
        asked = min(self.part_images, count)
        chosen = set((torch.arange(asked) * count // max(asked, 1)).tolist())
        untrained, scores, untrained_scores = model.reinitialised(data.seed), [], []
        part_scores: dict[str, list[Tensor]] = {part: [] for part in parts}
        batches = data.batches("validation", count, IMAGES_AT_ONCE)
        pairs = (batch.take(slice(i, i + 1)) for batch in batches for i in range(len(batch.index)))
        for place, pair in enumerate(track(pairs, "inverse", count)):
            actions = draw_actions(pair, pool, bank, data.seed)
            scores.append(self.score(model, pair, actions, numbers, data.seed))
            if place in chosen:
                untrained_scores.append(self.score(untrained, pair, actions, numbers, data.seed))
                for part in parts:
                    mixed = draw_values(actions[0], list(values).index(part), values[part], self.bank, data.seed, pair.index)
                    part_scores[part].append(self.score(model, pair, mixed, numbers, data.seed))

        metrics = self.metrics_of("", torch.stack(scores), bank, data.seed)
        if untrained_scores:
            untrained_rank = self.metrics_of("", torch.stack(untrained_scores), bank, data.seed)["inverse"]
            metrics["inverse"] = metrics["inverse"].against(random=untrained_rank._replace(controls={}))
        for part, found in part_scores.items():
            metrics |= self.metrics_of(part, torch.stack(found), min(self.bank, len(values[part])), data.seed)
        settings = {
            "images": len(scores),
            "bank": bank,
            "part_images": asked,
            "distance": "l2",
            "seed": data.seed,
        }
        return Evaluation(
            metrics,
            settings,
            ABOUT,
            in_one_sentence(metrics, parts),
            (chart_parts(metrics, parts),) if parts else (),
            **answer_and_better("inverse", metrics),
        )

    def score(self, model: WorldModel, pair: ImageBatch, actions: Float[Tensor, "k o"], numbers: Tensor, seed: int) -> Float[Tensor, "v"]:
        """Each measure of one pair, then each of another of its bank's actions; float64 on the CPU."""
        told = torch.zeros(len(actions), len(model.names), device=model.device)
        told[:, numbers.to(model.device)] = actions.to(model.device)
        tokens, goal = model.encode(pair.images), model.targets(pair.target).flatten(1)  # pyright: ignore[reportArgumentType]
        predicted = torch.cat([model.predict(tokens, part[None])[0] for part in told.split(self.chunk)]).flatten(1)
        other = 1 + Draws(seed, 0, pair.index.cpu(), "inverse/shuffled").integers(len(actions) - 1)[:, 0]
        row = distances([goal], predicted)
        answers = (stand(row, place.to(row.device)) for place in (torch.zeros_like(other), other))
        return torch.cat([gains(answer)[:, 0] for answer in answers])

    def metrics_of(self, part: str, table: Float[Tensor, "_ v"], bank: int, seed: int) -> dict[str, Metric]:
        """Means over pairs with their intervals, and chance, which is exact; of a part the reciprocal rank alone.

        Raises:
            ValueError: the numbers are not finite.
        """
        check_finite(table)
        own, shuffled = (share_metrics(values) for values in table.split(len(NAMES), 1))
        found, chance = {}, chances(bank)
        for place in [0] if part else telling(bank):
            named = f"{NAMES[place]}.{part}" if part else NAMES[place]
            found[named] = own[place].against(chance=Metric.constant(chance[place], len(table)), shuffled=shuffled[place])
        return found


def draw_actions(pair: ImageBatch, pool: Float[Tensor, "q o"], bank: int, seed: int) -> Float[Tensor, "k o"]:
    """The bank of a pair: its own action, then other distinct ones of the pool."""
    own = pair.action.cpu()  # pyright: ignore[reportOptionalMemberAccess]
    others = pool[(pool != own).any(1)]
    order = Draws(seed, 0, pair.index.cpu(), "inverse/bank").permutation(len(others))[0]
    return torch.cat([own, others[order[: bank - 1]]])


def draw_values(
    own: Float[Tensor, "o"], column: int, values: Float[Tensor, "q"], bank: int, seed: int, index: Int[Tensor, "1"]
) -> Float[Tensor, "k o"]:
    """The bank of one number of a pair's action: its own value, then other distinct ones, all other numbers being its own."""
    others = values[values != own[column]]
    order = Draws(seed, 0, index.cpu(), f"inverse/bank/{column}").permutation(len(others))[0]
    drawn = torch.cat([own[column : column + 1], others[order[: bank - 1]]])
    mixed = own.repeat(len(drawn), 1)
    mixed[:, column] = drawn
    return mixed


def in_one_sentence(metrics: dict[str, Metric], parts: list[str]) -> str:
    """The numbers that matter, in one sentence."""
    found = metrics["inverse"]
    chance = found.controls["chance"].value
    text = f"the observed action is ranked at {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) where chance is {chance:.3f}"
    return text + "".join(f"; {part} alone {metrics[f'inverse.{part}'].value:.3f}" for part in parts)


def chart_parts(metrics: dict[str, Metric], parts: list[str]) -> Chart:
    """All numbers together and each by itself, as bars."""
    found = [metrics["inverse"], *(metrics[f"inverse.{part}"] for part in parts)]
    bars = Series("mean reciprocal rank", ["all", *parts], [m.value for m in found], [m.low for m in found], [m.high for m in found])
    return Chart(
        name="inverse_parts",
        title="Which numbers of the observed action the model knows",
        x="what is taken from other pairs, all else being the pair's own",
        y="mean reciprocal rank",
        kind="bars",
        series=(bars,),
        about="How early a pair's own action comes when actions are ranked by how near the model imagines that they lead to its target. "
        "1 is perfect; at chance the prediction knows nothing of it.",
        levels={"chance": metrics["inverse"].controls["chance"].value},
    )
