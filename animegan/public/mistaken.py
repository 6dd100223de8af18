"""What a file is that was taken for weights and is not: told by how it begins."""

import re

#: How a file begins → what it is.
_KINDS: tuple[tuple[str, bytes], ...] = (
    ("empty", rb"\Z"),
    ("a web page, not the file behind it", rb"\s*<(!doctype html|html|head)"),
    ("a pointer of Git LFS, not the file behind it", rb"version https://git-lfs"),
    ("OpenVINO's IR; name what it was exported from", rb"\s*(<\?xml|<net )"),
    (
        "an ONNX model; name what it was exported from",
        rb"\x08.\x12.(pytorch|tf2onnx|onnx|skl2onnx)",
    ),
    ("a film", rb"....ftyp(?!avi|hei|mif)|\x1a\x45\xdf\xa3|RIFF....AVI |\x00\x00\x01\xba"),
    ("a picture", rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|....ftyp|II\*\x00|MM\x00\*|BM"),
    ("an archive; unpack it", rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd"),
    ("a text", rb"[\t\n\r -~]+\Z"),
    ("an HDF5 file, Keras weights say, which are not read", rb"\x89HDF"),
)


def what_it_is(start: bytes) -> str | None:
    """What a file is that begins like this; None where it may be weights.

    >>> what_it_is(b"<!DOCTYPE html><html>")
    'a web page, not the file behind it'
    """
    if start[4:9] == b"\0\0\0\0{":
        return None  # safetensors: the length of a header may look like anything
    for kind, pattern in _KINDS:
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            return kind
    return None
