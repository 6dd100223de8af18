"""Faces drawn by a few shapes, of which the colours of hair and eyes are known.

Place, size, shade, fringe, skin and background vary, so a small network has something to learn and
no two faces are copies; the eyes are 10 pixels and more, so it can.
"""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from animegan.faces.collection import SIDE, Faces
from animegan.faces.words import EYES, HAIR, UNSAID
from animeprep.boxes import Picture
from animeprep.images import encode_jpeg, encode_png

#: sRGB, far from one another within hair and within eyes.
COLOURS = {
    "orange": (240, 130, 20), "white": (248, 248, 248), "aqua": (70, 225, 225),
    "gray": (135, 135, 140), "green": (45, 160, 60), "red": (205, 25, 40),
    "purple": (125, 45, 175), "pink": (250, 140, 195), "blue": (40, 70, 215),
    "black": (22, 22, 28), "brown": (110, 65, 30), "blonde": (245, 222, 120),
    "yellow": (250, 220, 30),
}  # fmt: skip
#: Shapes are drawn so many times as large, then scaled by areas.
_LARGER = 4
_LINE = (60, 40, 40)


def drawn_faces(
    count: int, seed: int = 0, hair: Sequence[str] = HAIR, eyes: Sequence[str] = EYES
) -> Faces:
    """Faces called `0`, `1` …, each with one of the colours given, drawn by lot.

    Args:
        count: how many.
        seed: other seeds draw other faces.
        hair: colours of hair that there are.
        eyes: colours of eyes that there are.
    """
    rng = np.random.default_rng(seed)
    said = [(str(rng.choice(hair)), str(rng.choice(eyes))) for _ in range(count)]
    return Faces(
        tuple(map(str, range(count))),
        np.array([drawn_face(rng, *one) for one in said], np.uint8).reshape(-1, SIDE, SIDE, 3),
        np.array([HAIR.index(one) for one, _ in said], np.int64),
        np.array([EYES.index(one) for _, one in said], np.int64),
    )


def drawn_face(rng: np.random.Generator, hair: str, eyes: str, side: int = SIDE) -> Picture:
    """One face, uint8 RGB of `side` squared."""
    canvas = np.full((SIDE * _LARGER,) * 2 + (3,), _pastel(rng), np.uint8)
    x, y = rng.uniform(-3, 3, 2) + SIDE / 2
    size = rng.uniform(0.9, 1.1)

    def blob(at: tuple[float, float], radii: tuple[float, float], colour: Sequence[float] | NDArray[np.float64]) -> None:
        """An ellipse; places from the face's middle, all in pixels of 64."""
        centre = ((x + at[0] * size) * _LARGER, (y + at[1] * size) * _LARGER)
        axes = (2 * radii[0] * size * _LARGER, 2 * radii[1] * size * _LARGER)
        cv2.ellipse(canvas, (centre, axes, 0), tuple(colour), -1, cv2.LINE_AA)

    shade = _shaded(rng, COLOURS[hair])
    blob((0, -2), (rng.uniform(25, 29), rng.uniform(26, 31)), shade)
    blob((0, 6), (18, rng.uniform(19, 21)), rng.uniform((235, 200, 175), (255, 228, 210)))
    for across in np.linspace(-15, 15, int(rng.integers(3, 6))):
        blob((across, -14), (rng.uniform(6, 9), rng.uniform(7, 11)), shade)
    iris, apart = _shaded(rng, COLOURS[eyes]), rng.uniform(8.5, 10)
    for across in (-apart, apart):
        blob((across, 6), (6.2, 6.8), _LINE)
        blob((across, 6.3), (5.4, 6), iris)
        blob((across, 6.5), (1.2, 1.6), (10, 10, 10))
        blob((across + 1.8, 3.6), (1, 1), (255, 255, 255))
    blob((0, 18), (rng.uniform(2, 4), rng.uniform(0.6, 1.4)), (190, 80, 80))
    return np.asarray(cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _pastel(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.uniform(190, 255, 3)


def _shaded(rng: np.random.Generator, colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """A little lighter or darker, as light falls."""
    return np.clip(np.array(colour) * rng.uniform(0.93, 1.07), 0, 255)


def words_csv(faces: Faces) -> str:
    """The tags of faces as `tags.csv` has them."""
    return "".join(
        f"{name},{' '.join(_phrases(faces, place))}\n" for place, name in enumerate(faces.names)
    )


def posts_csv(faces: Faces) -> str:
    """The tags of faces as `tags_clean.csv` has them, among others that say no colour."""
    lines = []
    for place, name in enumerate(faces.names):
        tags = ["touhou:17705", "long hair:9", *(f"{one}:12" for one in _phrases(faces, place))]
        lines.append(f"{name}," + "\t".join(tags) + "\t\n")
    return "".join(lines)


def _phrases(faces: Faces, place: int) -> list[str]:
    said = ((HAIR, faces.hair, "hair"), (EYES, faces.eyes, "eyes"))
    return [f"{c[p[place]]} {what}" for c, p, what in said if p[place] != UNSAID]


def files_of(faces: Faces, folder: str = "images", suffix: str = ".png") -> dict[str, bytes]:
    """The pictures of faces as files of a set: name in it → bytes."""
    encode = encode_png if suffix == ".png" else encode_jpeg
    return {
        f"{folder}/{name}{suffix}": encode(picture)
        for name, picture in zip(faces.names, faces.pictures, strict=True)
    }


def faces_set(faces: Faces, style: str = "words") -> dict[str, bytes]:
    """A set in the style of the later (`words`) or of the original data (`posts`)."""
    if style == "words":
        return {"tags.csv": words_csv(faces).encode(), **files_of(faces)}
    return {"tags_clean.csv": posts_csv(faces).encode(), **files_of(faces, "faces", ".jpg")}


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    """Write files into a tar file, which gzip makes smaller where the name says so."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return path
