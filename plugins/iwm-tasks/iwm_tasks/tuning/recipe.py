"""The typed recipe of a tuning: which protocol, for which tasks, with which heads, on which data (PAPER §7)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iwm_core.interfaces.component import option
from iwm_core.recipe.config import Launch, LearningRate, Section, View, check_length, duration

if TYPE_CHECKING:
    from iwm_core.interfaces import DataSource
    from iwm_tasks.interfaces import HeadComponent, Protocol, Task


@dataclass(kw_only=True)
class Augment(Section):
    """What training images go through besides crop and flip; timm's own implementations (PAPER §7)."""

    randaugment: str = option("", "timm's name of a RandAugment, such as rand-m9-mstd0.5-inc1; empty: none")
    mixup: float = option(0.0, "alpha of mixup, 0: none; for tasks with one class an image", low=0)
    cutmix: float = option(0.0, "alpha of cutmix, 0: none; where both are given, each batch takes one of them", low=0)
    label_smoothing: float = option(0.0, "share of a class's target that goes to all classes alike", low=0, high=0.99)


@dataclass(kw_only=True)
class Tune(Section):
    """Optimisation of a tuning."""

    steps: int | None = option(None, "length in optimizer steps; this or epochs", low=1)
    epochs: float | None = option(None, "length in epochs; this or steps", low=0)
    batch_size: int = option(128, "images a step, over all processes; several tasks share them", low=1)
    lr: LearningRate = field(default_factory=LearningRate)
    weight_decay: float = option(0.1, "on weights of linear and convolutional layers", low=0)
    betas: list[float] = option([0.9, 0.999], "AdamW's moments", low=0, high=1)
    clip: float = option(3.0, "largest norm of the gradient; 0: no clipping", low=0)
    checkpoint_every: str = duration("1 epochs", "duration between checkpoints", at_least=1)
    keep: int = option(1, "checkpoints kept", low=1)
    log_every: str = duration("50", "duration between logged lines", at_least=1)
    evaluate_every: str = duration("0", "also measure on validation images during training, each (0: only at its end)")
    seed: int = option(0, "of every random number", low=0, high=2**32 - 1)
    train_images: int = option(0, "training images used, spread evenly over the split; 0: all of them", low=0)
    resamples: int = option(300, "bootstrap resamples of the validation images, for the 95 % intervals", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_length(self)


@dataclass(kw_only=True)
class TuneRecipe:
    """All that a tuning is made of. Component groups hold instances once a recipe is thawed."""

    recipe: str = "???"
    world_model: dict[str, Any] = option({})
    protocol: "Protocol" = option()
    tasks: "dict[str, Task]" = option({})
    heads: "dict[str, HeadComponent]" = option({})
    data: "DataSource" = option()
    view: View = field(default_factory=View)
    augment: Augment = field(default_factory=Augment)
    train: Tune = option()
    launch: Launch = field(default_factory=Launch)
    run: str | None = None
