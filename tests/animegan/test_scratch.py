import errno
import os

import pytest
import torch

from animegan.regions import Region, Span
from animegan.scratch import Scratch

CPU = torch.device("cpu")


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_regions_come_back_as_they_were_written(kind, in_memory, tmp_path):
    # Differences that float16 holds around a mean with which it would not.
    features = 1e5 + torch.arange(7 * 11 * 3.0).view(1, 3, 7, 11) % 32
    room = Scratch(10**4, CPU, tmp_path, disk=10**4)
    store = room.new((7, 11, 3), kind, in_memory=in_memory)
    assert store.in_memory == in_memory
    assert store.nbytes == 7 * 11 * 3 * kind.itemsize
    assert (room.memory, room.disk)[not in_memory] == 10**4 - store.nbytes
    for rows in (Span(0, 4), Span(4, 7)):
        for columns in (Span(0, 5), Span(5, 11)):
            part = features[..., rows.first : rows.end, columns.first : columns.end]
            store.write(Region(rows, columns), part)
    part = store.read(Region(Span(2, 6), Span(3, 9)), CPU)
    assert torch.equal(part, features[..., 2:6, 3:9])
    assert part.dtype == torch.float32
    assert part.is_contiguous(memory_format=torch.channels_last)
    assert part.stride(0) == part.numel()  # or torch takes it for another layout
    part.zero_()
    assert torch.equal(store.read(Region(Span(0, 7), Span(0, 11)), CPU), features)
    room.give_back(store)
    assert room.memory == room.disk == 10**4
    assert list(tmp_path.iterdir()) == []


def test_sixteen_bits_do_not_become_infinite():
    store = Scratch(10**4, CPU).new((1, 2, 1), torch.float16, in_memory=True)
    everything = Region(Span(0, 1), Span(0, 2))
    store.write(everything, torch.tensor([1e9, -1e9]).view(1, 1, 1, 2))
    assert store.read(everything, CPU).flatten().tolist() == [65504, -65504]


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path, monkeypatch):
    def full(*_place):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    room = Scratch(0, CPU, tmp_path, disk=10**4)
    with pytest.raises(OSError, match="No space"):
        room.new((7, 11, 3), torch.float32, in_memory=False)
    assert room.disk == 10**4
    assert list(tmp_path.iterdir()) == []


def test_half_of_the_free_disk_may_be_taken(tmp_path, monkeypatch):
    class Disk:
        f_bavail, f_frsize = 10, 4096

    monkeypatch.setattr(os, "statvfs", lambda _folder: Disk)
    assert Scratch(0, CPU, tmp_path).disk == 5 * 4096
