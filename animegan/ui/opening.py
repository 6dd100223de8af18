"""Which kind of thing a dropped file is, by its content."""

from pathlib import Path

from animegan.ui.dropped import Dropped
from animegan.ui.photo import DroppedPhoto


def open_dropped(path: Path, name: str) -> Dropped:
    """What a file holds.

    Args:
        path: the file, which stays there while it may be painted.
        name: what the user calls it.

    Raises:
        PictureError: it is not a picture, broken, or too large.
    """
    return DroppedPhoto(path, name)
