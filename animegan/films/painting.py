"""The pictures of a film painted shot by shot, and handed on to be encoded."""

import contextlib
import time
from dataclasses import dataclass
from functools import partial

from animegan.films.canvas import Canvas
from animegan.films.in_order import InOrder
from animegan.films.plan import Part, samples
from animegan.films.settings import How
from animegan.films.shot import ShotPainter
from animegan.films.writer import Writer
from animeprep.boxes import Picture
from animeprep.errors import FilmError
from animeprep.film import Film
from animeprep.progress import progress


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


def paint_parts(film: Film, how: How, parts: list[Part], writer: Writer) -> Outcome:
    """Paint parts of a film, in order.

    Args:
        film: from `probe`.
        how: to paint it.
        parts: which.
        writer: encodes what is painted; open.

    Raises:
        OutputError: a part could not be written.
        PaintingError: there is no room for a picture.
    """
    wanted = [index for part in parts for index in range(part.first, part.end)]
    tellers = [index for shot in sorted({part.shot for part in parts}) for index in samples(shot)]
    painter, shot = ShotPainter(how.painter), (-1, -1)
    canvas = Canvas.of(film, how.settings.max_side)
    made, begun = 0, time.perf_counter()
    with (
        contextlib.closing(InOrder(film, wanted)) as shown,
        contextlib.closing(InOrder(film, tellers)) as telling,
        progress(f"stylize {film.path.name}", len(wanted)) as advance,
    ):
        for part in parts:
            if part.shot != shot and shown.next():
                shot = part.shot
                painter.begin(_tellers(telling, shown, shot, canvas))
            for one in shown.before(part.end):
                picture = canvas.fitted(one.rgb)
                painted = painter.paint(picture)
                writer.add(one.seconds, partial(canvas.finished, picture, painted, how.settings))
                made += 1
                advance(f"{made / (time.perf_counter() - begun):.2f} pictures/s")
            writer.end(part)
        speed = made / (time.perf_counter() - begun)
        lost = 0 if shown.problem else len(wanted) - made
    return Outcome(made, painter.repeated, lost, speed, shown.problem)


def _tellers(
    telling: InOrder, shown: InOrder, shot: tuple[int, int], canvas: Canvas
) -> list[Picture]:
    """Pictures of a shot to take its norms from: where none of them came, its first."""
    found = [canvas.fitted(one.rgb) for one in telling.before(shot[1])]
    first = shown.next()
    return found if found or first is None else [canvas.fitted(first.rgb)]
