"""A photo that was dropped on the page."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from animegan.errors import PaintingError
from animegan.painter import Painter
from animegan.photo import Photo, decode
from animegan.stylize import ANIMATED, IN_TILES, PaintSettings, encoded, finished, named, scaled
from animegan.tensors import Pixels
from animegan.ui.dropped import Advance, Dropped, Painting, facts_of, preview_of
from animeprep.errors import PictureError
from animeprep.files import write_atomic
from animeprep.images import read_bytes

#: Of a photo's file, which is read whole.
MAX_BYTES = 2**29
#: Photos take memory while they are decoded: one at a time.
_decoding = threading.Lock()


@dataclass(frozen=True)
class _Raw:
    """What the network alone made of a photo: strength and colours change without it."""

    painter: Painter
    photo: Photo
    pixels: Pixels
    in_tiles: bool


class DroppedPhoto(Dropped):
    """A photo, painted as `stylize` paints it.

    Args:
        path: its file.
        name: what the user calls it.

    Raises:
        PictureError: it is not a picture, broken, or too large.
    """

    at_once = True

    def __init__(self, path: Path, name: str) -> None:
        with _decoding:
            self._photo = decode(_read(path, name), name)
            self.preview = preview_of(self._photo.pixels)
        self.name = name
        height, width = self._photo.pixels.shape[:2]
        self.size = width, height
        self._raw: _Raw | None = None

    def paint(
        self, painter: Painter, settings: PaintSettings, file: Path, advance: Advance
    ) -> Painting:
        """See `Dropped`; only another painter or size asks the network again."""
        photo = scaled(self._photo, settings.max_side)
        raw = self._raw
        if raw is None or raw.painter is not painter or raw.pixels.shape != photo.pixels.shape:
            raw = self._raw = self._by_network(painter, photo, advance)
        painted = finished(raw.photo, raw.pixels, settings)
        target = named(Path(self.name), settings)
        write_atomic(file, encoded(raw.photo, painted, settings, target))
        notes = {IN_TILES: raw.in_tiles, f"{ANIMATED} is painted": photo.animated}
        facts = facts_of(painter, painted) + [note for note, is_so in notes.items() if is_so]
        return Painting(file, target.name, preview_of(painted), facts)

    def _by_network(self, painter: Painter, photo: Photo, advance: Advance) -> _Raw:
        shares: list[float] = []
        whole = painter.fits(*photo.pixels.shape[:2])

        def in_tiles(share: float) -> None:
            shares.append(share)
            advance(share)

        def in_network(share: float) -> None:
            advance(share if whole else max(shares, default=0.0))

        # The one before makes room.
        self._raw = None
        with _followed(painter.generator, in_network):
            try:
                pixels = painter.paint(photo.pixels, advance=in_tiles)
            except PaintingError as error:
                problem = f"{error.path}: {error.problem}"
                raise PaintingError(self.name, problem, error.remedy) from error
        return _Raw(painter, photo, pixels, bool(shares))


def _read(path: Path, name: str) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise PictureError(name, "the file is too large", "paint it with `animeprep stylize`")
    return read_bytes(path)


@contextlib.contextmanager
def _followed(network: nn.Module, advance: Advance) -> Iterator[None]:
    """Tell how much of a network's forward pass is done, counted in modules."""
    leaves = [one for one in network.modules() if next(one.children(), None) is None]
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        advance(min(1.0, done / len(leaves)))

    hooks = [leaf.register_forward_hook(count) for leaf in leaves]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
