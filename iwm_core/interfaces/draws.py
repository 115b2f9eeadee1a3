"""Random numbers that are a pure function of ``(seed, epoch, sample index, stream)``.

Decisions:
- The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), written in int64
  tensor arithmetic, so that the same bits come out on every device and a whole batch is drawn at once.
- The seed and the stream's name are the key; block number, sample index and epoch are the counter. No two samples, epochs
  or streams ever share a counter, so nothing depends on batch order, worker count, process count or a restart.
- Nothing is copied between host and device, so that the host never waits for the device (DESIGN §6).
- Samples that are numbered on the host are drawn for by numpy, in pieces that stay in a core's cache: on one core four times as fast as
  the same arithmetic in tensors. A training step draws there (`iwm_core.training.pretraining`) and sends what it made to its device.
- A `Draws` counts its own calls: the second ``uniform(2)`` continues where the first ended; a ``stream`` is apart from it.
"""

import functools
import hashlib
import math
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MASK32 = 0xFFFFFFFF
ROUNDS = 10
MULTIPLY = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
AT_ONCE = 1 << 15
"""Counters that numpy works on at a time: their words stay in a core's cache."""

Words = TypeVar("Words", Tensor, np.ndarray)


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Philox4x32-10: four words of counter to four random words of 32 bits; int64, of shapes that broadcast."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        # The product of two 32-bit words wraps in int64, but its 64 bits are right. What is above 32 bits is masked only where it is
        # multiplied by: words 1 and 3 stay whole products, of which the next round takes the lower half.
        first, second = c0 * MULTIPLY[0], c2 * MULTIPLY[1]
        c0, c1, c2, c3 = ((second >> 32) ^ c1 ^ k0) & MASK32, second, ((first >> 32) ^ c3 ^ k1) & MASK32, first
        k0, k1 = (k0 + WEYL[0]) & MASK32, (k1 + WEYL[1]) & MASK32
    return c0, c1 & MASK32, c2, c3 & MASK32


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
        stream = Draws(self.seed, self.epoch, self.index, f"{self.name}/{name}")
        if self.on_host:
            stream._samples = self._samples
        return stream

    @property
    def on_host(self) -> bool:
        """Whether numpy draws: the samples are numbered on the host, and torch neither traces nor fakes."""
        return not torch.compiler.is_compiling() and self._samples is not None

    @functools.cached_property
    def _samples(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The words of the counter that tell samples apart, [b 1], where numpy can see them; streams share them."""
        index = self.index.detach() if self.index.is_cpu else None
        if type(index) is not Tensor:  # of a device, or a fake, as all are that are made while torch fakes
            return None
        epoch = self.epoch.cpu().numpy().reshape(-1, 1) if isinstance(self.epoch, Tensor) else np.full((1, 1), self.epoch, np.int64)
        numbers = index.numpy()[:, None]
        return numbers & MASK32, np.broadcast_to(epoch & MASK32, numbers.shape), (numbers >> 32) & MASK32

    def bits(self, n: int) -> Int[Tensor, "b n"]:
        """``n`` words of 32 random bits a sample."""
        return torch.as_tensor(self._words(n))

    def _words(self, n: int) -> Tensor | np.ndarray:
        """`bits`, as what makes them has them: numpy on the host, torch elsewhere."""
        first, self._used = self._used, self._used - n // -4
        key = self.seed, stream_key(self.name)
        if not self.on_host:
            block, index, epoch = torch.arange(first, self._used, device=self.device)[None, :], self.index[:, None], self.epoch
            if isinstance(epoch, Tensor):
                epoch = epoch.to(self.device).reshape(-1, 1)
            else:  # filled in on the device, where a tensor of it would be copied there
                epoch = torch.full((1, 1), epoch, dtype=torch.int64, device=self.device)
            words = philox((block, index & MASK32, epoch & MASK32, (index >> 32) & MASK32), key)
            return torch.stack(words, dim=-1).flatten(1)[:, :n]
        assert self._samples is not None
        block, (low, epoch, high) = np.arange(first, self._used, dtype=np.int64)[None], self._samples
        words, rows = np.empty((len(self), block.size, 4), np.int64), max(1, AT_ONCE // max(1, block.size))
        for start in range(0, len(self), rows):
            part = slice(start, start + rows)
            for place, word in enumerate(philox((block, low[part], epoch[part], high[part]), key)):
                words[part, :, place] = word
        return words.reshape(len(self), 4 * block.size)[:, :n]

    def _unit(self, n: int) -> Tensor | np.ndarray:
        """Uniform in [0, 1), float32 [b n]."""
        high = self._words(n) >> 8
        return high.to(torch.float32) * 2.0**-24 if isinstance(high, Tensor) else high.astype(np.float32) * np.float32(2.0**-24)

    def uniform(self, n: int = 1, low: float = 0.0, high: float = 1.0) -> Float[Tensor, "b n"]:
        """Uniform in [low, high), with 24 random bits."""
        return torch.as_tensor(self._unit(n) * float(high - low) + float(low))

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
        return torch.as_tensor(self._unit(n) < float(p))

    def integers(self, high: int, n: int = 1) -> Int[Tensor, "b n"]:
        """Whole numbers in [0, high), ``high`` at most 2^31; the bias is below ``high`` / 2^32."""
        if not 0 < high <= 2**31:
            raise ValueError(f"integers are drawn from [0, high) with high in [1, 2^31], got {high}")
        return (self.bits(n) * high) >> 32

    def permutation(self, n: int) -> Int[Tensor, "b n"]:
        """A random order of 0 … n-1 for each sample."""
        return torch.argsort(self.bits(n), dim=1, stable=True)
