"""What a packet's own bytes say: does its picture start a group, stand alone, serve others?

H.264: ITU-T H.264 §7.3 (nal_ref_idc, slice_type); HEVC: ITU-T H.265 §7.4.2.2 (types of NAL units);
MPEG-1/2: ISO/IEC 13818-2 §6.2 (picture_coding_type, closed_gop).
"""

from collections.abc import Callable, Iterator
from enum import IntFlag

import av


class Kind(IntFlag):
    """What is known of a packet."""

    KEY = 1
    """its picture refers to no other: it can be decoded alone"""
    SYNC = 2
    """nothing at or after it, in decoding order, refers to anything before it"""
    DISPOSABLE = 4
    """no picture refers to it"""
    BROKEN = 8
    """it does not follow the syntax"""


#: A packet's bytes → its kind, and its temporal layer: a disposable picture of a lower layer may be
#: referred to by higher ones. `KEY` and `SYNC` hold only where the container flags a key picture.
Reader = Callable[[bytes], tuple[Kind, int]]

#: HEVC: after these units decoders drop pictures that still wait, so that packets do not tell how
#: many come.
_SEQUENCE_ENDS = {36, 37}

_START_CODE = b"\x00\x00\x01"


def reader(codec: str, extradata: bytes) -> Reader | None:
    """The reader of a codec's packets; None for a codec of which too little is known.

    Args:
        codec: FFmpeg's name of the format, `h264` say.
        extradata: the stream's header, as the container has it.
    """
    if codec in {"h264", "hevc"}:
        read = _h264 if codec == "h264" else _hevc
        at = 4 if codec == "h264" else 21
        # In MP4 and Matroska units are preceded by their length, elsewhere by a start code.
        packed = len(extradata) > at and extradata[0] == 1
        length_bytes = (extradata[at] & 3) + 1 if packed else 0
        return lambda data: read(data, length_bytes)
    if codec in {"mpeg1video", "mpeg2video"}:
        return _mpeg2
    if codec in {"vp8", "vp9", "av1", "ffv1"} or _intra_only(codec):
        return _closed
    return None


def _intra_only(codec: str) -> bool:
    try:
        return av.codec.Codec(codec, "r").intra_only
    except ValueError:
        return False


def _closed(_: bytes) -> tuple[Kind, int]:
    """Codecs whose key pictures forget everything before them."""
    return Kind.KEY | Kind.SYNC, 0


def _units(data: bytes, length_bytes: int) -> Iterator[tuple[int, int] | None]:
    """Begin and end of each NAL unit; None where the lengths do not add up."""
    if length_bytes:
        at = 0
        while at < len(data):
            begin = at + length_bytes
            at = begin + int.from_bytes(data[at:begin], "big")
            if begin >= at or at > len(data):
                yield None
                return
            yield begin, at
        return
    begin = data.find(_START_CODE)
    while begin >= 0:
        following = data.find(_START_CODE, begin + 3)
        yield begin + 3, following if following >= 0 else len(data)
        begin = following


def _h264(data: bytes, length_bytes: int) -> tuple[Kind, int]:
    disposable, closed, alone, slices = True, True, True, 0
    for unit in _units(data, length_bytes):
        if unit is None or unit[0] >= unit[1]:
            return Kind.BROKEN, 0
        header = data[unit[0]]
        if 1 <= header & 31 <= 5:
            slices += 1
            disposable &= header >> 5 & 3 == 0
            closed &= header & 31 == 5
            alone &= _slice_type(data[unit[0] + 1 : unit[0] + 17]) in {2, 7}
    if not slices:
        return Kind.BROKEN, 0
    kind = Kind.DISPOSABLE if disposable else Kind(0)
    if closed:
        kind |= Kind.SYNC | Kind.KEY
    return kind | (Kind.KEY if alone else Kind(0)), 0


def _slice_type(head: bytes) -> int:
    """The second Exp-Golomb number of a slice header: 2 and 7 are I, 0 and 5 P, 1 and 6 B."""
    bits = "".join(f"{byte:08b}" for byte in head.replace(b"\x00\x00\x03", b"\x00\x00"))
    value, at = -1, 0
    for _ in range(2):
        zeros = bits.find("1", at) - at
        if zeros < 0 or at + 2 * zeros + 1 > len(bits):
            return -1
        value = int(bits[at + zeros : at + 2 * zeros + 1], 2) - 1
        at += 2 * zeros + 1
    return value


def _hevc(data: bytes, length_bytes: int) -> tuple[Kind, int]:
    types, layer = set(), 0
    for unit in _units(data, length_bytes):
        if unit is None or unit[1] - unit[0] < 2:
            return Kind.BROKEN, 0
        first, second = data[unit[0]], data[unit[0] + 1]
        enhancement = (first & 1) << 5 | second >> 3
        if first >> 1 & 63 in _SEQUENCE_ENDS:
            return Kind.BROKEN, 0
        if first >> 1 & 63 < 32 and not enhancement:
            types.add(first >> 1 & 63)
            layer = (second & 7) - 1
    if not types:
        return Kind.BROKEN, 0
    kind = Kind(0)
    if all(16 <= one <= 21 for one in types):
        # BLA pictures have leading pictures that no decoder shows: left to counting.
        kind = Kind.KEY | (Kind.SYNC if types <= {19, 20} else Kind(0))
        kind |= Kind.BROKEN if types & {16, 17, 18} else Kind(0)
    elif all(one < 16 and one % 2 == 0 for one in types):
        kind = Kind.DISPOSABLE
    return kind, layer


def _mpeg2(data: bytes) -> tuple[Kind, int]:
    coding, closed = set(), False
    at = data.find(_START_CODE)
    while 0 <= at < len(data) - 7:
        code = data[at + 3]
        if code == 0x00:
            coding.add(data[at + 5] >> 3 & 7)
        elif code == 0xB8:
            closed = bool(data[at + 7] & 0x40)
        elif code == 0x01:
            break  # the first slice: no more headers, unless a second field follows
        at = data.find(_START_CODE, at + 4)
    if not coding:
        return Kind.BROKEN, 0
    if coding == {3}:
        return Kind.DISPOSABLE, 0
    if coding == {1}:
        return Kind.KEY | (Kind.SYNC if closed else Kind(0)), 0
    return Kind(0), 0
