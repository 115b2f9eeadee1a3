"""Memory that a step frees is kept for the next one, on the host.

The C library gives large blocks back to the kernel as they are freed, and the kernel clears them when they are asked for again: thousands
of page faults a step. A GPU's memory is kept by torch itself.
"""

import ctypes
import sys

TRIM, MAP = -1, -3
"""What `mallopt` calls the bytes above which free memory is given back, and those from which on a block is the kernel's."""


def keep_freed_memory() -> None:
    """Let this process keep up to 1 GB that it does not use; blocks above 32 MB, the most that can be asked for, still go back at once.

    A C library that has no such settings is left as it is.
    """
    if sys.platform == "linux" and (settings := getattr(ctypes.CDLL(None), "mallopt", None)):
        settings(MAP, 32 << 20)
        settings(TRIM, 1 << 30)
