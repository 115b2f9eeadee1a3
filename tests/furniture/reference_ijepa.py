"""I-JEPA's modules and checkpoints as its paper and released configuration describe them, in plain torch: what imports are compared with.

It shares nothing with our code: its attention is written out, its positions are made with numpy, its images are cut by a convolution.
"""

import numpy as np
import torch
from torch import nn


def waves(numbers, places):
    """Sines, then cosines, of one coordinate."""
    angles = np.outer(places, 1.0 / 10000 ** (np.arange(numbers // 2) / (numbers / 2)))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def positions(width, side):
    """The column's half first, then the row's, for a row-major grid."""
    row, column = np.divmod(np.arange(side * side), side)
    table = np.concatenate([waves(width // 2, column), waves(width // 2, row)], axis=1)
    return nn.Parameter(torch.from_numpy(table).float()[None], requires_grad=False)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = (part.reshape(b, n, self.heads, d // self.heads).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / (d // self.heads) ** 0.5
        return self.proj(torch.einsum("bhij,bhjd->bihd", scores.softmax(-1), v).reshape(b, n, d))


class MLP(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(x * 0.5 * (1 + torch.erf(x / 2**0.5)))


class Block(nn.Module):
    def __init__(self, width, heads, ratio):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn, self.mlp = Attention(width, heads), MLP(width, int(width * ratio))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, patch, width):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)


def at(tokens, index):
    return torch.stack([tokens[i, places] for i, places in enumerate(index)])


class ReferenceEncoder(nn.Module):
    def __init__(self, size, patch, width, depth, heads, ratio=4.0):
        super().__init__()
        self.pos_embed = positions(width, size // patch)
        self.patch_embed = PatchEmbed(patch, width)
        self.blocks = nn.ModuleList(Block(width, heads, ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, normalised, keep=None):
        x = self.patch_embed.proj(normalised).flatten(2).transpose(1, 2) + self.pos_embed
        x = x if keep is None else at(x, keep)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class ReferencePredictor(nn.Module):
    def __init__(self, side, encoder_width, width, depth, heads):
        super().__init__()
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.predictor_pos_embed = positions(width, side)
        self.predictor_embed, self.predictor_proj = nn.Linear(encoder_width, width), nn.Linear(width, encoder_width)
        self.predictor_blocks = nn.ModuleList(Block(width, heads, 4.0) for _ in range(depth))
        self.predictor_norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, context, seen, asked):
        """One pass for one group of asked positions."""
        table = self.predictor_pos_embed.expand(len(context), -1, -1)
        x = torch.cat([self.predictor_embed(context) + at(table, seen), self.mask_token + at(table, asked)], dim=1)
        for block in self.predictor_blocks:
            x = block(x)
        return self.predictor_proj(self.predictor_norm(x[:, seen.shape[1] :]))


def shaken(module, seed):
    """Every trained number random, so that no mistake hides behind a zero or a one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "pos_embed" not in name:
                centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
                parameter.copy_(centre + 0.1 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def reference(size, patch, width, depth, heads, ratio=4.0, predictor_width=24, predictor_depth=2):
    """Encoder, target encoder (its positions moved by rounding, as a moving average does) and predictor."""
    encoders = [shaken(ReferenceEncoder(size, patch, width, depth, heads, ratio), seed) for seed in (0, 1)]
    with torch.no_grad():
        encoders[1].pos_embed += 1e-4 * torch.randn(encoders[1].pos_embed.shape, generator=torch.Generator().manual_seed(3))
    return *encoders, shaken(ReferencePredictor(size // patch, width, predictor_width, predictor_depth, heads), 2)


def checkpoint(encoder, target_encoder, predictor):
    """What the reference saves after an epoch, from distributed training."""

    def distributed(module):
        return {f"module.{key}": tensor for key, tensor in module.state_dict().items()}

    moments = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-6, "params": [0]}]}
    return {
        "encoder": distributed(encoder),
        "predictor": distributed(predictor),
        "target_encoder": distributed(target_encoder),
        "opt": moments,
        "scaler": {"scale": 65536.0, "growth_factor": 2.0},
        "epoch": 300,
        "loss": 0.1,
        "batch_size": 128,
        "world_size": 16,
        "lr": 1e-3,
    }
