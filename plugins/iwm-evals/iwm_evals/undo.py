"""Is what was done to the source undone: from a corrupted source to the clean target (PAPER §6)?

Decisions:
- No target carries a destructive operation, so no bank of targets can ask for it. The predictor is given the corrupted image's latent and
  the action that leads back, and its prediction is compared with the clean image's latent. Whole validation images, all patches.
- Each destructive action is asked for alone, all others at rest, and all of them together.
- `undo` is the sum of |prediction - clean|² over that of |corrupted - clean|²: 1 is what leaving the image as it is gets. `undone` is the
  share of predictions that lie closer to the clean than to the corrupted latent, equally far counted half. It is blind to errors that
  lead to neither: a predictor that was never trained can get far more than 0, and as much with the null action. It means something
  beside that control only.
- Control *null*: the null action. *identity*: the corrupted source as the prediction.
"""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Draws, Evaluation, EvaluationData, Evaluator, NotApplicable, Track, WorldModel, check_finite, option
from iwm_evals.questions.corruption import Corrupted, at_rest, corrupt, destructive
from iwm_evals.questions.parts import Part
from iwm_evals.scores.relative import STILL, Ratio, chart_errors, relative_metrics, spread_out, squared
from iwm_evals.words.answers import answer_and_better
from iwm_evals.words.undo import ABOUT, READING, TITLES, Version, in_one_sentence, make_row, of_image, show

ROWS = 8
COLUMNS = ("error", "error_null", "moved", "undone", "undone_null", "images")


@dataclass(kw_only=True)
class Undo(Evaluator):
    """How far destructive operations on the source are undone, each and all together: relative error and share undone."""

    name = "undo"
    retired = ("resamples",)

    images: int = option(256, "validation images measured; all of them where there are fewer", low=1)
    chunk: int = option(32, "images in one pass: bounds the memory", low=1)

    @torch.inference_mode()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """See `Evaluator`.

        Raises:
            NotApplicable: no action of the recipe is on sources alone, or none changes an image's latent.
            ValueError: there are no validation images, or the model's latents are not finite.
        """
        parts = destructive(model, data.seed)
        if not parts:
            raise NotApplicable("no action of this recipe is on sources alone, so that there is nothing to undo")
        count = self.asked(data, self.images)

        names = [part.name for part in parts]
        together = Part("", reduce(torch.logical_or, [part.columns for part in parts]))
        shown = set(Draws(data.seed, 0, torch.zeros(1, dtype=torch.int64), "undo/rows").permutation(count)[0, :ROWS].tolist())
        tables, rows, done = [], [], 0
        for batch in self.batches(data, count, self.chunk, track):
            images = at_rest(model, batch.images)
            clean = model.targets(images)
            table = {"size": squared(clean, torch.zeros_like(clean))}
            versions: dict[str, Version] = {}
            for part in (together, *parts):
                corrupted = corrupt(model, part, batch, images, data.seed)
                found = dict.fromkeys(COLUMNS, torch.zeros(0, dtype=torch.float64))
                if len(corrupted.place):
                    versions[part.name], found = undo(model, corrupted, clean[corrupted.place])
                table |= {f"{name}.{part.name}": spread_out(found[name], corrupted.place, len(images)) for name in COLUMNS}
            tables.append(table)
            for place in range(len(images)):
                alone = {name: one for name, one in of_image(versions, place).items() if name}
                if done + place in shown and alone:
                    rows.append(make_row(model, images[place], clean[place], alone, len(rows)))
            done += len(images)
        table = {name: torch.cat([part[name] for part in tables]) for name in tables[0]}
        check_finite(*table.values())

        metrics = relative_metrics(table, ratios(["", *names]), STILL * float(table["size"].sum()))
        if "undo" not in metrics:
            raise NotApplicable(f"{' and '.join(names)} changed the latents of no image, so that there is nothing to undo")
        settings = {"images": count, "seed": data.seed}
        chart = chart_errors("undo", TITLES, metrics, names, "not undone", READING)
        return Evaluation(
            metrics, settings, ABOUT, in_one_sentence(metrics), (chart,), (show(metrics, rows),), **answer_and_better("undo", metrics)
        )


def undo(model: WorldModel, corrupted: Corrupted, clean: Float[Tensor, "c n d"]) -> tuple[Version, dict[str, Float[Tensor, "c"]]]:
    """Predicts the clean images from corrupted ones; `COLUMNS` of each image."""
    tokens, latents = model.encode(corrupted.images), model.targets(corrupted.images)
    found = {"moved": squared(latents, clean), "images": torch.ones(len(clean), dtype=torch.float64)}
    answers = {}
    for told, actions in (("", corrupted.actions), ("_null", torch.zeros_like(corrupted.actions))):  # endings of `COLUMNS`
        answers[told] = model.predict(tokens, actions[:, None])[:, 0]
        error, left = squared(answers[told], clean), squared(answers[told], latents)
        found |= {f"error{told}": error, f"undone{told}": (left - error).sign() / 2 + 0.5}
    return Version(corrupted, latents, answers[""]), found


def ratios(parts: list[str]) -> list[Ratio]:
    """The metrics, in the order to be shown."""
    found = []
    asked = {
        "undo": ("moved", {"": "error", "null": "error_null", "identity": "moved"}),
        "undone": ("images", {"": "undone", "null": "undone_null"}),
    }
    for measure, (below, answers) in asked.items():
        for part in parts:
            name = f"{measure}.{part}" if part else measure
            found += [Ratio(name, told, f"{above}.{part}", f"{below}.{part}", measure == "undone") for told, above in answers.items()]
    return found
