"""Names that every file system takes."""

import os
import re

from animeprep.files import sha256

#: File systems take 255 bytes; endings need some.
_MAX_BYTES = 200


def plain(name: str) -> str:
    """A name without anything that a file system or a shell might trip over; it may be empty.

    >>> plain("Spirited Away (2001) [1080p]")
    'Spirited_Away_2001_1080p'
    """
    return re.sub(r"[^\w-]+", "_", name).strip("_")


def slug(name: str) -> str:
    """The beginning of a plain name, 40 characters at most.

    >>> slug("Spirited Away (2001) [1080p]"), slug("***")
    ('Spirited_Away_2001_1080p', 'film')
    """
    return plain(name)[:40] or "film"


def shortened(name: str) -> str:
    """A name that leaves room for endings; a long one ends in a hash of the whole.

    >>> shortened("a"), len(shortened("ä" * 127))
    ('a', 104)
    """
    data = os.fsencode(name)
    if len(data) <= _MAX_BYTES:
        return name
    return f"{data[: _MAX_BYTES - 9].decode(errors='ignore')}-{sha256(data)[:8]}"
