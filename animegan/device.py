"""Where to compute, and how much memory there is."""

from pathlib import Path

import torch

from animegan.errors import CheckpointError


def pick_device(name: str = "auto") -> torch.device:
    """The device to compute on: the named one, else CUDA, MPS or the CPU, whichever is there.

    Raises:
        CheckpointError: a named device is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    available = {"cpu": True, "cuda": torch.cuda.is_available(),
                 "mps": torch.backends.mps.is_available()}  # fmt: skip
    if not available.get(name, False):
        raise CheckpointError(name, "there is no such device here", "leave out --device")
    return torch.device(name)


def free_memory(device: torch.device) -> int:
    """Bytes that can be taken on a device; of a CPU without swapping, 4 GiB if it does not say."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        values = dict(line.split(":") for line in lines)
        return min(int(values["MemAvailable"].split()[0]) * 1024, _left_to_group())
    except (OSError, KeyError, ValueError):
        return 4 * 2**30


def memory_at_most(device: torch.device) -> int | None:
    """Bytes that this process has taken on a device at most; None where that is not told."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return int(values["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        return None


def _left_to_group() -> int:
    """Bytes that the control group, a container say, may still take."""
    try:
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        # The cache of files goes when memory is asked for.
        taken = int((group / "memory.current").read_text()) - int(counts["inactive_file"])
    except (OSError, KeyError, ValueError):
        return 2**63
    return limit - taken


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out. CUDA has an error of its own; on the CPU only the words tell."""
    words = ("DefaultCPUAllocator", "not enough memory", "out of memory", "bad_alloc")
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(word in str(error) for word in words)
