"""Room for features: in memory as far as it goes, then in files that nobody sees.

A file is reserved whole before it is used, so that a full disk is an error and no crash, and its
pages are handed back as soon as they are written or read, so that it does not count as memory.
"""

import math
import mmap
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from animegan.regions import Region

#: Files take up to this share of the free disk.
_SHARE = 0.5
_LARGEST = torch.finfo(torch.float16).max


class Store:
    """Features 1×C×H×W, written and read in regions of float32.

    Args:
        data: H×W×C, float32 or float16, on any device.
        pages: the mapped file behind it.
    """

    def __init__(self, data: Tensor, pages: mmap.mmap | None = None) -> None:
        self._data, self._pages = data, pages

    @property
    def nbytes(self) -> int:
        """Its size."""
        return self._data.nbytes

    @property
    def in_memory(self) -> bool:
        """Whether it lies in memory rather than in a file."""
        return self._pages is None

    def write(self, region: Region, part: Tensor) -> None:
        """Keep 1×C×h×w as a region."""
        if self._data.dtype == torch.float16:
            part = part.clamp(-_LARGEST, _LARGEST)  # infinity would spoil the whole picture
        self._cut(region).copy_(part[0].permute(1, 2, 0))
        self._hand_back()

    def read(self, region: Region, device: torch.device) -> Tensor:
        """A copy of a region, 1×C×h×w, channels last."""
        part = self._cut(region).to(device, torch.float32, copy=True).contiguous()
        self._hand_back()
        # With the picture's axis first, torch sees that the channels come last.
        return part[None].permute(0, 3, 1, 2)

    def _cut(self, region: Region) -> Tensor:
        rows, columns = region
        return self._data[rows.first : rows.end, columns.first : columns.end]

    def _hand_back(self) -> None:
        if self._pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)  # of a shared mapping: the file keeps all


class Scratch:
    """Makes stores.

    Args:
        memory: bytes that stores may take in memory, on `device`.
        device: where those lie.
        folder: where files lie; by default the system's folder for temporary files.
        disk: bytes that files may take; by default half of what is free there.

    Attributes:
        memory, disk: the bytes that are left.
    """

    def __init__(
        self,
        memory: int,
        device: torch.device,
        folder: Path | None = None,
        disk: int | None = None,
    ) -> None:
        self.memory, self._device = memory, device
        self._folder = folder or Path(tempfile.gettempdir())
        self.disk = self._free() if disk is None else disk

    def _free(self) -> int:
        if not hasattr(os, "statvfs"):
            return 0
        disk = os.statvfs(self._folder)
        return int(disk.f_bavail * disk.f_frsize * _SHARE)

    def new(self, shape: tuple[int, int, int], kind: torch.dtype, *, in_memory: bool) -> Store:
        """Room for features H×W×C, float32 or float16.

        Raises:
            MemoryError, OSError: others have taken it.
        """
        nbytes = kind.itemsize * math.prod(shape)
        if in_memory:
            self.memory -= nbytes
            return Store(torch.empty(shape, dtype=kind, device=self._device))
        with tempfile.TemporaryFile(dir=self._folder) as file:
            os.posix_fallocate(file.fileno(), 0, nbytes)
            pages = mmap.mmap(file.fileno(), nbytes)
        self.disk -= nbytes
        return Store(torch.frombuffer(pages, dtype=kind).view(shape), pages)

    def give_back(self, store: Store) -> None:
        """Its room can be used again; the store must not be."""
        if store.in_memory:
            self.memory += store.nbytes
        else:
            self.disk += store.nbytes
