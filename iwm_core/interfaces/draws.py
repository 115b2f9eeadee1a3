"""Random numbers that are a pure function of ``(seed, epoch, sample index, stream)``.

Decisions:
- The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), written in int64
  tensor arithmetic, so that the same bits come out on every device and a whole batch is drawn at once.
- The seed and the stream's name are the key; block number, sample index and epoch are the counter. No two samples, epochs
  or streams ever share a counter, so nothing depends on batch order, worker count, process count or a restart.
- Nothing is copied between host and device, so that the host never waits for the device (DESIGN §6).
- A `Draws` counts its own calls: the second ``uniform(2)`` continues where the first ended. Code that must not be disturbed by
  another's calls takes a ``stream`` of its own.
"""

import hashlib
import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MASK32 = 0xFFFFFFFF
ROUNDS = 10
MULTIPLY = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10: four words of counter (int64 tensors holding 32 bits each) to four random words of 32 bits."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        # The product of two 32-bit words wraps in int64, but its 64 bits are right: take the halves with a mask.
        first, second = c0 * MULTIPLY[0], c2 * MULTIPLY[1]
        c0, c1, c2, c3 = (
            ((second >> 32) & MASK32) ^ c1 ^ k0,
            second & MASK32,
            ((first >> 32) & MASK32) ^ c3 ^ k1,
            first & MASK32,
        )
        k0, k1 = (k0 + WEYL[0]) & MASK32, (k1 + WEYL[1]) & MASK32
    return c0, c1, c2, c3


@torch.compiler.assume_constant_result  # pyright: ignore[reportUnknownMemberType]
def stream_key(name: str) -> int:
    """32 bits of a stream's name (a constant to torch.compile, which cannot trace a hash)."""
    return int.from_bytes(hashlib.blake2s(name.encode(), digest_size=4).digest(), "little")


class Draws:
    """Random numbers for a batch of samples.

    Args:
        seed: the run's seed, in [0, 2^32).
        epoch: one epoch for the batch, or one per sample (int64 tensor [b]).
        index: the samples' numbers in their dataset, int64 [b]; the numbers are made on this tensor's device.
        name: the stream; two streams of one sample are independent.

    Raises:
        ValueError: a seed outside [0, 2^32).
    """

    def __init__(self, seed: int, epoch: int | Tensor, index: Int[Tensor, "b"], name: str = "") -> None:
        if not 0 <= seed <= MASK32:
            raise ValueError(f"a seed lies in [0, 2^32), got {seed}")
        self.seed, self.epoch, self.index, self.name = seed, epoch, index, name
        self._used = 0  # blocks of four words already given out

    def __len__(self) -> int:
        return self.index.shape[0]

    @property
    def device(self) -> torch.device:
        return self.index.device

    def stream(self, name: str) -> "Draws":
        """A fresh stream of the same samples, independent of this one; the same name always gives the same numbers."""
        return Draws(self.seed, self.epoch, self.index, f"{self.name}/{name}")

    def bits(self, n: int) -> Int[Tensor, "b n"]:
        """``n`` words of 32 random bits a sample."""
        blocks = -(-n // 4)
        block = torch.arange(self._used, self._used + blocks, device=self.device)[None, :].expand(len(self), -1)
        self._used += blocks
        index = self.index[:, None].expand_as(block)
        if isinstance(self.epoch, Tensor):
            epoch = self.epoch.to(self.device).reshape(-1, 1).expand_as(block)
        else:
            epoch = torch.full_like(block, self.epoch)  # filled in on the device, where a tensor of it would be copied there
        words = philox((block, index & MASK32, epoch & MASK32, (index >> 32) & MASK32), (self.seed, stream_key(self.name)))
        return torch.stack(words, dim=-1).flatten(1)[:, :n]

    def uniform(self, n: int = 1, low: float = 0.0, high: float = 1.0) -> Float[Tensor, "b n"]:
        """Uniform in [low, high), with 24 random bits."""
        unit = (self.bits(n) >> 8).to(torch.float32) * 2.0**-24
        return unit * (high - low) + low

    def normal(self, n: int = 1) -> Float[Tensor, "b n"]:
        """Standard normal, by Box and Muller's transformation."""
        pairs = -(-n // 2)
        words = self.bits(2 * pairs)
        radius = ((words[:, :pairs] >> 8).to(torch.float32) + 1) * 2.0**-24  # in (0, 1]: its logarithm is finite
        angle = (words[:, pairs:] >> 8).to(torch.float32) * (2.0**-24 * 2 * math.pi)
        length = (-2 * radius.log()).sqrt()
        return torch.cat([length * angle.cos(), length * angle.sin()], dim=1)[:, :n]

    def bernoulli(self, p: float, n: int = 1) -> Bool[Tensor, "b n"]:
        """True with probability ``p``."""
        return self.uniform(n) < p

    def integers(self, high: int, n: int = 1) -> Int[Tensor, "b n"]:
        """Whole numbers in [0, high), ``high`` at most 2^31; the bias is below ``high`` / 2^32."""
        if not 0 < high <= 2**31:
            raise ValueError(f"integers are drawn from [0, high) with high in [1, 2^31], got {high}")
        return (self.bits(n) * high) >> 32

    def permutation(self, n: int) -> Int[Tensor, "b n"]:
        """A random order of 0 … n-1 for each sample."""
        return torch.argsort(self.bits(n), dim=1, stable=True)
