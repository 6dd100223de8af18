"""Draw a short anime film and encode it: ``python examples/make_film.py [OUT]``.

The film is half a minute of 1280x720 at 24 pictures a second, made of the pictures in
``examples/art``. It has what a television anime has and what a dataset maker must cope with:
letterbox bars, drawings held for two or three pictures, pans, zooms, hard cuts, a night scene, a
fade through black and a credits card.

The first half of this file is the film as data: a shot list. The second half draws it, one picture
at a time, and pipes the pictures through ffmpeg-python into an H.264 file. The same libraries
write the same bytes again.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

import cv2
import ffmpeg
import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Pixels: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
"""Height x width x 3 (RGB) or 4 (RGB multiplied by alpha, alpha), from 0 to 1."""
Frame: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
"""Height x width x 3 (RGB), from 0 to 255."""

ROOT = Path(__file__).resolve().parent.parent
ART = ROOT / "examples" / "art"
DEFAULT_OUT = ROOT / "animegan" / "assets" / "demo" / "film.mp4"

FPS = 24
WIDTH, HEIGHT = 1280, 720
"""Size of the film."""
SCENE_HEIGHT = 544
"""Height of the picture area between the letterbox bars (2.35 : 1)."""
SEED = 20
CRF = 24
"""Quality of the film: less is better and larger."""

# ------------------------------------------------------------------------------ the shot list


@dataclass(frozen=True)
class View:
    """Where the camera looks: a 2.35 : 1 box on the background, in the background's own pixels."""

    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Cel:
    """A character laid over the background, drawn anew only every few pictures.

    Attributes:
        drawings: Names of the character's drawings in ``examples/art``.
        sheet: The exposure sheet: one digit (an index into ``drawings``) per held drawing; it
            repeats until the shot ends.
        at: Where the middle of the top of the drawing is in the picture area.
        scale: Size of the drawing relative to the art.
        hold: For how many pictures each drawing is held: 2 is "on twos", 3 "on threes".
        bob: How far the drawing moves up and down, in pixels.
        drift: How far the drawing slides right until the end of the shot, in pixels.
        flip: Mirror the drawing.
    """

    drawings: tuple[str, ...]
    sheet: str
    at: tuple[int, int]
    scale: float = 1.0
    hold: int = 3
    bob: float = 3.0
    drift: float = 0.0
    flip: bool = False


@dataclass(frozen=True)
class Shot:
    """One shot, from cut to cut.

    Attributes:
        title: What happens, for the reader.
        length: Number of pictures.
        art: Background picture in ``examples/art``, or "rays" for drawn speed lines.
        start: Where the camera looks at first.
        end: Where it looks at last; None: it stands still.
        step: The camera moves every this many pictures.
        cels: Characters, the farthest first.
        grade: Name of a colour grade in ``GRADES``.
        flip: Mirror the background.
        leaves: Number of falling leaves.
        shake: Camera shake in pixels, a new place every two pictures.
        fade_in: Number of pictures over which the shot comes out of black.
        fade_out: Number of pictures over which the shot goes to black.
    """

    title: str
    length: int
    art: str
    start: View
    end: View | None = None
    step: int = 1
    cels: tuple[Cel, ...] = ()
    grade: str = "day"
    flip: bool = False
    leaves: int = 0
    shake: float = 0.0
    fade_in: int = 0
    fade_out: int = 0


GREEN = (
    "sylvie_green_normal",
    "sylvie_green_smile",
    "sylvie_green_giggle",
    "sylvie_green_surprised",
)
BLUE = ("sylvie_blue_normal", "sylvie_blue_smile", "sylvie_blue_giggle", "sylvie_blue_surprised")
EILEEN = ("eileen_concerned", "eileen_happy")
LUCY = ("lucy_happy", "lucy_mad")

FILM = (
    Shot(
        "The road in autumn; the camera pans right.",
        length=54,
        art="bg_meadow.jpg",
        start=View(500, 300, 1000),
        end=View(770, 300, 1000),
        leaves=16,
    ),
    Shot(
        "Sylvie speaks, on threes.",
        length=48,
        art="bg_meadow.jpg",
        start=View(760, 250, 1000),
        cels=(Cel(GREEN, "0001011010000111", at=(560, 44), scale=1.35),),
        leaves=7,
    ),
    Shot(
        "The park; the camera tilts down, on twos.",
        length=48,
        art="bg_uni.jpg",
        grade="gold",
        start=View(640, 272, 1280),
        end=View(640, 446, 1280),
        step=2,
        leaves=10,
    ),
    Shot(
        "Eileen looks up.",
        length=42,
        art="bg_uni.jpg",
        grade="gold",
        start=View(480, 260, 860),
        cels=(Cel(EILEEN, "00000111111111", at=(760, 20), scale=1.5, bob=2, flip=True),),
        flip=True,
    ),
    Shot(
        "Sylvie and Eileen walk and talk, on twos; then black.",
        length=54,
        art="bg_uni.jpg",
        grade="gold",
        start=View(500, 380, 900),
        end=View(560, 380, 900),
        cels=(
            Cel(EILEEN, "1", at=(820, 40), scale=1.15, hold=2, bob=6, drift=-24, flip=True),
            Cel(BLUE, "0110100101", at=(460, 52), scale=1.15, hold=2, bob=7, drift=-24),
        ),
        leaves=8,
        fade_out=12,
    ),
    Shot(
        "Out of black: the lecture hall; the camera pans left.",
        length=56,
        art="bg_lecturehall.jpg",
        start=View(790, 400, 980),
        end=View(490, 420, 980),
        grade="warm",
        fade_in=12,
    ),
    Shot(
        "Lucy disapproves.",
        length=36,
        art="bg_lecturehall.jpg",
        start=View(720, 300, 900),
        cels=(Cel(LUCY, "0", at=(700, -70), scale=1.5, bob=2),),
        grade="warm",
    ),
    Shot(
        "Lucy explodes before speed lines, on twos.",
        length=32,
        art="rays",
        start=View(640, 272, 1280),
        cels=(Cel(LUCY, "1", at=(640, -125), scale=1.5, hold=2, bob=7),),
        shake=6,
    ),
    Shot(
        "Sylvie is taken aback; the camera closes in.",
        length=42,
        art="bg_lecturehall.jpg",
        start=View(520, 420, 1100),
        end=View(520, 420, 980),
        cels=(Cel(BLUE, "33333333330022", at=(520, 26), scale=1.5, bob=2),),
        grade="warm",
        flip=True,
    ),
    Shot(
        "Night in the park; the camera pulls back from the lamp.",
        length=60,
        art="bg_uni.jpg",
        start=View(800, 290, 900),
        end=View(760, 300, 1020),
        step=2,
        cels=(Cel(GREEN, "00000000002000", at=(330, 80), scale=1.1, bob=2),),
        grade="night",
    ),
    Shot(
        "Morning at the club; the camera tilts up, on twos.",
        length=48,
        art="bg_club.jpg",
        start=View(560, 410, 1060),
        end=View(560, 260, 1060),
        step=2,
    ),
    Shot(
        "Sylvie giggles at Eileen.",
        length=48,
        art="bg_club.jpg",
        start=View(700, 330, 920),
        cels=(
            Cel(EILEEN, "0000000011111111", at=(330, 20), scale=1.3, bob=2),
            Cel(GREEN, "1101202222022222", at=(880, 36), scale=1.35, bob=3, flip=True),
        ),
        flip=True,
    ),
    Shot(
        "The concert; the camera closes in.",
        length=54,
        art="concert.jpg",
        grade="stage",
        start=View(1200, 640, 2380),
        end=View(1200, 590, 2080),
    ),
    Shot(
        "Lucy at the guitar.",
        length=36,
        art="concert.jpg",
        grade="stage",
        start=View(620, 620, 1180),
        end=View(560, 560, 1180),
        shake=4,
    ),
    Shot(
        "The drummer, close.",
        length=28,
        art="concert.jpg",
        grade="stage",
        start=View(930, 640, 860),
        shake=6,
    ),
    Shot(
        "Eileen, close; the camera rises from her guitar to her face.",
        length=56,
        art="concert.jpg",
        grade="stage",
        start=View(1600, 960, 1240),
        end=View(1720, 400, 1160),
    ),
)

CREDITS = (
    ("Backgrounds and sprites from", 28),
    ("the Ren'Py project “The Question”", 46),
    ("and the Ren'Py demo", 46),
    ("Art by Deji, Mugenjohncel and Piroshki", 28),
    ("MIT licence", 28),
)
"""Lines of the credits card with their sizes in pixels."""
CREDITS_LENGTH = 48

# ------------------------------------------------------------------------------------- colour


@dataclass(frozen=True)
class Grade:
    """A colour grade: saturation, then a gain for each of R, G and B, then a power curve."""

    saturation: float
    gain: tuple[float, float, float]
    gamma: float = 1.0


GRADES = {
    "day": Grade(1.12, (1.06, 1.0, 0.92)),
    "warm": Grade(1.2, (1.06, 0.98, 0.84)),
    "gold": Grade(1.08, (1.1, 1.0, 0.82)),
    "stage": Grade(1.4, (1.1, 1.0, 0.9), 0.95),
    "night": Grade(0.55, (0.34, 0.43, 0.66), 1.8),
}

# Street lamps in bg_uni.jpg, which shine at night: place of the lantern and radius of its glow.
LAMPS = ((92, 110, 150), (1041, 172, 150), (768, 241, 80), (197, 221, 80), (605, 283, 50))
LAMP_COLOUR = (1.0, 0.76, 0.36)


def graded(picture: Pixels, grade: Grade) -> Pixels:
    """Return an RGB picture in other colours."""
    grey = picture @ np.asarray((0.2126, 0.7152, 0.0722), np.float32)
    picture = grey[..., None] + (picture - grey[..., None]) * np.float32(grade.saturation)
    picture = np.clip(picture * np.asarray(grade.gain, np.float32), 0, 1)
    return np.asarray(picture**grade.gamma, np.float32)


def with_lamps(picture: Pixels) -> Pixels:
    """Return the park by night with its lamps lit: each a soft glow around a bright lantern."""
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    for x, y, radius in LAMPS:
        distance = np.hypot(columns - x, rows - y) / radius
        light = 0.45 * np.exp(-3 * distance) + np.exp(-((distance * 9) ** 2))
        picture = 1 - (1 - picture) * (1 - np.clip(light, 0, 1)[..., None] * LAMP_COLOUR)
    return np.asarray(picture, np.float32)


# ---------------------------------------------------------------------------------- pictures


def loaded(name: str, mode: str) -> Pixels:
    """Load a picture of ``examples/art`` as "RGB" or "RGBA"."""
    with Image.open(ART / name) as image:
        return np.asarray(image.convert(mode), np.float32) / np.float32(255)


@functools.lru_cache(maxsize=4)
def background(name: str, grade: str, scale: float, *, flip: bool) -> Pixels:
    """Load a background and give it its colours and size."""
    picture = graded(loaded(name, "RGB"), GRADES[grade])
    if grade == "night":
        picture = with_lamps(picture)
    return resized(picture[:, ::-1] if flip else picture, scale)


@functools.lru_cache(maxsize=16)
def drawing(name: str, grade: str, scale: float, *, flip: bool) -> Pixels:
    """Load a character and give it its colours and size; its RGB is multiplied by its alpha.

    Multiplying before resizing keeps the colour of transparent pixels out of the edges.
    """
    art = loaded(f"{name}.png", "RGBA")
    alpha = art[..., 3:]
    art = np.concatenate((graded(art[..., :3], GRADES[grade]) * alpha, alpha), axis=2)
    art = resized(art[:, ::-1] if flip else art, scale)
    # Lanczos overshoots: let no colour be brighter than its alpha allows.
    return np.asarray(np.minimum(art, art[..., 3:]), np.float32)


def resized(picture: Pixels, scale: float) -> Pixels:
    """Return a picture at another size: by area averaging when smaller, Lanczos when larger."""
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LANCZOS4
    picture = np.ascontiguousarray(picture)
    sized = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)
    return np.asarray(np.clip(sized, 0, 1), np.float32)


def rays(index: int) -> Pixels:
    """Draw speed lines: dark-edged rays of warm colours from the middle outwards."""
    rng = np.random.default_rng((SEED, index))
    picture = np.full((SCENE_HEIGHT, WIDTH, 3), (255, 219, 92), np.uint8)
    middle = np.asarray((WIDTH / 2, SCENE_HEIGHT * 0.42))
    colours = ((250, 158, 36), (237, 92, 33), (204, 41, 41))
    for start in np.linspace(0, 2 * math.pi, 64, endpoint=False):
        angle, spread = start + rng.uniform(0, 0.06), rng.uniform(0.012, 0.05)
        near = rng.uniform(150, 320)
        tip = (1.35 * near * math.cos(angle), near * math.sin(angle))
        far = [(1500 * math.cos(a), 1500 * math.sin(a)) for a in (angle - spread, angle + spread)]
        ray = middle + np.asarray([tip, *far])
        fill_polygon(picture, ray, colours[int(rng.integers(3))], (107, 18, 28))
    return np.asarray(picture, np.float32) / np.float32(255)


def draw_leaves(picture: Frame, count: int, index: int) -> None:
    """Draw falling leaves, on twos, into a picture."""
    rng = np.random.default_rng((SEED, count))
    colours = ((237, 133, 28), (214, 61, 31), (247, 194, 51))
    time = index // 2 * 2 / FPS
    for number in range(count):
        x, y, phase, size = rng.uniform((0, 0, 0, 7), (WIDTH, SCENE_HEIGHT, 2 * math.pi, 17))
        x = (x - time * 9 * size) % (WIDTH + 80) - 40
        y = (y + time * 7 * size + 14 * math.sin(phase + 4 * time)) % (SCENE_HEIGHT + 80) - 40
        turn = phase + 2.6 * time
        width = 0.18 + 0.3 * abs(math.sin(1.7 * turn))
        leaf = np.asarray(
            [
                (-1, 0),
                (-0.3, width),
                (0.4, width * 0.8),
                (1, 0),
                (0.4, -width * 0.8),
                (-0.3, -width),
            ]
        )
        cos, sin = math.cos(turn), math.sin(turn)
        leaf = leaf @ np.asarray([(cos, sin), (-sin, cos)]) * size + (x, y)
        fill_polygon(picture, leaf, colours[number % 3], (82, 26, 15))


def fill_polygon(
    picture: Frame,
    corners: np.ndarray[Any, np.dtype[np.float64]],
    colour: tuple[int, int, int],
    outline: tuple[int, int, int],
) -> None:
    """Draw a flat-coloured shape with a dark outline, as on a painted cel."""
    fixed = [np.rint(corners * 16).astype(np.int32)]  # 4 fractional bits.
    cv2.fillPoly(picture, fixed, colour, cv2.LINE_AA, shift=4)
    cv2.polylines(
        picture, fixed, isClosed=True, color=outline, thickness=2, lineType=cv2.LINE_AA, shift=4
    )


# ----------------------------------------------------------------------------- camera and cels


def camera(picture: Pixels, view: View, shift: tuple[float, float] = (0, 0)) -> Pixels:
    """Return what the camera sees of a background.

    Args:
        picture: The whole background.
        view: The box to look at, in the pixels of ``picture``; best inside it.
        shift: Camera shake, in pixels of the film.
    """
    scale = WIDTH / view.width
    left = (WIDTH - 1) / 2 + shift[0] - scale * (view.x - 0.5)
    top = (SCENE_HEIGHT - 1) / 2 + shift[1] - scale * (view.y - 0.5)
    seen = cv2.warpAffine(
        picture,
        np.asarray([(scale, 0, left), (0, scale, top)]),
        (WIDTH, SCENE_HEIGHT),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(np.clip(seen, 0, 1), np.float32)


def looking(shot: Shot, index: int) -> View:
    """Return where the camera looks at one picture of a shot; it starts and stops softly."""
    if shot.end is None:
        return shot.start
    part = index // shot.step * shot.step / (shot.length - 1)
    part = part * part * (3 - 2 * part)
    start, end = shot.start, shot.end
    return View(
        start.x + part * (end.x - start.x),
        start.y + part * (end.y - start.y),
        start.width + part * (end.width - start.width),
    )


def place(picture: Pixels, cel: Cel, grade: str, index: int, length: int) -> None:
    """Lay a character over a picture."""
    exposure = index // cel.hold
    name = cel.drawings[int(cel.sheet[exposure % len(cel.sheet)])]
    art = drawing(name, grade, cel.scale, flip=cel.flip)
    slide = cel.drift * exposure * cel.hold / length
    left = round(cel.at[0] + slide - art.shape[1] / 2)
    top = round(cel.at[1] + cel.bob * (1 - math.cos(exposure * math.pi / 3)) / 2)
    art = art[max(0, -top) : SCENE_HEIGHT - top, max(0, -left) : WIDTH - left]
    under = picture[max(0, top) :, max(0, left) :][: art.shape[0], : art.shape[1]]
    under *= 1 - art[..., 3:]
    under += art[..., :3]


def draw(shot: Shot, index: int) -> Frame:
    """Draw one picture of a shot, without the letterbox bars."""
    on_twos = index // 2
    rng = np.random.default_rng((SEED, on_twos))
    shake_x, shake_y = (float(value) for value in rng.uniform(-shot.shake, shot.shake, 2))
    if shot.art == "rays":
        picture = camera(rays(on_twos % 3), shot.start, (shake_x, shake_y))
    else:
        # Large art is averaged down to about the film's size once; the camera does the rest.
        narrowest = min(shot.start.width, (shot.end or shot.start).width)
        scale = min(1.0, WIDTH / narrowest)
        art = background(shot.art, shot.grade, scale, flip=shot.flip)
        view = looking(shot, index)
        view = View(view.x * scale, view.y * scale, view.width * scale)
        picture = camera(art, view, (shake_x, shake_y))
    for cel in shot.cels:
        place(picture, cel, shot.grade, index, shot.length)
    frame = np.rint(picture * 255).astype(np.uint8)
    draw_leaves(frame, shot.leaves, index)
    light = 1.0
    if shot.fade_in:
        light = min(light, index / shot.fade_in)
    if shot.fade_out:
        light = min(light, (shot.length - 1 - index) / shot.fade_out)
    return np.asarray(np.rint(frame * light), np.uint8)


def credits_card() -> Frame:
    """Draw the credits: white lines in the middle of a black card."""
    card = Image.new("RGB", (WIDTH, SCENE_HEIGHT))
    pen = ImageDraw.Draw(card)
    top = (SCENE_HEIGHT - sum(size * 2 for _, size in CREDITS)) // 2
    for line, size in CREDITS:
        font = ImageFont.load_default(size)
        pen.text((WIDTH // 2, top + size), line, fill="white", font=font, anchor="mm")
        top += size * 2
    return np.asarray(card, np.uint8)


def film() -> Iterator[bytes]:
    """Draw the whole film; yields each picture as packed 8-bit RGB."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    bar = (HEIGHT - SCENE_HEIGHT) // 2
    scene = frame[bar : bar + SCENE_HEIGHT]
    for shot in FILM:
        for index in range(shot.length):
            scene[:] = draw(shot, index)
            yield frame.tobytes()
    scene[:] = credits_card()
    for _ in range(CREDITS_LENGTH):
        yield frame.tobytes()


# ------------------------------------------------------------------------------------ encoding


def encode(pictures: Iterable[bytes], out: Path) -> None:
    """Write pictures to an H.264 film through ffmpeg-python.

    The RGB pictures become limited-range BT.709, and the file says so; without the tags each
    player would guess the colours.

    Args:
        pictures: Packed 8-bit RGB pictures of the film's size.
        out: The file to write.

    Raises:
        RuntimeError: ffmpeg failed; the message holds what it said.
    """
    command = (
        ffmpeg.input(
            "pipe:",
            format="rawvideo",
            pixel_format="rgb24",
            video_size=(WIDTH, HEIGHT),
            framerate=FPS,
        )
        .filter(
            "scale",
            in_range="pc",
            out_range="tv",
            out_color_matrix="bt709",
            flags="lanczos+accurate_rnd+full_chroma_int+bitexact",
        )
        # The pictures must carry the tags too: ffmpeg may believe them over the options below.
        .filter("setparams", color_primaries="bt709", color_trc="bt709", colorspace="bt709")
        .output(
            str(out),
            vcodec="libx264",
            pix_fmt="yuv420p",
            crf=CRF,
            preset="slow",
            tune="animation",
            threads=1,
            colorspace="bt709",
            color_primaries="bt709",
            color_trc="bt709",
            color_range="tv",
            movflags="+faststart",
            fflags="+bitexact",
            map_metadata=-1,
            **{"flags:v": "+bitexact"},
        )
        .global_args("-hide_banner", "-loglevel", "error")
        .overwrite_output()
        .compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())
    )
    # What ffmpeg says goes to a file: a pipe that nobody reads would fill up and block it.
    with tempfile.TemporaryFile() as log:
        with subprocess.Popen(  # noqa: S603 - the command is all ours
            command, stdin=subprocess.PIPE, stderr=log
        ) as process:
            pipe = cast("IO[bytes]", process.stdin)
            # Should ffmpeg give up, the pipe breaks; its exit status and its log say why.
            with contextlib.suppress(BrokenPipeError), pipe:
                for picture in pictures:
                    pipe.write(picture)
        if process.returncode:
            log.seek(0)
            message = "ffmpeg failed: " + log.read().decode(errors="replace").strip()
            raise RuntimeError(message)


def main() -> None:
    """Draw and write the film."""
    parser = argparse.ArgumentParser(description="Draw a short anime film and encode it.")
    parser.add_argument("out", nargs="?", type=Path, default=DEFAULT_OUT, help="file to write")
    out: Path = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    encode(film(), out)
    first = 0
    for shot in FILM:
        print(f"{first:4d} .. {first + shot.length - 1:4d}  {shot.title}")
        first += shot.length
    print(f"{first:4d} .. {first + CREDITS_LENGTH - 1:4d}  Credits.")
    print(f"{out}: {first + CREDITS_LENGTH} pictures, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
