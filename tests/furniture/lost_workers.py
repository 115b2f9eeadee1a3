"""Data workers that are lost, by what a test puts in the place of something that they use; being forked, they have it, too."""

import faulthandler
import os
import signal
from pathlib import Path

import torch
from tiny_plugin import NoiseImages
from torch.utils.data import get_worker_info


def killed(number=signal.SIGKILL, after=6):
    """One worker is killed while it reads an image, after some others."""
    real, seen = NoiseImages.image, iter(range(10**9))

    def image(self, index):
        if get_worker_info() is not None and next(seen) >= after and not Path("killed").exists():
            Path("killed").touch()
            faulthandler.disable()  # pytest's, which would show where
            os.kill(os.getpid(), number)
        return real(self, index)

    return NoiseImages, "image", image


def no_room():
    """Shared memory is full: as torch tells it."""

    def share_memory_(self):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_17_1>: No space left on device (28)")

    return torch.Tensor, "share_memory_", share_memory_
