"""The typed recipe of a tuning: which protocol, for which tasks, with which heads, on which data (PAPER §7)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iwm_core.interfaces.component import option
from iwm_core.recipe.config import Launch, Optimisation, Section, View, duration, place

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
class Tune(Optimisation):
    """Optimisation of a tuning."""

    batch_size: int = option(128, "images a step, over all processes; several tasks share them", low=1)
    weight_decay: float = option(0.1, "on weights of linear and convolutional layers", low=0)
    clip: float = option(3.0, "largest norm of the gradient; 0: no clipping", low=0)
    keep: int = option(1, "checkpoints kept", low=1)
    evaluate_every: str = duration("0", "also measure on validation images during training, each (0: only at its end)")
    train_images: int = option(0, "training images used, spread evenly over the split; 0: all of them", low=0)
    resamples: int = option(300, "bootstrap resamples of the validation images, for the 95 % intervals", low=1)


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
    run: str | None = place("the run's directory; null: the next free runs/NAME")
