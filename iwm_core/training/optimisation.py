"""How what is trained is optimised: AdamW."""

import torch
from torch import nn

from iwm_core.recipe.config import Optimisation


def make_optimizer(model: nn.Module, settings: Optimisation, lr_scales: dict[str, float] | None = None) -> torch.optim.Optimizer:
    """AdamW over what is trained; only the weights of linear and convolutional layers decay (PAPER §5)."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decays = name.endswith("weight") and parameter.ndim >= 2
            groups.setdefault(((lr_scales or {}).get(name, 1.0), not decays), []).append(parameter)
    described = [{"params": groups[scale, rest], "decays": not rest, "lr_scale": scale} for scale, rest in sorted(groups)]
    return torch.optim.AdamW(described, lr=settings.lr.peak, betas=(settings.betas[0], settings.betas[1]), fused=True)
