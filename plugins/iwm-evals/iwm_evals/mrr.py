"""Retrieval by prediction: does a prediction find the image that its action makes (PAPER §6)?

Decisions:
- For every image, a bank of augmented versions is encoded by the teacher; the predictor is given the clean image's latent and one
  element's action, and the bank is ranked by distance to its prediction. All patch tokens, layer-normed, L2, validation images.
- Control *shuffled*: each element is asked for with the action of another, by a cyclic shift of the bank. Above chance, something other
  than the action tells elements apart. A perfect model gets (H(k)-1)/(k-1), a little below chance: the truth is then never first.
- Controls *null* and *identity*: each element is asked for with zeros, or answered with the clean image's own latent. One answer for all
  of them meets every rank once, so both are chance by arithmetic, whatever the model: another number would be a fault of the bank or of
  the distances.
- Control *random*: a predictor of the same shape with new random weights: what the architecture alone knows.
- Parts: the same in banks where one action, or one parameter of an action, varies alone. They, and *random*, are asked in fewer images.
- The predictor sees 2N tokens for each of images × bank queries, and that is most of the cost: the controls reuse its predictions (null
  adds one an image).
- A bank holds distinct elements alone, two for a flip, and chance is that of its own size, the mean over images where sizes differ. An
  image of whose bank one element alone was drawn asks nothing and is left out. Elements are distinct where their images are, too: an action
  may round its parameters after it has encoded them, and versions of a black image may all be black.
- H@5 among five versions or fewer is always 1, and is not reported.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
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
    Metric,
    NotApplicable,
    Row,
    Track,
    WorldModel,
    check_finite,
    option,
)
from iwm_evals.questions.bank import Bank, banked_parts, draw_bank, first_of_each, looks_of
from iwm_evals.questions.parts import Part, whole
from iwm_evals.scores.ranking import MEASURES, distances, gains, mean_chances, rank, stand, telling
from iwm_evals.statistics.metrics import share_metrics
from iwm_evals.words.answers import answer_and_better
from iwm_evals.words.mrr import ABOUT, chart_parts, in_one_sentence, show_questions

ANSWERS_BESIDE = ("shuffled", "null", "identity")
ONE_ANSWER = ("null", "identity")  # whichever element is asked for: chance, whatever the images
ROWS = 8
IMAGES_AT_ONCE = 16  # loaded together; they are measured one by one


class Question(NamedTuple):
    """One image, by its place among those measured and its number in its dataset, and what varies in its bank."""

    place: int
    number: int
    image: Float[Tensor, "1 3 h w"]
    part: Part


class Ranking(NamedTuple):
    """Distances of one image's bank (columns) from its elements' predictions (rows), from that of the null action, from the clean image.

    The bank holds those elements alone that look different.
    """

    bank: Bank
    asked: Float[Tensor, "k k"]
    null: Float[Tensor, "1 k"]
    identity: Float[Tensor, "1 k"]


@dataclass(kw_only=True)
class Mrr(Evaluator):
    """Mean reciprocal rank of the true target in a bank of augmented versions, with H@1, H@5, H@10, chance and controls."""

    name = "mrr"
    retired = ("resamples",)

    images: int = option(256, "validation images measured; all of them where there are fewer", low=1)
    bank: int = option(256, "augmented versions of each image that are ranked", low=2)
    part_images: int = option(
        32, "of these, images that each action and parameter is also asked of alone, and an untrained predictor; 0: none", low=0
    )
    pooling: str = option("none", "what is compared: none (all patch tokens) or mean (their mean)", choices=("none", "mean"))
    chunk: int = option(64, "images encoded, or actions predicted, in one pass: bounds the memory", low=1)

    @torch.inference_mode()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: the recipe has no action or none that changes a target.
            ValueError: there are no validation images, or the model's latents are not finite.
        """
        if not model.actions.changes_target:
            raise NotApplicable("no action of this recipe changes a target, so that there is nothing to rank")
        count = self.asked(data, self.images)

        parts = banked_parts(model, data.seed, self.bank) if self.part_images else []
        part_images = min(self.part_images, count)
        chosen = set((torch.arange(part_images) * count // max(part_images, 1)).tolist())
        shown = set(Draws(data.seed, 0, torch.zeros(1, dtype=torch.int64), "mrr/rows").permutation(count)[0, :ROWS].tolist())
        scores: dict[str, list[Tensor]] = {part.name: [] for part in (whole(model.parts), *parts)}
        untrained, untrained_scores = model.reinitialised(data.seed), []
        sizes: dict[str, list[int]] = {name: [] for name in scores}
        rows = []
        for question in track(ask(model, data, count, parts, chosen), "mrr", count + part_images * len(parts)):
            bank = draw_bank(model.actions, question.part, data.seed, question.number, self.bank, model.device)
            ranking = self.rank_bank(model, question.image, bank)
            bank = ranking.bank
            if len(bank.actions) < 2:
                continue
            sizes[question.part.name].append(len(bank.actions))
            scores[question.part.name].append(self.score(ranking, data.seed, question.number))
            if question.part.name:
                continue
            if question.place in chosen:
                untrained_scores.append(self.score(self.rank_bank(untrained, question.image, bank), data.seed, question.number))
            if question.place in shown:
                rows.append(self.make_row(model, question.image, bank, ranking, data.seed, question.number))

        if not sizes[""]:
            raise NotApplicable(f"the {self.bank} versions drawn of each image are all the same, so that there is nothing to rank")
        metrics = {}
        for name, found in scores.items():
            if found:
                metrics |= self.metrics_of(name, torch.stack(found), sizes[name])
            if not name and untrained_scores:
                untrained_rank = self.metrics_of(name, torch.stack(untrained_scores), sizes[name])["mrr"]
                metrics["mrr"] = metrics["mrr"].against(random=untrained_rank._replace(controls={}))
        settings = {
            "images": count,
            "bank": self.bank,
            "distinct": min(sizes[""]),
            "part_images": part_images,
            "pooling": self.pooling,
            "distance": "l2",
            "seed": data.seed,
        }
        names = [part.name for part in parts if scores[part.name]]
        charts = (chart_parts(metrics, names),) if names else ()
        gallery = show_questions(metrics, sizes[""], rows)
        about = {measure: text for measure, text in ABOUT.items() if measure in metrics}
        return Evaluation(
            metrics, settings, about, in_one_sentence(metrics, names), charts, (gallery,), **answer_and_better("mrr", metrics)
        )

    def rank_bank(self, model: WorldModel, image: Float[Tensor, "1 3 h w"], bank: Bank) -> Ranking:
        """Every prediction against every element of the bank of one image."""
        made = (augment(model, image, part) for part in bank.params.split(self.chunk))
        seen = [(self.compared(model.targets(versions)), looks_of(versions)) for versions in made]
        latents, looks = map(torch.cat, zip(*seen, strict=True))
        kept = first_of_each(looks)
        bank, latents = Bank(bank.params[kept], bank.actions[kept]), latents[kept]
        tokens = model.encode(image)
        queries = torch.cat([bank.actions, torch.zeros_like(bank.actions[:1])])  # the last one asks with the null action
        predictions = (self.compared(model.predict(tokens, part[None])[0]) for part in queries.split(self.chunk))
        by_query = distances(chain(predictions, [self.compared(model.targets(image))]), latents)
        return Ranking(bank, by_query[:-2], by_query[-2:-1], by_query[-1:])

    def compared(self, tokens: Float[Tensor, "c n d"]) -> Float[Tensor, "c f"]:
        """The numbers that distances are taken between."""
        return tokens.mean(1) if self.pooling == "mean" else tokens.flatten(1)

    def score(self, ranking: Ranking, seed: int, index: int) -> Float[Tensor, "v"]:
        """Each of `MEASURES` of one image, then each under each of `ANSWERS_BESIDE`: means over its bank; float64 on the CPU."""
        size = len(ranking.asked)
        truth = torch.arange(size, device=ranking.asked.device)
        shift = 1 + int(Draws(seed, 0, torch.tensor([index]), "mrr/shuffle").integers(size - 1))
        constant = (answer.expand(size, -1) for answer in (ranking.null, ranking.identity))
        answers = (ranking.asked, ranking.asked.roll(shift, 0), *constant)
        return torch.cat([gains(stand(answer, truth)) for answer in answers]).mean(1)

    def metrics_of(self, part: str, table: Float[Tensor, "_ v"], sizes: list[int]) -> dict[str, Metric]:
        """Means over images with their intervals, and chance and what is chance by arithmetic, which are exact; of a part `MEASURES[0]`.

        Raises:
            ValueError: the numbers are not finite.
        """
        check_finite(table)
        found = {}
        for answer, values in zip(("", *ANSWERS_BESIDE), table.split(len(MEASURES), 1), strict=True):
            found[answer] = share_metrics(values)
            if answer in ONE_ANSWER:
                found[answer] = [Metric.constant(metric.value, metric.n) for metric in found[answer]]
        metrics, chances = {}, mean_chances(sizes)
        places, answers = ([0], ("shuffled",)) if part else (telling(max(sizes)), ANSWERS_BESIDE)
        for place in places:
            name = f"{MEASURES[place]}.{part}" if part else MEASURES[place]
            chance = Metric.constant(chances[place], len(table))
            metrics[name] = found[""][place].against(chance=chance, **{answer: found[answer][place] for answer in answers})
        return metrics

    def make_row(self, model: WorldModel, image: Float[Tensor, "1 3 h w"], bank: Bank, ranking: Ranking, seed: int, index: int) -> Row:
        """A row of the gallery: one element of the bank, drawn at random, and what its prediction found."""
        size = len(bank.actions)
        element = int(Draws(seed, 0, torch.tensor([index]), "mrr/element").integers(size))
        found = ranking.asked[element : element + 1]
        place = float(rank(stand(found, torch.tensor([element], device=found.device))))
        truth, nearest = augment(model, image, bank.params[[element, int(found.argmin())]])
        names = [f"{name}.{label}" for name, label in zip(model.names, model.actions.labels, strict=True)]
        numbers = dict(zip(names, bank.actions[element].tolist(), strict=True))
        verdict = f"{'found' if place == 1 else 'missed'}: rank {place:g} of {size}"
        return Row((image[0], truth, nearest), numbers, verdict, place == 1)


def ask(model: WorldModel, data: EvaluationData, count: int, parts: list[Part], chosen: set[int]) -> Iterator[Question]:
    """Each validation image with the whole action, and the ``chosen`` of them with its parts."""
    loaded = data.batches("validation", count, IMAGES_AT_ONCE)
    one_by_one = chain.from_iterable(zip(batch.index.tolist(), batch.images.split(1), strict=True) for batch in loaded)
    for place, (index, image) in enumerate(one_by_one):
        for part in (whole(model.parts), *(parts if place in chosen else [])):
            yield Question(place, index, image, part)


def augment(model: WorldModel, image: Float[Tensor, "1 3 h w"], params: Float[Tensor, "c p"]) -> Float[Tensor, "c 3 h2 w2"]:
    """Versions of one image."""
    return model.actions.apply_target(image.expand(len(params), -1, -1, -1), params)
