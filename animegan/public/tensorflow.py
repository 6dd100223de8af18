"""TensorFlow checkpoints ("tensor bundles"), read without TensorFlow.

`NAME.index` is a table from tensor names to protocol buffers, which say the type, the shape and the
place in the data files `NAME.data-00000-of-00001`, …

Source: tensorflow/core/protobuf/tensor_bundle.proto and core/util/tensor_bundle (Apache 2.0).
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from animegan.public.arrays import Arrays
from animegan.public.sstable import MOST_BYTES, check, read_table, read_varint

#: TensorFlow's numbers of the floating-point types.
_TYPES = {1: "<f4", 2: "<f8", 19: "<f2"}
_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")


class Entry(NamedTuple):
    """Where a tensor lies: the type's number, shape, data file, place in bytes, checksum."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int


def index_of(path: Path) -> Path | None:
    """The index of a TensorFlow checkpoint that a path names, by any of its files or their prefix.

    >>> index_of(Path("no/such.ckpt")) is None
    True
    """
    prefix = _PART.sub("", path.name)
    index = path.parent / f"{prefix}.index"
    return index if prefix and index.is_file() else None


def open_bundle(index: Path) -> Arrays:
    """The floating-point tensors of a checkpoint; every value is checked by its CRC when read.

    Raises:
        ValueError, TypeError: the index, or a tensor when it is read, is damaged.
        OSError: it cannot be read.
    """
    with index.open("rb") as stream:
        table = read_table(stream.read(MOST_BYTES + 1))
    shards = _shards(table.pop(b"", b""))
    entries = {
        key.decode("ascii", "backslashreplace"): entry
        for key, value in table.items()
        if (entry := _entry(value)).dtype in _TYPES
    }

    def read(name: str) -> Tensor:
        entry = entries[name]
        data = index.with_name(f"{index.stem}.data-{entry.shard:05d}-of-{shards:05d}")
        if not data.is_file():
            raise ValueError(f"its data file {data.name} is not beside it")
        return _tensor(data, entry, name)

    return Arrays({name: entry.shape for name, entry in entries.items()}, read)


def _tensor(data: Path, entry: Entry, name: str) -> Tensor:
    dtype = np.dtype(_TYPES[entry.dtype])
    if entry.size != math.prod(entry.shape) * dtype.itemsize:
        raise ValueError(f"its index is damaged: {name} has the wrong size")
    if entry.offset + entry.size > data.stat().st_size:
        raise ValueError(f"{data.name} is truncated: {name} lies behind its end")
    with data.open("rb") as stream:
        stream.seek(entry.offset)
        values = stream.read(entry.size)
    check(values, entry.crc, name)
    return torch.from_numpy(np.frombuffer(values, dtype).reshape(entry.shape).astype(np.float32))


def _shards(header: bytes) -> int:
    """The number of data files, from a BundleHeaderProto."""
    fields = dict(_fields(header))
    if fields.get(2, 0) != 0:
        raise ValueError("written on a big-endian machine")
    return _number(fields.get(1, 0))


def _entry(data: bytes) -> Entry:
    """A BundleEntryProto."""
    fields = dict(_fields(data))
    shape = fields.get(2, b"")
    if 7 in fields or not isinstance(shape, bytes):
        raise ValueError("its index has tensors in slices")
    dimensions = (dimension for number, dimension in _fields(shape) if number == 2)
    sizes = (dict(_fields(d)).get(1, 0) for d in dimensions if isinstance(d, bytes))
    dtype, shard, offset, size, crc = (_number(fields.get(number, 0)) for number in (1, 3, 4, 5, 6))
    return Entry(dtype, tuple(map(_number, sizes)), shard, offset, size, crc)


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise TypeError("its index is damaged")
    return value


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer: their numbers, and numbers or bytes."""
    position = 0
    while position < len(message):
        tag, position = read_varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = read_varint(message, position)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            size, position = read_varint(message, position)
        if size is None or position + size > len(message):
            raise ValueError("its index is damaged")
        part = message[position : position + size]
        yield number, part if wire == 2 else int.from_bytes(part, "little")
        position += size
