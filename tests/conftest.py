"""Pictures, films and folders that tests know the answers about, and a browser."""

# mypy: allow-untyped-calls
import os
import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from animeprep.dataset import Dataset
from animeprep.images import to_gray, write_png

ROOT = Path(__file__).parents[1]


@pytest.fixture
def shared():
    folder = os.environ.get("ANIMEPREP_SHARED")
    if not folder:
        pytest.skip("ANIMEPREP_SHARED names no folder with extra data")
    return Path(folder)


@pytest.fixture(scope="session")
def demo_film():
    return ROOT / "animegan" / "assets" / "demo" / "film.mp4"


@pytest.fixture
def dataset(tmp_path):
    return Dataset(tmp_path / "dataset")


def _scene(seed, height=270, width=480):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 256, (6, 8, 3), dtype=np.uint8)
    painting = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(24):
        one, other = (tuple(map(int, rng.integers(0, (width, height)))) for _ in range(2))
        colour = tuple(map(int, rng.integers(30, 256, 3)))
        cv2.line(painting, one, other, colour, int(rng.integers(1, 4)))
    return painting


@pytest.fixture(scope="session")
def scene():
    """Draws a picture that passes every gate; other seeds give other drawings."""
    return _scene


@pytest.fixture(scope="session")
def soften():
    """A less sharp copy of a picture."""
    return lambda picture, sigma=1.2: cv2.GaussianBlur(picture, (0, 0), sigma)


def _frame(picture, pixel_format):
    if isinstance(picture, av.VideoFrame):
        return picture
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)


def _write_film(path, pictures, *, codec="libx264", pixel_format="yuv444p", **more):
    """Encode without loss; times are in ticks of 1/1000 s, 40 apart if not given."""
    options = {"crf": "0", "qp": "0", "preset": "ultrafast"} if codec == "libx264" else {}
    times = more.get("times") or [40 * number for number in range(len(pictures))]
    with av.open(str(path), "w", options=more.get("container_options", {})) as container:
        stream = container.add_stream(
            codec, rate=25, options={**options, **more.get("options", {})}
        )
        first = _frame(pictures[0], pixel_format)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, pixel_format
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.thread_count = 1
        for name, value in more.get("context", {}).items():
            setattr(stream.codec_context, name, value)
        if "prepare_stream" in more:
            more["prepare_stream"](stream)
        for picture, time in zip(pictures, times, strict=True):
            frame = _frame(picture, pixel_format)
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            for name in ("colorspace", "color_range", "color_trc"):
                if name in more.get("context", {}):
                    setattr(frame, name, more["context"][name])
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def write_film():
    return _write_film


_BITS = 10
_BLOCK = 16


@pytest.fixture(scope="session")
def numbered():
    """A picture that carries its number as a row of light and dark blocks."""

    def draw(number):
        picture = np.full((96, _BLOCK * (_BITS + 2), 3), 128, np.uint8)
        for bit in range(_BITS):
            left = _BLOCK * (bit + 1)
            picture[32:64, left : left + _BLOCK] = 230 if number >> bit & 1 else 60
        return picture

    return draw


@pytest.fixture(scope="session")
def read_number():
    """What `numbered` drew."""

    def read(picture):
        centres = [_BLOCK * (bit + 1) + _BLOCK // 2 for bit in range(_BITS)]
        return sum(int(picture[48, x].mean() > 128) << bit for bit, x in enumerate(centres))

    return read


@pytest.fixture(scope="session")
def snapshot():
    """All files of a folder and their bytes."""

    def take(folder, *names):
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and (not names or path.relative_to(folder).parts[0] in names)
        }

    return take


@pytest.fixture(scope="session")
def times_of():
    """All files of a folder and when they were last changed, in nanoseconds."""

    def take(folder):
        return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}

    return take


@pytest.fixture
def put(dataset):
    """Drop pictures into a folder of the dataset, as a user would."""

    def drop(folder, **pictures):
        for name, picture in pictures.items():
            write_png(dataset.path(f"{folder}/{name}.png"), picture)

    return drop


@pytest.fixture
def small_dataset(dataset, put):
    """Five photos and seven style pictures of 64 pixels, with partners, and one held-out photo."""
    rng = np.random.default_rng(0)

    def blocks(side=64):
        coarse = rng.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        return np.kron(coarse, np.ones((8, 8, 1), np.uint8))

    put("photo", **{f"p{number}": blocks() for number in range(5)})
    put("val", v=blocks(72))
    for number in range(7):
        style = blocks()
        smooth = 255 - style
        put("style", **{f"s{number}": style})
        put("smooth", **{f"s{number}": smooth})
        put("gray", **{f"s{number}": to_gray(style)})
        put("smooth_gray", **{f"s{number}": to_gray(smooth)})
    return dataset


@pytest.fixture
def browser():
    """Chromium, where it and playwright are installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium")
    if not program:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
