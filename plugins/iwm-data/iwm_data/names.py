"""Many names in one block of bytes: a million cost tens of MB, travel to the workers in one piece, and forked workers share them."""

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np


class Names(Sequence[str]):
    """Names of files, whatever bytes are in them.

    Args:
        names: the first ones; more are appended.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._bytes, self._ends = bytearray(), array("q", [0])
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        self._bytes += os.fsencode(name)
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - of slices nobody asks
        return os.fsdecode(bytes(self._bytes[self._ends[index] : self._ends[index + 1]]))

    def __iter__(self) -> Iterator[str]:
        return (self[index] for index in range(len(self)))

    def packed(self) -> tuple[np.ndarray, np.ndarray]:
        """Bytes, uint8, and where each name ends, int64, after a first 0; both are views."""
        return np.frombuffer(self._bytes, np.uint8), np.frombuffer(self._ends, np.int64)

    @classmethod
    def unpacked(cls, block: np.ndarray, ends: np.ndarray) -> "Names":
        """What `packed` gave."""
        names = cls()
        names._bytes, names._ends = bytearray(block.tobytes()), array("q", ends.tobytes())
        return names

    @classmethod
    def joined(cls, parts: Sequence["Names"]) -> "Names":
        """The names of all parts, one after the other."""
        packed = [part.packed() for part in parts]
        before = np.cumsum([0, *(len(block) for block, _ in packed)])
        ends = [np.zeros(1, np.int64), *(ends[1:] + start for (_, ends), start in zip(packed, before, strict=False))]
        return cls.unpacked(np.concatenate([np.zeros(0, np.uint8), *(block for block, _ in packed)]), np.concatenate(ends))
