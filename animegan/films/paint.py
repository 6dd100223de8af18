"""A film in, a painted film out: decoding, painting and encoding overlap.

Each shot is painted with norms of its own, taken from some of its pictures (`animegan.steady`).
Parts lie in a folder beside the film until it is whole; what is there is not painted again.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from animegan.films.encode import Encoder
from animegan.films.formats import CONTAINERS
from animegan.films.mux import Cut, Rest, carried, join, marked
from animegan.films.painting import Outcome, find_parts, paint_parts
from animegan.films.parts import Parts
from animegan.films.plan import Part, stretch
from animegan.films.settings import How
from animegan.films.writer import Writer
from animeprep.errors import FilmError, InputError
from animeprep.film import Film, contents, probe
from animeprep.folders import FAILED, MADE, Summary

#: Counts: pictures that were painted before, that looked like the one before, that did not come.
UNCHANGED, REPEATED, LOST = "unchanged", "repeated", "could not be decoded"


def paint_film(
    source: Path,
    target: Path,
    how: How,
    *,
    dry_run: bool = False,
    advance: Callable[[float], None] = lambda _share: None,
) -> Summary:
    """Paint a film: its pictures, with all that the file has beside them.

    What a killed run left in `TARGET.parts/` is gone on with.

    Args:
        source: a film.
        target: a file whose suffix is one of `CONTAINERS`.
        how: to paint it.
        dry_run: count only.
        advance: told the share of the pictures that is painted, 0 to 1; what it raises ends the
            painting, which can be gone on with.

    Returns:
        Counts of pictures. Where the film breaks off, that is a problem, and what came before is
        there.

    Raises:
        FilmError: the film cannot be read, or has no pictures there.
        InputError: the film would be overwritten.
        UsageError: not a container's suffix.
        OutputError: it cannot be written.
        PaintingError: there is no room for a picture, or another run is at work on it.
    """
    codec = how.film.codec_of(target)
    if target.resolve() == source.resolve():
        raise InputError(source, "would be overwritten", "name another file with -o")
    film = probe(source, more_to_come=not dry_run)
    if not dry_run:
        how.painter.prepare_steady()
    summary = Summary("stylize", dry_run=dry_run, figures=how.painter.described())
    if dry_run:
        summary.counts["to do"] = len(range(*stretch(film, how.film.start, how.film.end)))
        return summary
    found = contents(film)
    streams, others = carried(source, found.streams, CONTAINERS[target.suffix.lower()])
    parts = find_parts(film, how, advance)
    with Parts.opened(target, _plan(film, how, parts)) as files:
        todo = [part for part in parts if not files.has(part)]
        done = sum(part.end - part.first for part in parts if part not in todo)
        summary.counts += Counter({UNCHANGED: done})
        with Writer(files, partial(Encoder, codec=codec, crf=how.film.crf)) as writer:
            _tell(summary, paint_parts(film, how, todo, writer, advance))
        listed = files.listed(how.film.start or 0.0)
        if not listed:
            raise FilmError(source, "none of its pictures could be decoded", "check that it plays")
        comment = marked(found.comment) if how.settings.mark else ""
        cut = Cut(how.film.start or 0.0, how.film.end)
        gap = 1 / (film.rate or 25)
        join(listed, Rest(source, cut, streams, gap, comment, codec), target)
        files.remove()
    summary.figures |= {"to": str(target), "shots": len({part.shot for part in parts})}
    if others:
        summary.figures["left out, though .mkv may hold it"] = others
    return summary


def _plan(film: Film, how: How, parts: list[Part]) -> str:
    """All that painted parts depend on."""
    told = [film.film_id, film.content, film.settings.look(), how.painter.digest()]
    told += [how.settings.model_dump_json(), how.film.model_dump_json()]
    return "\n".join([*told, *(f"{part.first} {part.end} {part.shot}" for part in parts)])


def _tell(summary: Summary, outcome: Outcome) -> None:
    summary.counts[MADE] = outcome.made
    summary.reasons += Counter({REPEATED: outcome.repeated, LOST: outcome.lost})
    if outcome.made:
        summary.figures["pictures a second"] = round(outcome.speed, 2)
    if outcome.problem is not None:
        summary.counts[FAILED] += 1
        summary.problems.append(f"{outcome.problem}; the film ends there")
