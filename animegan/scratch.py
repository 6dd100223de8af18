"""Room for features: in memory as far as it goes, then in files that nobody sees.

A file is reserved whole before it is used, so that a full disk is an error at once, and it is read
and written without being mapped: faults of single pages take several times as long.
"""

import math
import mmap
import os
import tempfile
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from animegan.regions import Region

#: Files take up to this share of the free disk.
_SHARE = 0.5
_LARGEST = torch.finfo(torch.float16).max


class Store(ABC):
    """Features 1×C×H×W, kept as float32 or float16, written and read in regions of float32.

    Float16 keeps what differs from the mean of each channel in the part that is written first: a
    norm takes the mean away and enlarges what is left, with all that was lost in rounding.

    Attributes:
        in_memory: whether it lies in memory rather than in a file.
        nbytes: its size.
    """

    in_memory: bool

    def __init__(self, shape: tuple[int, int, int], kind: torch.dtype) -> None:
        _height, self._width, self._channels = shape
        self._kind = kind
        self._offset: Tensor | None = None
        self.nbytes = kind.itemsize * math.prod(shape)

    def write(self, region: Region, part: Tensor) -> None:
        """Keep 1×C×h×w as a region."""
        values = part[0].permute(1, 2, 0)
        if self._kind == torch.float16:
            if self._offset is None:
                self._offset = values.mean((0, 1))
            # What becomes infinite would spoil the whole picture.
            values = (values - self._offset).clamp_(-_LARGEST, _LARGEST)
        self._put(region, values)

    def read(self, region: Region, device: torch.device) -> Tensor:
        """A copy of a region, 1×C×h×w, channels last."""
        part = self._get(region, device)
        if self._offset is not None:
            part += self._offset
        return part[None].permute(0, 3, 1, 2)  # torch sees the layout if the first axis is first

    @abstractmethod
    def _put(self, region: Region, values: Tensor) -> None:
        """Keep h×w×C."""

    @abstractmethod
    def _get(self, region: Region, device: torch.device) -> Tensor:
        """A copy, float32 h×w×C."""


class _InMemory(Store):
    in_memory = True

    def __init__(self, data: Tensor, shape: tuple[int, int, int], kind: torch.dtype) -> None:
        super().__init__(shape, kind)
        self._data = data.view(kind).view(shape)

    def _put(self, region: Region, values: Tensor) -> None:
        self._cut(region).copy_(values)

    def _get(self, region: Region, device: torch.device) -> Tensor:
        return self._cut(region).to(device, torch.float32, copy=True).contiguous()

    def _cut(self, region: Region) -> Tensor:
        rows, columns = region
        return self._data[rows.first : rows.end, columns.first : columns.end]


class _InFile(Store):
    in_memory = False

    def __init__(self, file: IO[bytes], shape: tuple[int, int, int], kind: torch.dtype) -> None:
        super().__init__(shape, kind)
        self._handle = file.fileno()
        weakref.finalize(self, file.close)

    def _put(self, region: Region, values: Tensor) -> None:
        rows = values.to("cpu", self._kind).contiguous().numpy()
        for row, place in zip(rows, self._places(region), strict=True):
            os.pwrite(self._handle, row.data, place)

    def _get(self, region: Region, device: torch.device) -> Tensor:
        part = torch.empty((*region.size, self._channels), dtype=self._kind)
        for row, place in zip(part.numpy(), self._places(region), strict=True):
            os.preadv(self._handle, [row.data], place)
        return part.to(device, torch.float32)

    def _places(self, region: Region) -> range:
        """Where each row of a region begins."""
        pixel = self._channels * self._kind.itemsize
        rows, columns = region
        first = (rows.first * self._width + columns.first) * pixel
        step = self._width * pixel
        return range(first, first + step * (rows.end - rows.first), step)


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
        if not hasattr(os, "preadv"):
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
            held = _InMemory(self._take(nbytes), shape, kind)
            self.memory -= nbytes
            return held
        file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  # the store closes it
        stored = _InFile(file, shape, kind)
        os.posix_fallocate(file.fileno(), 0, nbytes)
        self.disk -= nbytes
        return stored

    def _take(self, nbytes: int) -> Tensor:
        if self._device.type != "cpu" or not hasattr(mmap, "MAP_PRIVATE"):
            return torch.empty(nbytes, dtype=torch.uint8, device=self._device)
        # Not from the heap, where large blocks of many sizes leave gaps as large.
        pages = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        return torch.frombuffer(pages, dtype=torch.uint8)

    def give_back(self, store: Store) -> None:
        """Its room can be used again; the store must not be."""
        if store.in_memory:
            self.memory += store.nbytes
        else:
            self.disk += store.nbytes
