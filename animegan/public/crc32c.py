"""CRC-32C (Castagnoli), with which TensorFlow guards its files. Vectorised, without a C library."""

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = np.uint32(0x82F63B78)
#: The bytes that bring the register from 0 to all ones, where CRC-32C starts.
_TO_ALL_ONES = bytes.fromhex("54641f64")


def _table() -> NDArray[np.uint32]:
    """What one byte makes of an empty register, for each byte."""
    register: NDArray[np.uint32] = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        register = (register >> np.uint32(1)) ^ (register & np.uint32(1)) * _POLYNOMIAL
    return register


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The checksum of some bytes.

    A register that is 0 stays 0 over zeros, so the data is padded in front to rows of equal length;
    all rows advance together, then neighbours join: crc(ab) = advance(crc(a), |b|) xor crc(b).

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    data = _TO_ALL_ONES + data
    lanes = 1 << len(data).bit_length() // 2  # about as many rows as columns
    length = -(-len(data) // lanes)
    rows = np.frombuffer(data.rjust(length * lanes, b"\0"), np.uint8).reshape(lanes, length)
    registers = np.zeros(lanes, np.uint32)
    for column in rows.T:
        registers = _TABLE[(registers ^ column) & 0xFF] ^ (registers >> 8)
    advance = _zeros(length)
    while len(registers) > 1:
        registers = _apply(advance, registers[::2]) ^ registers[1::2]
        advance = _apply(advance, advance)
    return int(registers[0]) ^ 0xFFFFFFFF


def _zeros(length: int) -> NDArray[np.uint32]:
    """What `length` zero bytes make of a register: the images of its 32 bits."""
    one = np.uint32(1) << np.arange(32, dtype=np.uint32)
    byte = _TABLE[one & 0xFF] ^ (one >> 8)
    image = one
    while length:
        if length & 1:
            image = _apply(byte, image)
        byte = _apply(byte, byte)
        length >>= 1
    return image


def _apply(operator: NDArray[np.uint32], registers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Apply a linear map, given by the images of the 32 bits, to each register."""
    bits = (registers[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    images: NDArray[np.uint32] = np.bitwise_xor.reduce(bits * operator, axis=1)
    return images
