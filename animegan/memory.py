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
_ARENA_MAX = -8


def keep_freed_memory() -> None:
    """Tell malloc to take large blocks from its heap, and to keep up to 2 GiB of it when freed."""
    _tell_malloc({_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1})


def share_one_heap() -> None:
    """Tell malloc to serve threads that begin from now on as it serves the first one.

    Others have heaps of their own, which keep little of what is freed.
    """
    _tell_malloc({_ARENA_MAX: 1})


def _tell_malloc(options: dict[int, int]) -> None:
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        for option, value in options.items():
            mallopt(option, value)
