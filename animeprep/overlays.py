"""What lies over the drawings of a film: logos, static borders, dark bars, rows of subtitles.

All are found by what stays put while the scenes change. At each pixel the directions of the
gradients of different scenes are averaged as unit vectors: the mean's length is near 1 where all
scenes have the same edge, as on a logo, and near 0 where each has its own.
Source of the measure: Mardia, Jupp, "Directional Statistics" (1999), mean resultant length.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Box, Picture
from animeprep.film.letterbox import BAR_LUMA, BAR_SPECKS, MAX_BAR_SHARE

#: Fewer different scenes do not tell a logo from chance.
MIN_SCENES = 5
#: So many different scenes with a line of text at one height tell a row of subtitles.
MIN_SUBTITLED = 3

#: Sobel's answer (4 times the levels per pixel) from which on a pixel is an edge.
_EDGE = 16
#: Two pictures show one background when they share this much of their edges.
_SAME = 0.25
#: A picture with a smaller share of edge pixels cannot be compared with others.
_PLAIN = 0.005
#: Mean resultant length from which on an edge stays put.
_STAYS = 0.8
#: Fewer pixels that stay put are chance.
_MIN_PIXELS = 40
#: Pixels up to this far apart belong to one area.
_REACH = 11
#: Around the edges found, pixels.
_MARGIN = 2
#: An area that covers more of the picture is no logo.
_MAX_AREA = 0.15
#: A line of pixels, this share of which stay put, is a border's, within this share of the side.
_LINE, _BORDER = 0.4, 0.2

_Field = NDArray[np.float32]


def scenes_of(pictures: Sequence[Picture]) -> list[int | None]:
    """Which pictures show one scene: they share the edges of one background.

    Args:
        pictures: uint8 gray H×W, all of one size, about 360 pixels high.

    Returns:
        For each the position of its scene's first picture; None for plain ones.

    >>> rng = np.random.default_rng(0)
    >>> one, other = (rng.integers(0, 255, (90, 160), np.uint8) for _ in range(2))
    >>> scenes_of([one, other, one // 2, np.zeros_like(one)])
    [0, 1, 0, None]
    """
    firsts: dict[int, _Field] = {}
    scenes: list[int | None] = []
    for position, picture in enumerate(pictures):
        field = _middle(_directions(picture))
        if float((field**2).sum()) < _PLAIN * field.shape[0] * field.shape[1]:
            scenes.append(None)
            continue
        same = (scene for scene, first in firsts.items() if _agreement(field, first) >= _SAME)
        scene = next(same, position)
        firsts.setdefault(scene, field)
        scenes.append(scene)
    return scenes


def constant_areas(scenes: Sequence[Picture]) -> list[Box]:
    """Where different scenes of a film are the same: logos and static borders.

    Args:
        scenes: uint8 gray H×W, all of one size, about 360 pixels high.

    Returns:
        Boxes; none where there are fewer than `MIN_SCENES`.

    >>> rng = np.random.default_rng(0)
    >>> scenes = [rng.integers(0, 99, (180, 320), np.uint8) for _ in range(8)]
    >>> for scene in scenes:
    ...     _ = cv2.putText(scene, "TV", (260, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, 255, 2)
    >>> constant_areas(scenes)
    [Box(top=10, left=257, height=33, width=42)]
    """
    if len(scenes) < MIN_SCENES:
        return []
    total = np.zeros((*scenes[0].shape, 2), np.float32)
    for scene in scenes:
        total += _directions(scene)
    stays = np.linalg.norm(total, axis=2) >= _STAYS * len(scenes)
    return [*_cut_borders(stays), *_components(stays)]


def _directions(gray: Picture) -> _Field:
    """Unit vectors along the gradient where there is an edge, else 0: H×W → H×W×2."""
    across, down = (cv2.Sobel(gray, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    length = cv2.magnitude(across, down)
    scale = np.where(length >= _EDGE, 1 / np.maximum(length, _EDGE), 0).astype(np.float32)
    return np.dstack([across * scale, down * scale])


def _middle(field: _Field) -> _Field:
    """Where neither logos nor subtitles nor borders are expected."""
    height, width = field.shape[:2]
    return field[height // 5 : height - height // 5, width // 5 : width - width // 5]


def _agreement(one: _Field, other: _Field) -> float:
    """The share of edge pixels with one direction in both pictures, of the plainer one's."""
    alike = np.einsum("ijk,ijk->ij", one, other) > 0.8
    return float(alike.sum() / min((one**2).sum(), (other**2).sum()))


def _cut_borders(stays: NDArray[np.bool_]) -> list[Box]:
    """Find long lines along the sides, and clear `stays` from there to the side."""
    depths = []
    # Each side in turn is brought to the top.
    for turns in range(4):
        turned = np.rot90(stays, turns)
        rows = np.flatnonzero(turned[: round(_BORDER * len(turned))].mean(axis=1) >= _LINE)
        depths.append(int(rows[-1]) + 1 if rows.size else 0)
        turned[: depths[-1] + _MARGIN if rows.size else 0] = False
    return _strips(depths, stays.shape)


def _strips(depths: Sequence[int], shape: tuple[int, ...]) -> list[Box]:
    """The strips along the top, right, bottom and left side that are deeper than 0."""
    height, width = shape
    top, right, bottom, left = depths
    strips = (
        Box(0, 0, top, width),
        Box(0, width - right, height, right),
        Box(height - bottom, 0, bottom, width),
        Box(0, 0, height, left),
    )
    return [strip for strip, depth in zip(strips, depths, strict=True) if depth]


def _components(stays: NDArray[np.bool_]) -> list[Box]:
    """Boxes around what lies together, with a margin."""
    kernel = np.ones((_REACH, _REACH), np.uint8)
    closed = cv2.morphologyEx(stays.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    number, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    pixels = np.bincount(labels[stays], minlength=number)
    boxes = []
    for label in range(1, number):
        left, top, width, height, _ = map(int, stats[label])
        if pixels[label] >= _MIN_PIXELS and width * height <= _MAX_AREA * stays.size:
            boxes.append(grown(Box(top, left, height, width), _MARGIN, stays.shape))
    return boxes


def dark_borders(pictures: Sequence[Picture]) -> list[Box]:
    """Lines along the sides that are dark in every picture, down to a single one.

    Args:
        pictures: uint8 gray H×W, all of one size; wholly dark ones say nothing.

    >>> picture = np.full((90, 160), 99, np.uint8)
    >>> picture[:2] = 0
    >>> dark_borders([picture])
    [Box(top=0, left=0, height=2, width=160)]
    """
    least: list[int] | None = None
    for picture in pictures:
        bright = picture > BAR_LUMA
        rows, columns = (bright.mean(axis=axis) > BAR_SPECKS for axis in (1, 0))
        if rows.any() and columns.any():
            sides = (rows, columns[::-1], rows[::-1], columns)
            depths = [int(side.argmax()) for side in sides]
            least = depths if least is None else [*map(min, least, depths)]
    if least is None:
        return []
    height, width = pictures[0].shape
    limits = (height, width, height, width)
    # Deeper ones are night rather than bars.
    depths = [d if d <= MAX_BAR_SHARE * side else 0 for d, side in zip(least, limits, strict=True)]
    return _strips(depths, pictures[0].shape)


def subtitle_rows(
    lines: Sequence[Sequence[Box]], scenes: Sequence[int | None], shape: tuple[int, ...]
) -> list[Box]:
    """Rows at the top or bottom in which different scenes of a film have lines of text.

    Args:
        lines: of text, of each picture.
        scenes: which scene each picture shows.
        shape: of the pictures, height and width first.

    Returns:
        Boxes across the whole width, since other pictures have longer lines.

    >>> lines = [[Box(300, 100 + x, 20, 200 - x)] for x in (0, 10, 30)]
    >>> subtitle_rows([*lines, [Box(20, 5, 20, 80)]], [0, 1, 2, 3], (360, 640))
    [Box(top=298, left=0, height=24, width=640)]
    """
    middles = [
        (line.top + line.height / 2, line, scene)
        for ours, scene in zip(lines, scenes, strict=True)
        for line in ours
        if scene is not None
    ]
    outer = (one for one in middles if abs(one[0] / shape[0] - 0.5) > 0.25)
    rows: list[list[tuple[Box, int]]] = []
    behind = 0.0
    for middle, line, scene in sorted(outer, key=lambda one: (one[0], one[2])):
        if middle >= behind:
            rows.append([])
            behind = line.top + line.height
        rows[-1].append((line, scene))
    boxes = []
    for row in rows:
        if len({scene for _, scene in row}) >= MIN_SUBTITLED:
            top = min(line.top for line, _ in row)
            bottom = max(line.top + line.height for line, _ in row)
            boxes.append(grown(Box(top, 0, bottom - top, shape[1]), _MARGIN, shape))
    return boxes


def grown(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    """A box with a margin, inside a picture of that shape.

    >>> grown(Box(1, 5, 10, 10), 2, (90, 16))
    Box(top=0, left=3, height=13, width=13)
    """
    top, left = max(0, box.top - margin), max(0, box.left - margin)
    bottom = min(shape[0], box.top + box.height + margin)
    return Box(top, left, bottom - top, min(shape[1], box.left + box.width + margin) - left)


def scaled_box(box: Box, scale: float, shape: tuple[int, ...], grid: int = 1) -> Box:
    """A box in a picture that was scaled, rounded outwards to a grid.

    Args:
        box: in the picture before.
        scale: pixels of the scaled picture for one of the picture before.
        shape: of the scaled picture, height and width first.
        grid: pixels.

    >>> scaled_box(Box(3, 5, 10, 20), 1.5, (90, 160), 8)
    Box(top=0, left=0, height=24, width=40)
    """
    top, left = (int(scale * first // grid) * grid for first in (box.top, box.left))
    bottom = min(shape[0], -int(-scale * (box.top + box.height) // grid) * grid)
    right = min(shape[1], -int(-scale * (box.left + box.width) // grid) * grid)
    return Box(top, left, bottom - top, right - left)
