"""Films through processes of their own: what one is, its pictures, its shots.

Long films that are numbered by timestamps are split over several processes.
"""

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from animeprep.film.decode import DECODING, Decoding, FilmPicture
from animeprep.film.packets import parts, work
from animeprep.film.sampling import SELECTION, Selection, indexes, positions
from animeprep.film.source import Film, FilmSettings
from animeprep.film.streams import CONTENTS, Contents
from animeprep.film.team import Team, Tick, prepare_workers, sensible
from animeprep.film.worker import pack, unpack

#: More processes than this only take memory.
MAX_PROCESSES = 4
#: A part is at least the work of decoding so many packets: a process takes time to start.
MIN_PART = 100


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def probe(
    path: Path,
    settings: FilmSettings | None = None,
    tick: Tick = lambda _: None,
    *,
    more_to_come: bool = False,
) -> Film:
    """Find out what a film is and decide how to make pictures of it.

    Args:
        path: the film.
        settings: what the user decided; None for nothing.
        tick: is told the number of packets read since the last time.
        more_to_come: whether its pictures are wanted next; then workers for that start meanwhile.

    Raises:
        FilmError: missing, empty, not a film, without pictures, absurd, encoded so that its
            colours cannot be known; or its decoder hung or crashed.
    """
    settings = settings or FilmSettings()
    job = {"job": "probe", "path": str(path), "settings": settings.model_dump()}
    team = Team(path, [(job, b"")], settings.patience, tick)
    if more_to_come:
        prepare_workers(path, min(cores(), MAX_PROCESSES) - 1)
    header, blob = team.only_answer()
    with sensible(path):
        return unpack(header, blob)


def pictures(
    film: Film,
    selection: Selection,
    *,
    skip: frozenset[int] = frozenset(),
    in_order: bool = False,
    decoding: Decoding | None = None,
    tick: Tick = lambda _: None,
) -> Iterator[FilmPicture]:
    """The wanted pictures of a film; memory does not grow with its length.

    A long film that is numbered by timestamps is split at key pictures over as many processes as
    there are cores; then pictures come in the order in which they are done.

    Args:
        film: from `probe`.
        selection: which pictures.
        skip: indexes that the caller has: they come without pixels.
        in_order: decode in one process, in the order in which they are shown.
        decoding: is filled when all is read.
        tick: is told the number of packets read since the last time.

    Raises:
        FilmError: too many undecodable packets in a row, or its decoder hung or crashed. What
            came before has been yielded.
    """
    decoding = decoding if decoding is not None else Decoding()
    split: Sequence[tuple[int, int] | None] = [None]
    asked: frozenset[int] | None = None
    if film.by_timestamps:
        wanted = indexes(film, selection)
        selection = Selection(only=tuple(wanted.tolist()))
        asked = frozenset(selection.only or ())
        mask = positions(film.packets, wanted)
        effort = float(work(film.packets, mask).sum())
        processes = min(cores(), MAX_PROCESSES, 1 + int(effort / MIN_PART))
        split = [None] if in_order else parts(film.packets, mask, processes)
    header, blob = pack(film)
    job = {
        "job": "pictures",
        "selection": SELECTION.dump_python(selection, mode="json"),
        "skip": sorted(skip),
        **header,
    }
    jobs = [({**job, "part": part}, blob) for part in split]
    for answer, pixels in Team(film.path, jobs, film.settings.patience, tick).answers():
        with sensible(film.path):
            if "decoding" in answer:
                decoding.add(DECODING.validate_python(answer["decoding"]))
                continue
            height, width = map(int, answer["shape"][:2])
            rgb = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
            index, seconds = int(answer["index"]), float(answer["seconds"])
            if (
                not math.isfinite(seconds)
                or index < 0
                or (asked is not None and index not in asked)
            ):
                raise ValueError("not what was asked for")
            picture = FilmPicture(index, seconds, rgb)
        yield picture
    if film.by_timestamps:
        decoding.pictures = film.pictures


def shots(
    film: Film, tick: Tick = lambda _: None, part: tuple[int, int] | None = None
) -> tuple[list[int], int]:
    """Indexes of the first picture of each shot, and how many pictures there are.

    Args:
        film: from `probe`.
        tick: is told the number of packets read since the last time.
        part: indexes of the first picture to look at and of the one after the last, of films that
            are numbered by timestamps; by default the whole film is decoded.

    Raises:
        FilmError: as `pictures`.
    """
    header, blob = pack(film)
    job = {"job": "shots", "part": part, **header}
    team = Team(film.path, [(job, blob)], film.settings.patience, tick)
    answer, _ = team.only_answer()
    with sensible(film.path):
        return [int(begin) for begin in answer["begins"]], int(answer["total"])


def contents(film: Film) -> Contents:
    """What a film holds beside its moving pictures.

    Raises:
        FilmError: it cannot be read.
    """
    job = {"job": "contents", "path": str(film.path)}
    answer, _ = Team(film.path, [(job, b"")], film.settings.patience, lambda _: None).only_answer()
    with sensible(film.path):
        return CONTENTS.validate_python(answer["contents"])
