"""Stochastic depth in the blocks of an encoder or predictor, by timm's `DropPath`."""

from timm.layers.drop import DropPath
from torch import nn

PLACES = ("drop_path", "drop_path1", "drop_path2")
"""What blocks call the modules on their residual branches that may drop them."""


def drop_paths(module: nn.Module, rate: float, field: str) -> None:
    """Let the blocks of ``module`` drop their residual branches, from never in the first block to ``rate`` in the last.

    Raises:
        ValueError: the module has no blocks that can; the text names ``field``.
    """
    if not rate:
        for dropping in (m for m in module.modules() if isinstance(m, DropPath)):  # an encoder's own, from its pretraining
            dropping.drop_prob = 0.0
        return
    found = [getattr(part, "blocks", None) for part in module.modules()]
    stacks = [blocks for blocks in found if isinstance(blocks, nn.ModuleList | nn.Sequential)]
    blocks = list(stacks[0]) if stacks else []
    if not any(hasattr(block, place) for block in blocks for place in PLACES):
        raise ValueError(f"{type(module).__name__} has no blocks whose branches can be dropped; set {field}=0")
    for number, block in enumerate(blocks):
        own = rate * number / max(len(blocks) - 1, 1)
        for place in PLACES:
            if hasattr(block, place):
                setattr(block, place, DropPath(own))
