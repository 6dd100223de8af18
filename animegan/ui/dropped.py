"""What was dropped on the page, and its painting.

A kind of file that can be painted is a class of `Dropped`, and a case in `open_dropped`.
"""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from animegan.errors import PaintingError
from animegan.painter import Painter
from animegan.photo import Photo, decode
from animegan.stylize import ANIMATED, IN_TILES, PaintSettings, encoded, finished, named, scaled
from animegan.tensors import Pixels
from animeprep.files import write_atomic
from animeprep.images import encode_jpeg, read_bytes, thumbnail

#: Longer side of what the page shows, pixels.
_SHOWN = 2048
#: Photos take memory while they are decoded: one at a time.
_decoding = threading.Lock()


@dataclass(frozen=True)
class Painting:
    """What came of painting.

    Attributes:
        file: to download.
        name: what it is called then.
        preview: a JPEG for the page.
        facts: what there is to know of it, in words.
    """

    file: Path
    name: str
    preview: bytes
    facts: list[str]


class Dropped(ABC):
    """Something to paint.

    Attributes:
        name: of its file.
        size: width and height of what is painted, pixels.
        preview: a JPEG for the page.
    """

    name: str
    size: tuple[int, int]
    preview: bytes

    @abstractmethod
    def paint(
        self,
        painter: Painter,
        settings: PaintSettings,
        file: Path,
        advance: Callable[[float], None],
    ) -> Painting:
        """Paint into a file.

        Args:
            painter: paints.
            settings: how.
            file: where the painting goes, whatever its format.
            advance: told the share that is done, 0 to 1; what it raises ends the painting.

        Raises:
            PaintingError: it cannot be painted.
            OutputError: the file cannot be written.
        """


def open_dropped(path: Path, name: str) -> Dropped:
    """What a file holds, by its content.

    Args:
        path: the file, which stays there while it may be painted.
        name: what the user calls it.

    Raises:
        PictureError: it is not a picture, broken, or too large.
    """
    return _Photo(path, name)


@dataclass(frozen=True)
class _Raw:
    """What the network alone made of a photo: strength and colours change without it."""

    painter: Painter
    photo: Photo
    pixels: Pixels
    in_tiles: bool


class _Photo(Dropped):
    """A photo, painted as `stylize` paints it."""

    def __init__(self, path: Path, name: str) -> None:
        with _decoding:
            self._photo = decode(read_bytes(path), name)
            self.preview = _preview(self._photo.pixels)
        self.name = name
        height, width = self._photo.pixels.shape[:2]
        self.size = width, height
        self._raw: _Raw | None = None

    def paint(
        self,
        painter: Painter,
        settings: PaintSettings,
        file: Path,
        advance: Callable[[float], None],
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
        described = painter.described()
        facts = [
            f"{painted.shape[1]:,} × {painted.shape[0]:,} pixels",
            str(described["network"]),
            *([f"step {described['step']:,}"] if "step" in described else []),
            *(note for note, is_so in notes.items() if is_so),
        ]
        return Painting(file, target.name, _preview(painted), facts)

    def _by_network(self, painter: Painter, photo: Photo, advance: Callable[[float], None]) -> _Raw:
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


@contextlib.contextmanager
def _followed(network: nn.Module, advance: Callable[[float], None]) -> Iterator[None]:
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


def _preview(pixels: Pixels) -> bytes:
    small = thumbnail(pixels, _SHOWN)
    if small.dtype == np.uint16:
        small = (small // 257).astype(np.uint8)
    return encode_jpeg(small)
