"""The table file that TensorFlow keeps the index of a checkpoint in: sorted keys and values.

Source: LevelDB's table format (doc/table_format.md). Data blocks and an index block of prefix-coded
entries, each followed by its compression (0: none) and a masked CRC-32C; a footer that says where
the index block lies.
"""

from collections.abc import Iterator
from typing import NamedTuple

from animegan.public.crc32c import crc32c

_FOOTER = 48
_MAGIC = bytes.fromhex("57fb808b247547db")
#: A network has some hundred tensors; beyond these no file is honest.
MOST_BYTES = 4 * 2**20
_MOST_ENTRIES = 20_000
_LONGEST_KEY = 1000


class _Block(NamedTuple):
    offset: int
    size: int


def read_table(data: bytes) -> dict[bytes, bytes]:
    """All entries of a table.

    Raises:
        ValueError: not such a table, damaged, compressed, or beyond all reason.
    """
    if len(data) > MOST_BYTES:
        raise ValueError("too large for an index")
    if len(data) < _FOOTER or data[-len(_MAGIC) :] != _MAGIC:
        raise ValueError("not a TensorFlow index, or a truncated one")
    footer = data[-_FOOTER:]
    _, position = _handle(footer, 0)  # of the metaindex
    index, _ = _handle(footer, position)
    entries: dict[bytes, bytes] = {}
    room = len(data)
    for _, handle in _entries(_block(data, index)):
        block, _ = _handle(handle, 0)
        room -= block.size
        if room < 0:
            raise ValueError("its index is damaged: blocks overlap")
        entries.update(_entries(_block(data, block)))
        if len(entries) > _MOST_ENTRIES:
            raise ValueError("too many entries for an index")
    return entries


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and the position behind it.

    Raises:
        ValueError: the data ends within it, or it has more than 64 bits.

    >>> read_varint(bytes([0xAC, 0x02]), 0)
    (300, 2)
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("its index is damaged")


def check(data: bytes, masked: int, what: str) -> None:
    """Compare a checksum; TensorFlow stores it rotated and shifted.

    Raises:
        ValueError: the data is damaged.
    """
    crc = crc32c(data)
    if ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF != masked:
        raise ValueError(f"damaged: the checksum of {what} is wrong")


def _handle(data: bytes, position: int) -> tuple[_Block, int]:
    offset, position = read_varint(data, position)
    size, position = read_varint(data, position)
    return _Block(offset, size), position


def _block(data: bytes, block: _Block) -> bytes:
    """A block's entries, checked, without trailer and restart points."""
    end = block.offset + block.size
    if block.size < 4 or end + 5 > len(data) - _FOOTER:
        raise ValueError("its index is damaged: a block lies outside")
    check(data[block.offset : end + 1], int.from_bytes(data[end + 1 : end + 5], "little"), "index")
    if data[end] != 0:
        raise ValueError("its index is compressed, which TensorFlow's own never are")
    restarts = int.from_bytes(data[end - 4 : end], "little")
    if 4 * (restarts + 1) > block.size:
        raise ValueError("its index is damaged")
    return data[block.offset : end - 4 * (restarts + 1)]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values; a key tells how much of the key before it repeats."""
    key = b""
    position = 0
    while position < len(block):
        shared, position = read_varint(block, position)
        fresh, position = read_varint(block, position)
        size, position = read_varint(block, position)
        end = position + fresh + size
        if shared > len(key) or shared + fresh > _LONGEST_KEY or end > len(block):
            raise ValueError("its index is damaged")
        key = key[:shared] + block[position : position + fresh]
        yield key, block[position + fresh : end]
        position = end
