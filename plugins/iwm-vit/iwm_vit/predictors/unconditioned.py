"""``none``: the predictor is not told the action, as in I-JEPA; the control of PAPER §6."""

from dataclasses import dataclass

from iwm_vit.predictors.narrow_vit import NarrowViTComponent


@dataclass(kw_only=True)
class Unconditioned(NarrowViTComponent):
    """Narrow ViT without the action (I-JEPA)."""

    name = "none"
