"""Some pictures of a film beside their paintings, on one sheet."""

import contextlib
from pathlib import Path

import numpy as np

from animegan.films.canvas import Canvas
from animegan.films.in_order import InOrder
from animegan.films.plan import stretch
from animegan.films.settings import How
from animegan.sheets import sheet
from animeprep.errors import FilmError
from animeprep.files import write_atomic
from animeprep.film import probe
from animeprep.folders import MADE, Summary
from animeprep.images import encode_jpeg
from animeprep.progress import progress

_HEIGHT = 360


def preview_film(
    source: Path, target: Path, how: How, count: int, *, dry_run: bool = False
) -> Summary:
    """Paint pictures from all over a film, each with norms of its own, as a photo is.

    Args:
        source: a film.
        target: the sheet, JPEG.
        how: to paint it.
        count: of pictures.
        dry_run: count only.

    Raises:
        FilmError: it cannot be read, or has no pictures there.
        OutputError: the sheet cannot be written.
        PaintingError: there is no room for a picture.
    """
    film = probe(source)
    first, end = stretch(film, how.film.start, how.film.end)
    count = min(count, end - first)
    if not dry_run:
        how.painter.prepare()
    summary = Summary("stylize", dry_run=dry_run, figures=how.painter.described())
    if dry_run:
        summary.counts["to do"] = count
        return summary
    canvas, rows = Canvas.of(film, how.settings.max_side), []
    middles = first + (np.arange(count) + 0.5) * (end - first) / count
    alone = how.settings.model_copy(update={"compare": False})
    with (
        contextlib.closing(InOrder(film, middles.astype(int).tolist())) as found,
        progress(f"preview {source.name}", count) as advance,
    ):
        for one in found.before(end):
            picture = canvas.fitted(one.rgb)
            painted = how.painter.paint(picture)
            finished = canvas.finished(picture, painted, alone)
            rows.append([canvas.framed(picture), finished])
            advance()
    if not rows:
        raise found.problem or FilmError(source, "none of its pictures could be decoded")
    write_atomic(target, encode_jpeg(sheet(rows, ["film", "painted"], _HEIGHT), 95))
    summary.counts[MADE] = len(rows)
    summary.figures["to"] = str(target)
    return summary
