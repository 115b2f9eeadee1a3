"""How well predictions point where the truth lies: their cosine, beside the same model with the null action."""

from dataclasses import dataclass
from pathlib import Path

import torch
from iwm_evals.statistics.intervals import interval
from torch.nn import functional as F

from iwm_core.interfaces import Draws, Evaluation, EvaluationData, Evaluator, Metric, NotApplicable, Track, WorldModel, option

AT_ONCE = 16  # images in one pass: bounds the memory


@dataclass(kw_only=True)
class Example(Evaluator):
    """Cosine between predicted and true tokens, with the action and with the null action."""

    name = "example"  # by which recipes choose it, and the name of its file

    # A field is an option of recipes and of the command line; its range is checked, its text shown by `iwm components`.
    images: int = option(64, "validation images measured; all of them where there are fewer", low=1)

    @torch.inference_mode()
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        if not model.parts:
            raise NotApplicable("this recipe has no actions")
        count, rows = self.asked(data, self.images), []
        for batch in self.batches(data, count, AT_ONCE, track):
            draws = Draws(data.seed, 0, batch.index, "example")  # the same numbers whenever it is asked
            source, target, action = model.views(batch.images, model.actions.sample(draws))
            asked = torch.stack([action, torch.zeros_like(action)], dim=1)  # the action, and none: [b 2 a]
            predicted = model.predict(model.encode(source), asked)  # [b 2 n d]
            rows.append(F.cosine_similarity(predicted, model.targets(target)[:, None], dim=-1).mean(dim=2).cpu())
        values = torch.cat(rows).double()  # [images, 2]; the image is the unit of intervals
        low, high = interval(values, least=-1, most=1)
        found = zip(values.mean(dim=0).tolist(), low.tolist(), high.tolist(), strict=True)
        told, null = (Metric(*numbers, count) for numbers in found)
        return Evaluation(
            metrics={"cosine": told.against(null=null)},  # held against one of `iwm_core.interfaces.CONTROLS`
            settings={"images": count, "seed": data.seed},
            about={
                "cosine": "cosine between predicted and true tokens: 1 is perfect; no higher than the null action's, it ignores actions"
            },
            summary=f"predictions point to the truth with a cosine of {told.value:.3f}; {null.value:.3f} with the null action",
            # charts=(Chart(…),), galleries=(Gallery(…),): the core draws them, here and in the report
        )
