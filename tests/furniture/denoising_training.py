"""What `denoising_plugin` trains: its own objective, by the loop that pretraining uses."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import iwm_core
from iwm_core.data.training import TrainingData
from iwm_core.process.launch import make_accelerator
from iwm_core.process.shown import tell
from iwm_core.process.signals import Stop
from iwm_core.run.checkpoint import load_weights
from iwm_core.training.loop import fit
from iwm_core.training.objective import Objective, first_not_finite


def autoencoder() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 3, 3, padding=1))


class Denoise(Objective):
    def __init__(self, recipe: Any, model: nn.Module, data: TrainingData) -> None:
        self.recipe, self.model, self.data = recipe, model, data

    def loss(self, prepared: Any, batch: Any, step: int) -> Tensor:
        images = batch.images.float() / 255
        return (prepared(images + self.recipe.noise.strength * torch.randn_like(images)) - images).square().mean()

    def weight_decay(self, step: int, steps: int) -> float:
        return 0.0

    def measured(self, step: int, steps: int) -> dict[str, Any]:
        return {}

    def not_finite(self, batch: Any) -> str:
        return first_not_finite({"the images": batch.images})


def train(run: Any, recipe: Any, checkpoint: Path | None, display: Any) -> None:
    with Stop() as stop:
        accelerator = make_accelerator(recipe.launch, run.path)
        torch.manual_seed(recipe.train.seed)
        model = autoencoder()
        if checkpoint is not None:
            load_weights(checkpoint, model)
        data = TrainingData(recipe, run, accelerator.device, display, quiet=not accelerator.is_main_process)
        fit(Denoise(recipe, model, data), run, checkpoint, recipe.train, recipe.launch, accelerator, stop, display)


def load(checkpoint: Path) -> nn.Module:
    model = autoencoder()
    load_weights(checkpoint, model)
    return model.eval()


def run_denoise(words: list[str]) -> int:
    tell(f"{words[0]}: {sum(p.numel() for p in iwm_core.load(words[0]).parameters())} parameters")
    return 0
