"""Which kind of thing a dropped file is, by its content."""

from pathlib import Path

from animegan.films.jobs import is_film
from animegan.ui.dropped import Dropped
from animegan.ui.photo import DroppedPhoto
from animeprep.images import is_image


def open_dropped(path: Path, name: str) -> Dropped:
    """What a file holds.

    Args:
        path: the file, which stays there while it may be painted.
        name: what the user calls it.

    Raises:
        PictureError: it is a picture, but broken or too large.
        FilmError: it is no picture, and no film that can be read.
    """
    if is_film(path, path) and not is_image(Path(name)):
        # Only films need the libraries that read and write them.
        from animegan.ui.clip import DroppedClip

        return DroppedClip(path, name)
    return DroppedPhoto(path, name)
