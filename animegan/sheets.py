"""Sheets: pictures in labelled columns beside each other, as papers compare methods."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from animeprep.boxes import Picture
from animeprep.images import resize

_GAP = 6
#: Height of the labels' strip, and sizes of their letters, pixels.
_STRIP, _LARGEST, _SMALLEST = 24, 16, 8


def sheet(
    rows: Sequence[Sequence[Picture | None]],
    columns: Sequence[str],
    side: int = 256,
    labels: Sequence[str] = (),
    corner: str = "",
) -> Picture:
    """Put pictures into a table, white between them.

    Args:
        rows: a picture for each column, uint8 RGB H×W×3 of any size; None leaves the place white.
        columns: the label above each column, made smaller where the column is narrow.
        side: the height of every row, pixels; pictures keep their shape.
        labels: where given, the label left of each row.
        corner: the label above those.

    Returns:
        uint8 RGB, (24 + rows·(side + 6)) × the columns' width.

    >>> white = np.full((10, 20, 3), 255, np.uint8)
    >>> sheet([[white, white], [white, None]], ["photo", "painted"], side=32).shape
    (100, 134, 3)
    """
    if labels:
        columns = (corner, *columns)
        rows = [(one, *row) for one, row in zip(_row_labels(labels, side), rows, strict=True)]
    scaled = [[None if one is None else _at_height(one, side) for one in row] for row in rows]
    shown = [[row[number] for row in scaled] for number in range(len(columns))]
    widths = [max((one.shape[1] for one in column if one is not None), default=side)
              for column in shown]  # fmt: skip
    lines = [np.hstack([_label(*pair) for pair in zip(columns, widths, strict=True)])]
    for row in scaled:
        cells = [_cell(*pair, side) for pair in zip(row, widths, strict=True)]
        lines.append(np.pad(np.hstack(cells), ((0, _GAP), (0, 0), (0, 0)), constant_values=255))
    return np.vstack(lines)[:, :-_GAP]


def _at_height(picture: Picture, height: int) -> Picture:
    return resize(picture, max(1, round(picture.shape[1] * height / picture.shape[0])), height)


def _cell(picture: Picture | None, width: int, height: int) -> Picture:
    cell = np.full((height, width + _GAP, 3), 255, np.uint8)
    if picture is not None:
        cell[:, : picture.shape[1]] = picture
    return cell


def _row_labels(texts: Sequence[str], height: int) -> list[Picture]:
    """Pictures of one width with a text each, black on white, half-way up."""
    font = ImageFont.load_default(_LARGEST)
    width = max(1, *(int(font.getlength(text)) + 1 for text in texts))
    made = []
    for text in texts:
        strip = Image.new("RGB", (width, height), "white")
        ImageDraw.Draw(strip).text((0, height // 2), text, fill="black", font=font, anchor="lm")
        made.append(np.asarray(strip))
    return made


def _label(text: str, width: int) -> Picture:
    """The strip above a column: black letters on white, cut off where even small ones are long."""
    sizes = range(_LARGEST, _SMALLEST - 1, -1)
    fonts = (ImageFont.load_default(size) for size in sizes)
    small = ImageFont.load_default(_SMALLEST)
    font = next((font for font in fonts if font.getlength(text) <= width), small)
    strip = Image.new("RGB", (width, _STRIP), "white")
    ImageDraw.Draw(strip).text((0, _STRIP - 4), text, fill="black", font=font, anchor="ls")
    return np.pad(np.asarray(strip), ((0, 0), (0, _GAP), (0, 0)), constant_values=255)
