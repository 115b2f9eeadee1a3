"""The encoder ``published``: a Vision Transformer of timm with weights from a file, to be trained on or kept frozen.

Decisions:
- What makes the architecture stands apart, in ``architecture``, so that a recipe's own sizes never mix with it: ``encoder=dinov2_vits14``
  changes all of them at once. Such choices are files beside this one, in ``recipes/encoder/``.
- Weights are read once, when a run begins; a run that goes on has them in its checkpoint. What was read is told in ``RUN/import.json``.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from iwm_vit.encoder import TimmViT, ViTEncoder
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from iwm_core.interfaces import EncoderComponent, option
from iwm_interop.exporting.origin import UNSTATED

SHAPE = ("model", "positions", "patch_size", "width", "depth", "heads", "mlp_ratio")
"""The options of the encoder ``vit`` that make its architecture."""


@dataclass(kw_only=True)
class Architecture:
    """What an encoder is, whatever its weights; the options are those of the encoder ``vit``."""

    model: str = option("vit_tiny_patch16_224", "timm's name of a Vision Transformer")
    positions: str = option("model", "as of the encoder vit", choices=("sincos", "stored", "model"))
    patch_size: int | None = option(None, "side of a patch in pixels; null: the model's", low=1)
    width: int | None = option(None, "embedding dimension; null: the model's", low=4)
    depth: int | None = option(None, "blocks; null: the model's", low=1)
    heads: int | None = option(None, "attention heads; null: the model's", low=1)
    mlp_ratio: float | None = option(None, "width of the MLPs over width, rounded down; null: the model's", low=0.1)

    def __str__(self) -> str:
        return self.model


@dataclass(kw_only=True)
class Published(EncoderComponent):
    """A Vision Transformer of timm with weights from a file."""

    name = "published"

    architecture: Architecture = dataclasses.field(
        default_factory=Architecture, metadata=option(None, f"{', '.join(SHAPE)}, as of the encoder vit").metadata
    )
    weights: str | None = option(
        None, "a file of weights by timm's, DINOv2's, MAE's, I-JEPA's or transformers' names; null: new random ones", path=True
    )
    interpolate: bool = option(False, "resample the file's positions where image_size asks for another grid")
    frozen: bool = option(False, "do not train it: the predictor learns on fixed features")
    lr_scale: float = option(1.0, "its learning rate over train.lr", low=0)
    drop_path: float = option(0.0, "stochastic depth of the last block", low=0, high=1)
    mean: list[float] = option(list(IMAGENET_DEFAULT_MEAN), "of the pixels in [0, 1], for the input's normalisation")
    std: list[float] = option(list(IMAGENET_DEFAULT_STD), "of the pixels in [0, 1], for the input's normalisation", low=1e-6)
    licence: str = option(UNSTATED, "of the weights; exports repeat it")
    source: str = option(UNSTATED, "where the weights come from; exports repeat it")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mean", "std"):
            if len(getattr(self, name)) != 3:
                raise ValueError(f"encoder.{name} has a number for each of red, green and blue, got {getattr(self, name)}")

    @property
    def vit(self) -> TimmViT:
        """The same without weights."""
        shape = {name: getattr(self.architecture, name) for name in SHAPE}
        return TimmViT(**shape, frozen=self.frozen, lr_scale=self.lr_scale, drop_path=self.drop_path)

    def rebuild(self, image_size: int) -> ViTEncoder:
        encoder = self.vit.rebuild(image_size)
        for name in ("mean", "std"):
            getattr(encoder, name).copy_(torch.tensor(getattr(self, name)).reshape(1, 3, 1, 1))
        return encoder

    def build(self, image_size: int) -> ViTEncoder:
        encoder = self.rebuild(image_size)
        if self.weights is not None:
            from iwm_interop.importing.encoders import origin, read_encoder
            from iwm_interop.importing.fitting import fit

            file = Path(self.weights).expanduser()
            found = read_encoder(file)
            fitted = fit(found, encoder, self.interpolate)
            if not encoder.mean.is_meta:  # where a recipe is checked, there is no memory for weights
                encoder.load_state_dict(fitted.weights)
                told: Any = origin(found.layout, file, self.licence, self.source, fitted.report)
                encoder.origin = told  # for `iwm_interop.record`
        return encoder
