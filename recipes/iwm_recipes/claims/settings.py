"""What claims are tried on at each scale: the world model that they vary, the tunings, and what each costs.

Decisions:
- At CPU size a model is small enough for dozens of trainings: scenes, nine patches. It has
  ``targets.whole``, beyond the paper: without it, such a predictor is of no use to a tuning (claim ``ours``).
- The reference is conditioned by ``adaln``, which learns most in few steps; the paper's is ``feature``.
- A tuning learns two tasks at once, by any protocol: it reads an object's place, size and colours (``factors``), and names the sextant of
  its hue (``colour``). An encoder of this size learns no shapes.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from iwm_repro.claim import Measure, Work

RESULTS = Path(__file__).resolve().parents[1] / "repro" / "results"
ENDS = {"r2": (-math.inf, 1.0), "accuracy": (0.0, 1.0)}
"""The least and the most that tasks' metrics can be."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A scale.

    Attributes:
        data: the images, their size and encoding, in words.
        base: the recipe and the choices that all models share.
        bank: versions of an image that are ranked.
        tuning: the choices that all tunings share.
        tasks: that they are tuned for, the usual one first, and what each is measured by.
        minutes: of a training and of a tuning.
        depths: of the predictor, from the shallowest on; the middle one is the recipe's.
        whole, masked: what asks for all patches, and for masked ones alone.
        crop: what adds crops to the actions.
    """

    data: str
    base: tuple[str, ...]
    bank: int
    tuning: tuple[str, ...]
    tasks: dict[str, str]
    minutes: tuple[float, float]
    depths: tuple[int, int, int]
    whole: tuple[str, ...]
    masked: tuple[str, ...]
    crop: tuple[str, ...]

    def model(self, *overrides: str) -> Work:
        """A world model."""
        recipe, *choices = self.base
        return Work(recipe=recipe, overrides=(*choices, *overrides), minutes=self.minutes[0])

    def tuned(self, model: Work, protocol: str, tasks: tuple[str, ...] = (), *overrides: str) -> Work:
        """A tuning of a world model, for all tasks at once where none is named."""
        named = f"tasks=[{','.join(tasks or self.tasks)}]"
        still = () if protocol == "probe_linear" else ("protocol.drop_path=0",)  # few steps: it would slow learning down
        return Work(recipe=f"tune/{protocol}", overrides=(*self.tuning, named, *still, *overrides), of=model, minutes=self.minutes[1])

    def rank(self, model: Work, control: str = "") -> Measure:
        """The mean reciprocal rank of a model."""
        return Measure(model, "mrr", "mrr", control, least=0.0, most=1.0)

    def reached(self, tuning: Work, task: str = "") -> Measure:
        """What a tuning reaches, in the usual task where none is named."""
        task = task or next(iter(self.tasks))
        least, most = ENDS[self.tasks[task]]
        return Measure(tuning, task, self.tasks[task], least=least, most=most)


CPU = Setting(
    data="procedural scenes of one object, 36 px, drawn as they are read (no encoding), 4,096 to train on and 512 to measure",
    base=("repro/claims",),
    bank=64,
    tuning=("budget=claims",),
    tasks={"factors": "r2", "colour": "accuracy"},
    minutes=(2.0, 0.6),
    depths=(1, 3, 6),
    whole=(),
    masked=("targets.whole=false",),
    crop=("actions=[crop,jitter,grayscale,blur,solarize]", "actions.crop.size=36", "view.canvas=48"),
)
GPU = Setting(
    data="Imagenette at 96 px, the hub's parquet copy (JPEG)",
    base=("repro/imagenette", "size=gpu", "evaluators.mrr.bank=256"),
    bank=256,
    tuning=("budget=cpu", "train.epochs=20"),
    tasks={"classify": "accuracy"},
    minutes=(10.0, 3.0),
    depths=(6, 12, 18),
    whole=(),
    masked=("targets.whole=false",),
    crop=("actions=[crop,jitter,grayscale,blur,solarize]", "actions.crop.size=96", "view.canvas=120"),
)
SETTINGS = {"cpu": CPU, "gpu": GPU}
