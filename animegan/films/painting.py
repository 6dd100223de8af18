"""The pictures of a film painted shot by shot, as an iterator, and handed on to be encoded."""

import contextlib
import itertools
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from animegan.films.canvas import Canvas
from animegan.films.in_order import InOrder
from animegan.films.plan import Part, parts_of, samples, stretch
from animegan.films.settings import How
from animegan.films.shot import ShotPainter
from animegan.films.writer import Writer
from animegan.tensors import Pixels
from animeprep.boxes import Picture
from animeprep.errors import FilmError
from animeprep.film import Film, probe, shots
from animeprep.progress import progress


class Painted(NamedTuple):
    """One picture of a film and its painting.

    Attributes:
        part: that it belongs to.
        seconds: when it is shown, from the film's beginning.
        picture: uint8 RGB H×W×3, without bars.
        painting: the same.
    """

    part: Part
    seconds: float
    picture: Picture
    painting: Pixels


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        made: pictures that were written.
        repeated: of these, how many looked like the one before and were not painted anew.
        lost: pictures that could not be decoded.
        speed: pictures a second.
        problem: why the film broke off, if it did.
    """

    made: int
    repeated: int
    lost: int
    speed: float
    problem: FilmError | None


def find_parts(
    film: Film, how: How, advance: Callable[[float], None] = lambda _share: None
) -> list[Part]:
    """The stretch that is asked for, shot by shot.

    Args:
        film: from `probe`.
        how: to paint it.
        advance: told 0 again and again meanwhile.

    Raises:
        FilmError: it holds no picture.
    """
    first, end = stretch(film, how.film.start, how.film.end)
    with progress(f"shots {film.path.name}", len(film.packets)) as show:

        def tick(packets: int) -> None:
            show(by=packets)
            advance(0.0)

        part = (first, end) if film.by_timestamps else None
        begins, total = shots(film, tick, part)
    end = min(end, total)
    return parts_of([first, *(begin for begin in begins if first < begin < end)], end)


def paint_pictures(source: Path, how: How) -> Iterator[Painted]:
    """The pictures of a film and their paintings, as `stylize` paints them; nothing is written.

    Args:
        source: a film.
        how: to paint it.

    Raises:
        FilmError: the film cannot be read or breaks off.
        PaintingError: there is no room for a picture.
    """
    film = probe(source, more_to_come=True)
    painter = FilmPainter(film, how)
    yield from painter.paint(find_parts(film, how))
    if painter.problem is not None:
        raise painter.problem


def paint_parts(
    film: Film,
    how: How,
    parts: list[Part],
    writer: Writer,
    advance: Callable[[float], None],
) -> Outcome:
    """Paint parts of a film, in order, and write them.

    Args:
        film: from `probe`.
        how: to paint it.
        parts: which.
        writer: encodes what is painted; open.
        advance: told the share that is painted, 0 to 1.

    Raises:
        OutputError: a part could not be written.
        PaintingError: there is no room for a picture.
    """
    painter, made, begun = FilmPainter(film, how), 0, time.perf_counter()
    wanted = sum(part.end - part.first for part in parts)
    finish = painter.canvas.finished
    with (
        contextlib.closing(painter.paint(parts)) as found,
        progress(f"stylize {film.path.name}", wanted) as show,
    ):
        for part, group in itertools.groupby(found, lambda one: one.part):
            for _, seconds, picture, painting in group:
                writer.add(seconds, partial(finish, picture, painting, how.settings))
                made += 1
                show(f"{made / (time.perf_counter() - begun):.2f} pictures/s")
                advance(made / wanted)
            writer.end(part)
    lost = 0 if painter.problem else wanted - made
    speed = made / (time.perf_counter() - begun)
    return Outcome(made, painter.repeated, lost, speed, painter.problem)


class FilmPainter:
    """Paints the pictures of a film.

    Args:
        film: from `probe`.
        how: to paint it.

    Attributes:
        canvas: its pictures.
        problem: why the film broke off, if it did.
    """

    def __init__(self, film: Film, how: How) -> None:
        self.canvas = Canvas.of(film, how.settings.max_side)
        self.problem: FilmError | None = None
        self._film = film
        self._by_shot = ShotPainter(how.painter)

    @property
    def repeated(self) -> int:
        """How many pictures looked like the one before and were not painted anew."""
        return self._by_shot.repeated

    def paint(self, parts: list[Part]) -> Generator[Painted, None, None]:
        """The pictures of parts, in order."""
        wanted = [index for part in parts for index in range(part.first, part.end)]
        every_shot = sorted({part.shot for part in parts})
        tellers = [index for shot in every_shot for index in samples(shot)]
        shot = (-1, -1)
        with (
            contextlib.closing(InOrder(self._film, wanted)) as shown,
            contextlib.closing(InOrder(self._film, tellers)) as telling,
        ):
            for part in parts:
                if part.shot != shot and shown.next():
                    shot = part.shot
                    self._by_shot.begin(self._tellers(telling, shown, shot))
                for one in shown.before(part.end):
                    picture = self.canvas.fitted(one.rgb)
                    yield Painted(part, one.seconds, picture, self._by_shot.paint(picture))
            self.problem = shown.problem

    def _tellers(self, telling: InOrder, shown: InOrder, shot: tuple[int, int]) -> list[Picture]:
        """Pictures of a shot to take its norms from: where none of them came, the next one."""
        found = [self.canvas.fitted(one.rgb) for one in telling.before(shot[1])]
        first = shown.next()
        return found if found or first is None else [self.canvas.fitted(first.rgb)]
