"""Room for features: in memory as far as it goes, then in files that nobody sees.

A file is reserved whole before it is used, so that a full disk is an error and no crash, and its
pages are handed back as soon as they are written or read, so that it does not count as memory.
"""

import mmap
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from animegan.regions import Region

#: Files take up to this share of the free disk.
_SHARE = 0.5


class Store:
    """Features 1×C×H×W, float32, written and read in regions.

    Args:
        data: H×W×C, on any device.
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
        self._cut(region).copy_(part[0].permute(1, 2, 0))
        self._hand_back()

    def read(self, region: Region, device: torch.device) -> Tensor:
        """A copy of a region, 1×C×h×w, channels last."""
        part = self._cut(region).clone(memory_format=torch.contiguous_format).to(device)
        self._hand_back()
        return part.permute(2, 0, 1)[None]

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
    """

    def __init__(
        self,
        memory: int,
        device: torch.device,
        folder: Path | None = None,
        disk: int | None = None,
    ) -> None:
        self._memory, self._device = memory, device
        self._folder = folder or Path(tempfile.gettempdir())
        self._disk = self._free() if disk is None else disk

    def _free(self) -> int:
        if not hasattr(os, "statvfs"):
            return 0
        disk = os.statvfs(self._folder)
        return int(disk.f_bavail * disk.f_frsize * _SHARE)

    def fits(self, nbytes: int, spare: int = 0, *, in_memory: bool) -> bool:
        """Whether there is room for so many bytes more, and `spare` bytes stay free somewhere."""
        room = self._memory if in_memory else self._disk
        return nbytes <= room and nbytes + spare <= self._memory + self._disk

    def new(self, channels: int, height: int, width: int, *, spare: int = 0) -> Store | None:
        """Room for features, after which `spare` bytes are left; None where there is none."""
        shape = height, width, channels
        nbytes = 4 * height * width * channels
        if self.fits(nbytes, spare, in_memory=True):
            self._memory -= nbytes
            return Store(torch.empty(shape, device=self._device))
        if not self.fits(nbytes, spare, in_memory=False):
            return None
        with tempfile.TemporaryFile(dir=self._folder) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, nbytes)
            except OSError:
                return None
            pages = mmap.mmap(file.fileno(), nbytes)
        self._disk -= nbytes
        return Store(torch.frombuffer(pages, dtype=torch.float32).view(shape), pages)

    def give_back(self, store: Store) -> None:
        """Its room can be used again; the store must not be."""
        if store.in_memory:
            self._memory += store.nbytes
        else:
            self._disk += store.nbytes
