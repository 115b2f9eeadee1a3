"""What `denoising_plugin` trains: its own step, in the loop that pretraining uses."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import iwm_core
from iwm_core.data.training import TrainingData
from iwm_core.process.launch import make_accelerator
from iwm_core.process.shown import tell
from iwm_core.process.signals import Stop
from iwm_core.run.checkpoint import load_weights
from iwm_core.training.loop import Loop


def autoencoder() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 3, 3, padding=1))


class Restored(NamedTuple):
    loss: Tensor
    images: Tensor


def train(run: Any, recipe: Any, checkpoint: Path | None, display: Any) -> None:
    with Stop() as stop:
        accelerator = make_accelerator(recipe.launch, run.path)
        torch.manual_seed(recipe.train.seed)
        model = autoencoder()
        if checkpoint is not None:
            load_weights(checkpoint, model)
        data = TrainingData(recipe, run, accelerator.device, display, quiet=not accelerator.is_main_process)
        loop = Loop(run, checkpoint, recipe.train, recipe.launch, model, data, accelerator, stop, display)
        restore = loop.prepare(model)

        def learn(batch: Any) -> Restored:
            images = batch.images.float() / 255
            return Restored((restore(images + recipe.noise.strength * torch.randn_like(images)) - images).square().mean(), batch.images)

        for _ in loop.steps():
            restored = loop.gradients(learn)
            loop.update(weight_decay=0.0)
            if loop.logs:
                loop.log({}, (), {"the images": restored.images})


def load(checkpoint: Path) -> nn.Module:
    model = autoencoder()
    load_weights(checkpoint, model)
    return model.eval()


def run_denoise(words: list[str]) -> int:
    tell(f"{words[0]}: {sum(p.numel() for p in iwm_core.load(words[0]).parameters())} parameters")
    return 0
