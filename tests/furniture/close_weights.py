"""Whether two runs have come to the same weights, to the bit, or up to the rounding of sums in another order."""

from pathlib import Path

import torch
from safetensors.torch import load_file


def weights(run: Path, checkpoint: str = "") -> dict[str, torch.Tensor]:
    folder = run / "checkpoints" / (checkpoint or (run / "checkpoints/latest").read_text())
    return load_file(folder / "model.safetensors") | load_file(folder / "optimizer.safetensors")


def pairs(one: Path, two: Path, checkpoint: str = "") -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    first, second = weights(one, checkpoint), weights(two, checkpoint)
    assert first.keys() == second.keys()
    return {name: (first[name], second[name]) for name in first}


def assert_same(one: Path, two: Path) -> None:
    different = [name for name, (a, b) in pairs(one, two).items() if not torch.equal(a, b)]
    assert different == []


def assert_close(one: Path, two: Path, checkpoint: str = "") -> None:
    for name, (a, b) in pairs(one, two, checkpoint).items():
        if name.endswith("qkv.bias"):  # softmax ignores a bias of the keys: its gradient is rounding, which AdamW makes large
            a, b = (torch.cat([part for i, part in enumerate(bias.chunk(3)) if i != 1]) for bias in (a, b))
        torch.testing.assert_close(a, b, rtol=2e-2, atol=2e-4, msg=lambda text, name=name: f"{name}: {text}")
