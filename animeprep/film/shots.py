"""Where shots begin: FFmpeg's `scdet` on all pictures of a film, scaled down, and fades from black.

The score of `scdet` is the change of the mean absolute difference between neighbours, in percent
of the levels: a pan differs from picture to picture by about the same, a cut by much more than
before. Its own bound of 10 takes camera shake on twos for cuts: in a film whose 15 cuts score 16
to 37, the shake scores up to 11.7; in two others the lowest cuts score 16.9 and 14.2.
"""

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator

import av.filter
import numpy as np
from av.video.frame import VideoFrame

from animeprep.film.convert import linked
from animeprep.film.decode import Decoding, Reading
from animeprep.film.fields import pulled, undone
from animeprep.film.packets import everything, whole_groups
from animeprep.film.sampling import positions
from animeprep.film.source import Film, moving_pictures, opened

#: Score of a cut, percent.
THRESHOLD = 13
#: A picture is black when its 98th percentile of luma is below this, of 255.
BLACK = 40
_WIDTH = 320


def find_shots(
    film: Film, alive: Callable[[], None], part: tuple[int, int] | None = None
) -> tuple[list[int], int]:
    """Indexes of the first picture of each shot, and how many pictures there are; in this process.

    Args:
        film: from `probe.examine`.
        alive: is called for each packet that was read.
        part: indexes of the first picture to look at, which begins a shot then, and of the one
            after the last; of films that are numbered by timestamps. By default all is decoded.

    Raises:
        FilmError: too many undecodable packets in a row.
    """
    packets = film.packets
    first, end = part or (0, film.pictures)
    todo = everything(packets)
    if part:
        todo = whole_groups(packets, positions(packets, np.arange(first, end)))
    with opened(film.path) as container:
        stream = moving_pictures(container, film.path)
        reading = Reading(container, stream, packets, threaded=True, alive=alive)
        frames = reading.frames(todo, Decoding(), seek=part is not None)
        rate = str(stream.average_rate or 25)
        cuts, total = _cuts(undone(frames, film.fields, film.field_order, rate))
    if not film.by_timestamps:
        return [0, *(ordinal for ordinal, _ in cuts if ordinal)], total
    index_of = {int(packets.pts[at]): index for index, at in enumerate(packets.order)}
    begins = sorted(index_of[pts] for _, pts in cuts if pts in index_of)
    return [first, *(begin for begin in begins if first < begin < end)], film.pictures


def _cuts(frames: Iterator[VideoFrame]) -> tuple[list[tuple[int, int]], int]:
    """(ordinal, timestamp) of all that begin a shot but for the first; the number of pictures."""
    cuts: list[tuple[int, int]] = []
    count, begins = 0, Cuts()
    for count, frame in enumerate(frames, 1):
        pts = frame.pts or 0
        if begins(frame) and count > 1:
            cuts.append((count - 1, pts))
    return cuts, count


class Cuts:
    """Tells of pictures that come one after the other which begin a shot; the first does."""

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._size = (0, 0)
        self._after_black = False

    def __call__(self, frame: VideoFrame) -> bool:
        """Whether it begins a shot; pictures of another size are another shot."""
        begins = self._size != (frame.width, frame.height)
        if self._graph is None or begins:
            self._size = (frame.width, frame.height)
            self._graph = _detector(frame)
        self._graph.push(frame)
        for seen in pulled(self._graph):
            begins |= float(seen.metadata.get("lavfi.scd.score", 0)) >= THRESHOLD
            is_black = bool(np.percentile(seen.to_ndarray(), 98) < BLACK)
            begins |= self._after_black and not is_black
            self._after_black = is_black
        return begins


def _detector(frame: VideoFrame) -> av.filter.Graph:
    rows = max(2, round(frame.height * _WIDTH / frame.width))
    return linked(
        frame,
        ("scale", f"w={_WIDTH}:h={rows}:flags=fast_bilinear"),
        ("format", "pix_fmts=gray"),
        ("scdet", f"threshold={THRESHOLD}"),
    )


def shot_of(begins: list[int], index: int) -> int:
    """The number of the shot that a picture belongs to, from 0.

    >>> shot_of([0, 40, 90], 39), shot_of([0, 40, 90], 40)
    (0, 1)
    """
    return bisect_right(begins, index) - 1


def candidates(bounds: list[int], picks: int, of_each: int) -> dict[int, int]:
    """Pictures to choose the sharpest of: index → group.

    Each shot is cut into `picks` stretches of like length, each a group, in which `of_each`
    pictures are spread evenly; their ends are left out, where a cut may blend.

    Args:
        bounds: indexes of the first picture of each shot, and how many pictures there are.
        picks: groups in a shot.
        of_each: candidates in a group.

    >>> candidates([0, 10, 20], picks=1, of_each=2)
    {3: 0, 6: 0, 13: 1, 16: 1}
    """
    found: dict[int, int] = {}
    for shot, (begin, end) in enumerate(itertools.pairwise(bounds)):
        for pick in range(min(picks, end - begin)):
            low = begin + (end - begin) * pick / picks
            step = (end - begin) / picks / (of_each + 1)
            for number in range(1, of_each + 1):
                found.setdefault(int(low + step * number), shot * picks + pick)
    return found
