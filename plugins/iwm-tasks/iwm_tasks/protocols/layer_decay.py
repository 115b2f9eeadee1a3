"""Layer-wise learning rates of an encoder, by timm's rule: the deeper a layer lies below the top, the less it is changed."""

from timm.optim import param_groups_layer_decay  # pyright: ignore[reportPrivateImportUsage]
from torch import nn


def layer_decay(encoder: nn.Module, decay: float) -> dict[str, float]:
    """What multiplies the learning rate of each parameter: ``decay`` to the power of the layers above it, the heads among them (PAPER §7).

    timm gives the top of a model without a head of its own the scale 1; here the heads have that.
    """
    matched = next((m for m in encoder.modules() if hasattr(m, "group_matcher")), encoder)  # timm's models know their layers
    scales = {id(p): decay * group["lr_scale"] for group in param_groups_layer_decay(matched, layer_decay=decay) for p in group["params"]}
    return {name: scales[id(parameter)] for name, parameter in encoder.named_parameters() if id(parameter) in scales}
