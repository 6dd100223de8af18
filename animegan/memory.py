"""Keep the memory that a training step frees for the next step.

glibc hands large blocks back to the system as soon as they are free and asks for them again in the
next step; clearing the pages anew costs a fifth of a step on a CPU (docs/benchmarks.md). Nothing
happens where the C library is another.
"""

import contextlib
import ctypes

# From glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Tell malloc to take large blocks from its heap, and to keep up to 2 GiB of it when freed."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
