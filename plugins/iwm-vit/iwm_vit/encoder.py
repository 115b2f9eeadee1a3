"""The encoder: any Vision Transformer of timm by its name, run on the patches that are kept.

Decisions:
- Patches are cut from the pixels and gathered *before* the patch embedding, so that dropped patches cost nothing at all.
- ``positions: sincos`` is I-JEPA's encoder: fixed 2-D sin-cos positions, no class or register tokens (PAPER §5).
  ``positions: stored`` begins with the same and keeps them with the weights, so that those of imported weights are used to the last bit, in
  whatever order their halves are, and with what the rounding of a moving average has added.
  ``positions: model`` keeps timm's positions and prefix tokens, as pretrained weights need; prefix tokens are cut off at the end.
- A frozen encoder has no gradients: the optimizer does not know it, and its teacher, which begins as its copy, stays one.
- Images come in [0, 1] and are normalised here, so that nobody else needs to know: by the pretrained model's mean and standard deviation,
  or by ImageNet's.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import timm
import torch
from jaxtyping import Float, Int
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from iwm_core.interfaces import Encoder, EncoderComponent, option
from iwm_vit.positions import sincos_2d


class ViTEncoder(Encoder):
    """A timm Vision Transformer on a subset of patches.

    Args:
        vit: the model, without head.
        image_size: pixels of the square input, a multiple of the patch size.
        positions: ``sincos``, ``stored`` or ``model``, as of `TimmViT`.
        mean, std: of the pixels in [0, 1] by channel, for the input's normalisation.
    """

    mean: Tensor
    std: Tensor
    positions: Tensor | None

    def __init__(self, vit: VisionTransformer, image_size: int, positions: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.vit = vit
        self.patch = vit.patch_embed.patch_size[0]
        self.grid = (image_size // self.patch, image_size // self.patch)
        self.width = vit.embed_dim
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).reshape(1, 3, 1, 1), persistent=False)
        fixed = sincos_2d(self.width, self.grid)[None] if positions != "model" else None
        self.register_buffer("positions", fixed, persistent=positions == "stored")

    def forward(self, images: Float[Tensor, "b 3 h w"], keep: Int[Tensor, "b k"] | None = None) -> Float[Tensor, "b k d"]:
        assert images.shape[-2:] == (self.grid[0] * self.patch, self.grid[1] * self.patch), "the core feeds images of image_size"
        patches = self.cut((images - self.mean) / self.std)
        prefix, positions = self.prefix_and_positions()
        if keep is not None:
            patches, positions = gather_tokens(patches, keep), F.embedding(keep, positions[0])
        embed = self.vit.patch_embed
        tokens = embed.norm(F.linear(patches, embed.proj.weight.flatten(1), embed.proj.bias)) + positions
        if prefix is not None:
            tokens = torch.cat([prefix.expand(images.shape[0], -1, -1), tokens], dim=1)
        tokens = self.vit.norm_pre(self.vit.pos_drop(tokens))
        for block in self.vit.blocks:
            tokens = block(tokens)
        return self.vit.norm(tokens)[:, self.vit.num_prefix_tokens :]

    def cut(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n pixels"]:
        """Pixels of each patch, in the order of the patch embedding's weights."""
        b, (gh, gw), p = images.shape[0], self.grid, self.patch
        return images.reshape(b, 3, gh, p, gw, p).permute(0, 2, 4, 1, 3, 5).reshape(b, gh * gw, 3 * p * p)

    def prefix_and_positions(self) -> tuple[Tensor | None, Tensor]:
        """Class and register tokens with their positions, and the patches' positions [1 n d]."""
        vit = self.vit
        if self.positions is not None:
            return None, self.positions
        tokens: list[Tensor] = [token for token in (vit.cls_token, vit.reg_token) if token is not None]
        prefix = torch.cat(tokens, dim=1) if tokens else None
        positions = vit.pos_embed
        if positions is None:
            return prefix, torch.zeros(1, self.grid[0] * self.grid[1], self.width, device=self.mean.device)
        extra = positions.shape[1] - self.grid[0] * self.grid[1]  # 0 where the prefix has no positions
        if extra and prefix is not None:
            prefix = prefix + F.pad(positions[:, :extra], (0, 0, 0, prefix.shape[1] - extra))
        return prefix, positions[:, extra:]


def gather_tokens(tokens: Float[Tensor, "b n d"], index: Int[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
    """The tokens at ``index`` of each sample; by whole rows, as `torch.gather` looks up number by number: 7 times as slow on a host."""
    b, n, _ = tokens.shape
    rows = index + n * torch.arange(b, device=index.device)[:, None]
    return tokens.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, index.shape)


@dataclass(kw_only=True)
class TimmViT(EncoderComponent):
    """A Vision Transformer of timm."""

    name = "vit"

    model: str = option("vit_base_patch16_224", "timm's name of a Vision Transformer (timm.list_models('vit*'))")
    pretrained: bool = option(False, "start from timm's weights (network, or a cached file)")
    positions: str = option(
        "sincos",
        "fixed 2-D sin-cos without class token, the same but kept with the weights, or the model's own",
        choices=("sincos", "stored", "model"),
    )
    patch_size: int | None = option(None, "side of a patch in pixels; null: the model's", low=1)
    width: int | None = option(None, "embedding dimension; null: the model's", low=4)
    depth: int | None = option(None, "blocks; null: the model's", low=1)
    heads: int | None = option(None, "attention heads; null: the model's", low=1)
    mlp_ratio: float | None = option(None, "width of the MLPs over width, rounded down; null: the model's", low=0.1)
    drop_path: float = option(0.0, "stochastic depth of the last block", low=0, high=1)
    frozen: bool = option(False, "do not train it: the predictor learns on fixed features")
    lr_scale: float = option(1.0, "its learning rate over train.lr", low=0)

    def build(self, image_size: int) -> ViTEncoder:
        return self.make(image_size, self.pretrained)

    def rebuild(self, image_size: int) -> ViTEncoder:
        return self.make(image_size, pretrained=False)  # a run must open where timm's weights cannot be had

    def options(self) -> dict[str, Any]:
        """What `timm.create_model` is asked for besides the model's name and the size of images, so that its blocks are this encoder's."""
        shape = {"patch_size": self.patch_size, "embed_dim": self.width, "depth": self.depth, "num_heads": self.heads}
        changes = {**shape, "mlp_ratio": self.mlp_ratio}
        options: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
        if self.positions != "model":
            options |= {"class_token": False, "pos_embed": "none", "reg_tokens": 0, "no_embed_class": False}
        return options

    def make(self, image_size: int, pretrained: bool) -> ViTEncoder:
        """The encoder, with timm's weights or new ones; ``self.pretrained`` decides on the normalisation alone."""
        options = self.options()
        if not pretrained:
            options["weight_init"] = "jax"  # Xavier: timm's fixed 0.02 is far too small for narrow encoders
        if self.model not in [*timm.list_models(self.model), *timm.list_pretrained(self.model)]:  # with or without a tag of its weights
            raise ValueError(
                f"encoder.model: timm has no {self.model!r}; `python -c \"import timm; print(timm.list_models('vit*'))\"` lists them"
            )
        self.check_shape(image_size)
        if self.pretrained and self.positions != "model":
            raise ValueError("encoder.pretrained needs the model's own positions and class token; set encoder.positions=model")
        try:
            vit: Any = timm.create_model(
                self.model,
                pretrained=pretrained,
                img_size=image_size,
                num_classes=0,
                global_pool="",
                drop_path_rate=self.drop_path,
                **options,
            )
        except (OSError, RuntimeError) as error:
            if not pretrained:
                raise
            cause = " ".join(str(error).split())[:300]
            raise ValueError(
                f"encoder.pretrained: cannot load timm's weights of {self.model!r} ({cause}); "
                f"go online once, or set encoder.pretrained=false"
            ) from error
        trainable(vit, self.frozen, self.lr_scale, self.drop_path)
        config: Any = vit.pretrained_cfg
        mean, std = (config["mean"], config["std"]) if self.pretrained else (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
        encoder = ViTEncoder(vit, image_size, self.positions, mean, std)
        encoder.lr_scale = self.lr_scale
        return encoder

    def check_shape(self, image_size: int) -> None:
        """Check what timm itself would only meet with an assertion."""
        probe = on_paper(self.model)
        # A subclass (distilled) or another patch embedding (hybrids) computes something else than `ViTEncoder`.
        if type(probe) is not VisionTransformer or type(probe.patch_embed) is not PatchEmbed:
            raise ValueError(f"encoder.model {self.model!r} is a {type(probe).__name__}, not a plain Vision Transformer of timm")
        own: Any = probe
        heads = self.heads or next(m.num_heads for m in own.modules() if isinstance(getattr(m, "num_heads", None), int))
        width = self.width or own.embed_dim
        patch = self.patch_size or own.patch_embed.patch_size[0]
        if width % heads:
            raise ValueError(f"encoder.width {width} is not divisible by encoder.heads {heads}; set encoder.heads to a divisor")
        if self.positions != "model" and width % 4:
            raise ValueError(f"encoder.width must be a multiple of 4 for sin-cos positions, got {width}")
        if image_size % patch:
            near = max(round(image_size / patch), 1) * patch
            raise ValueError(
                f"image_size {image_size} is not divisible by the patch size {patch}; use image_size={near}, or another encoder.patch_size"
            )


def trainable(vit: nn.Module, frozen: bool, lr_scale: float, drop_path: float) -> None:
    """Freeze a model where that is asked for.

    Raises:
        ValueError: something else that is asked for would do nothing.
    """
    if frozen and drop_path:
        raise ValueError(f"encoder.drop_path={drop_path:g} is for an encoder that is trained; set it to 0, or encoder.frozen=false")
    if frozen and lr_scale != 1:
        raise ValueError(f"encoder.lr_scale={lr_scale:g} is for an encoder that is trained; leave it out, or set encoder.frozen=false")
    if lr_scale == 0:
        raise ValueError("encoder.lr_scale=0 would train nothing at the full cost; write encoder.frozen=true")
    if frozen:
        vit.requires_grad_(False)


@cache
def on_paper(model: str) -> nn.Module:
    """timm's model of a name, without numbers: shapes alone. Kept, since all that is built and checked in a process asks for it."""
    with torch.device("meta"):
        return timm.create_model(model, num_classes=0)
