import pytest

from animegan.public.crc32c import crc32c


def bit_by_bit(data):
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def test_the_standards_vectors():
    # RFC 3720, B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 4091, 4092, 4093, 20000])
def test_any_length_equals_bit_by_bit(size):
    data = bytes(7 * number * number % 251 for number in range(size))
    assert crc32c(data) == bit_by_bit(data)
