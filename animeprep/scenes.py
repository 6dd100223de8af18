"""The sharpest pictures of each shot of a film."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from animeprep.film import Decoding, Film, FilmPicture, Selection, Tick, pictures
from animeprep.film.sampling import indexes
from animeprep.film.shots import candidates
from animeprep.gates import sharpness


@dataclass(frozen=True)
class Scenes:
    """What to take of each shot.

    Attributes:
        bounds: indexes of the first picture of each shot, and how many pictures the film has.
        picks: pictures of each shot.
        of_each: candidates that each is the sharpest of.
        limit: no more than this many pictures, the first ones; None for all.
    """

    bounds: list[int]
    picks: int
    of_each: int
    limit: int | None


def sharpest(
    film: Film, window: Selection, scenes: Scenes, decoding: Decoding, tick: Tick
) -> Iterator[FilmPicture]:
    """The sharpest candidate of each stretch of each shot; of equally sharp ones the earlier.

    Args:
        film: from `probe`.
        window: the stretch of the film to look at.
        scenes: what to take.
        decoding: is filled when all is read.
        tick: is told the number of packets read since the last time.

    Raises:
        FilmError: as `pictures`.
    """
    group_of = candidates(scenes.bounds, scenes.picks, scenes.of_each)
    if film.by_timestamps:
        # Known beforehand, so that nothing is read for shots that are not wanted.
        inside = set(indexes(film, window).tolist())
        group_of = {index: group for index, group in group_of.items() if index in inside}
        first = set(sorted(set(group_of.values()))[: scenes.limit])
        group_of = {index: group for index, group in group_of.items() if group in first}
    waiting = Counter(group_of.values())
    best: dict[int, tuple[float, int, FilmPicture]] = {}
    taken: set[int] = set()
    wanted = replace(window, only=tuple(sorted(group_of)))
    for found in pictures(film, wanted, decoding=decoding, tick=tick):
        group = group_of[found.index]
        waiting[group] -= 1
        if group not in best and len(best) + len(taken) == scenes.limit:
            continue  # of films that are counted, only reading tells which groups come first
        one = (-sharpness(found.rgb), found.index, found)
        best[group] = min(best.get(group, one), one, key=lambda known: known[:2])
        if not waiting[group]:
            taken.add(group)
            yield best.pop(group)[2]
    for group in sorted(best):
        # Some of its candidates lie outside of the window, or could not be decoded.
        yield best[group][2]
