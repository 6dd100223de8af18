"""Names that every file system takes."""

import re


def slug(name: str) -> str:
    """A name without anything that a file system or a shell might trip over.

    >>> slug("Spirited Away (2001) [1080p]")
    'Spirited_Away_2001_1080p'
    """
    return re.sub(r"[^\w-]+", "_", name).strip("_")[:40] or "film"
