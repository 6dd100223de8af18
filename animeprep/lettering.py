"""Where lettering stands in a picture: credits, title cards, burnt-in subtitles.

Letters are thin strokes of one tone that a top-hat filter finds, in strong contrast to what is
around them, with hard edges; several of like height stand side by side, aligned at their feet
and tops. Painted texture and line art fail one of these, most often contrast or alignment. The
tests of rows follow Epshtein, Ofek, Wexler, "Detecting text in natural scenes with stroke width
transform" (CVPR 2010). Lines of fewer than five letters are not found, nor
strokes wider than 2 % of the height, nor anything where thousands of marks that might be letters
crowd: that is texture.
"""

from dataclasses import dataclass, fields
from typing import Self, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from animeprep.boxes import Box, Picture
from animeprep.images import resize, to_gray

#: Lettering is looked for on pictures of this height, so that it does not depend on their size.
HEIGHT = 440
#: Strokes are at most so wide, pixels, and stand out by so many levels.
_STROKE, _CONTRAST = 9, 60
#: Edges are hard: what stands out by the lesser contrast covers at most so many times as much.
_FAINT, _SOFT = 30, 2.2
#: Letters are at least and at most so high, pixels.
_LOW, _HIGH = 5, 55
#: A line of text has so many letters and this mean contrast, levels.
_LETTERS, _CLEAR = 5, 105
#: Letters are looked for in strips of this width, pixels, so that wide pictures take no more
#: memory; a strip begins and ends so much further, which is more than a letter and its filters.
_STRIP, _MARGIN = 2000, 200
#: More of them in a strip are texture: a page in the smallest type that is found has 3,600.
_CROWD = 5000
#: So many pairs are looked at in one go.
_AT_ONCE = 2**18

_Numbers = NDArray[np.float64]
_Indexes = NDArray[np.intp]


@dataclass(frozen=True)
class _Letters:
    """What might be letters: arrays with one number a letter, in pixels and levels."""

    left: _Numbers
    top: _Numbers
    right: _Numbers
    bottom: _Numbers
    area: _Numbers
    contrast: _Numbers
    tone: _Numbers

    def __getitem__(self, which: _Indexes) -> Self:
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """All letters of these."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @property
    def corners(self) -> _Numbers:
        """N×4."""
        return np.stack([self.left, self.top, self.right, self.bottom], axis=1)

    @property
    def body(self) -> float:
        """Upper quartile of the heights."""
        return float(np.percentile(self.bottom - self.top, 75))


def lettering(picture: Picture) -> list[Box]:
    """Find lines of text.

    Args:
        picture: uint8 RGB H×W×3 or gray H×W.

    Returns:
        A box around each line, in pixels of the picture, from top to bottom.

    >>> card = np.zeros((180, 320, 3), np.uint8)
    >>> for left in range(100, 220, 15):
    ...     card[80:84, left : left + 12] = card[84:100, left + 4 : left + 8] = 255
    >>> lettering(card)
    [Box(top=80, left=100, height=20, width=117)]
    """
    gray = to_gray(picture) if picture.ndim == 3 else picture
    scale = max(1.0, gray.shape[0] / HEIGHT)
    if scale > 1:
        gray = resize(gray, max(1, round(gray.shape[1] / scale)), HEIGHT)
    pieces = [piece for ink in (gray, 255 - gray) for piece in _pieces(_letters(ink))]
    corners = np.array([corners for corners, _ in pieces]).reshape(-1, 4)
    certain = np.array([is_text for _, is_text in pieces], bool)
    lines = _groups(len(pieces), *_neighbours(corners, gap=2, ratio=1.7))
    boxes = [_box(corners[line], scale, gray.shape) for line in lines if certain[line].any()]
    return sorted(boxes, key=lambda box: (box.top, box.left))


def _box(corners: _Numbers, scale: float, shape: tuple[int, ...]) -> Box:
    """Around all of these, in a picture that is so many times as large."""
    left, top = (corners[:, :2].min(axis=0) * scale).astype(int).tolist()
    ends = np.minimum(corners[:, 2:].max(axis=0), (shape[1], shape[0]))
    right, bottom = np.round(ends * scale).astype(int).tolist()
    return Box(top, left, bottom - top, right - left)


def _letters(ink: Picture) -> _Letters:
    """The bright parts of a gray picture that might be letters, found strip by strip."""
    found = []
    for start in range(0, ink.shape[1], _STRIP):
        first = max(0, start - _MARGIN)
        letters = _letters_of_strip(ink[:, first : start + _STRIP + _MARGIN], first)
        own = np.flatnonzero((letters.left >= start) & (letters.left < start + _STRIP))
        found.append(letters[own if len(own) <= _CROWD else own[:0]])
    return _Letters.joined(found)


def _letters_of_strip(ink: Picture, first: int) -> _Letters:
    """The same in a strip that begins at this column of the picture."""
    above = cv2.morphologyEx(ink, cv2.MORPH_TOPHAT, np.ones((_STROKE, _STROKE), np.uint8))
    strokes = above > _CONTRAST
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(strokes.view(np.uint8))
    left, top, width, height, area = boxes.T
    right, bottom = left + width, top + height

    def within(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        sums: NDArray[np.int32] = np.asarray(cv2.integral(mask.view(np.uint8)))
        found = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return cast("NDArray[np.int32]", found)

    like = (height >= _LOW) & (height <= _HIGH) & (width <= 3 * height + 8)
    like &= (area >= 8) & (area <= 0.8 * width * height + 8)
    like &= within(above > _FAINT) <= _SOFT * within(strokes)
    like[0] = False  # what is no stroke
    which = np.flatnonzero(like)
    number = np.full(count, -1)
    number[which] = np.arange(len(which))
    at = np.flatnonzero(strokes)
    owner = number[labels.ravel()[at]]
    at, owner = at[owner >= 0], owner[owner >= 0]
    contrast = above.ravel()[at].astype(float)
    total = np.bincount(owner, contrast, len(which))
    # The middle of a stroke says more of its tone than its edges do.
    tone = np.bincount(owner, contrast * ink.ravel()[at], len(which)) / total
    left, top, width, height, area = boxes[which].T.astype(float)
    left += first
    return _Letters(left, top, left + width, top + height, area, total / area, tone)


def _neighbours(corners: _Numbers, gap: float, ratio: float) -> tuple[_Indexes, _Indexes]:
    """Pairs of boxes that stand side by side in a row.

    Args:
        corners: N×4, left, top, right, bottom.
        gap: greatest distance between two, in heights of the higher one.
        ratio: how many times as high one may be as the other.
    """
    left, top, right, bottom = corners.T
    height = bottom - top
    order = np.argsort(left, kind="stable")
    reach = np.searchsorted(left[order], (right + gap * ratio * height)[order], "right")
    counts = np.maximum(reach - np.arange(len(order)) - 1, 0)
    found = [np.empty((2, 0), np.intp)]
    cuts = np.flatnonzero(np.diff(np.cumsum(counts) // _AT_ONCE)) + 1
    for first in np.split(np.arange(len(order)), cuts):
        many = counts[first]
        step = np.arange(1, many.sum() + 1) - np.repeat(np.cumsum(many) - many, many)
        one, other = order[np.repeat(first, many)], order[np.repeat(first, many) + step]
        high = np.maximum(height[one], height[other])
        low = np.minimum(height[one], height[other])
        common = np.minimum(bottom[one], bottom[other]) - np.maximum(top[one], top[other])
        near = left[other] - right[one] <= gap * high
        near &= (common >= 0.6 * low) & (high <= ratio * low)
        found.append(np.stack([one[near], other[near]]))
    one, other = np.concatenate(found, axis=1)
    return one, other


def _groups(count: int, one: _Indexes, other: _Indexes) -> list[_Indexes]:
    """The members of each connected component."""
    links = coo_array((np.ones(len(one)), (one, other)), shape=(count, count))
    groups = connected_components(links, directed=False)[1] if count else np.empty(0, int)
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _pieces(letters: _Letters) -> list[tuple[_Numbers, bool]]:
    """The corners of each run of like letters, and whether it is text for certain."""
    one, other = _neighbours(letters.corners, gap=1, ratio=2.2)
    alike = np.abs(letters.tone[one] - letters.tone[other]) <= 20
    found = []
    for members in _groups(len(letters.tone), one[alike], other[alike]):
        if len(members) > 1:
            run = letters[members]
            run = _in_line(run) if len(members) >= _LETTERS else run
            corners = run.corners
            box = np.concatenate([corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)])
            found.append((box, _is_text(run, box)))
    return found


def _in_line(run: _Letters) -> _Letters:
    """A run without what sticks out of its line: parts of the picture that touch letters."""
    body, base = run.body, np.median(run.bottom)
    inside = (run.bottom <= base + 0.4 * body) & (run.top >= base - 1.5 * body)
    return run[np.flatnonzero(inside)] if inside.any() else run


def _is_text(run: _Letters, box: _Numbers) -> bool:
    """Whether a run of letters has the looks of type; the bounds are measured on films."""
    if len(run.tone) < _LETTERS or run.contrast.mean() < _CLEAR:
        return False
    body, (width, height) = run.body, box[2:] - box[:2]
    return bool(
        run.tone.std() <= 13
        and run.area.sum() >= 0.15 * width * height
        and width >= 2.5 * body
        and body >= 0.65 * height
        and _aligned(run.bottom, body) >= 0.5
        and _aligned(run.top, body) >= 0.4
    )


def _aligned(edges: _Numbers, body: float) -> float:
    """The greatest share of edges that lie at one height."""
    edges, slack = np.sort(edges), max(1, 0.07 * body)
    first = np.searchsorted(edges, edges - slack, "left")
    end = np.searchsorted(edges, edges + slack, "right")
    return float((end - first).max() / len(edges))
