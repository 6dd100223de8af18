# mypy: allow-untyped-calls
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from animeprep.boxes import Box
from animeprep.errors import FilmError
from animeprep.film import Decoding, FilmSettings, Selection, identify
from animeprep.film.decode import Job, decode
from animeprep.film.letterbox import Bars
from animeprep.film.probe import examine
from animeprep.film.sampling import indexes
from animeprep.images import to_gray, write_png

ALL = Selection()
NONE = Selection(only=())


def probe(path, **settings):
    """In this process, which is quicker; test_film_process.py has the real one."""
    return examine(path, FilmSettings(**settings))


def pictures(film, selection, decoding=None):
    if film.by_timestamps:
        selection = Selection(only=tuple(indexes(film, selection).tolist()))
    return decode(Job(film, selection), decoding or Decoding())


def decoded(path, selection=ALL, **settings):
    return list(pictures(probe(path, **settings), selection))


def ffmpeg(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


# --- counting ---------------------------------------------------------------------------------


#: As films are encoded usually, with loss.
SMALL = {"preset": "medium", "qp": "-1", "crf": "20"}


def found(path, what):
    """What was found of one property, and what is done about it."""
    return next(f"{one.found}: {one.done}" for one in probe(path).findings if one.what == what)


def letterbox(samples):
    bars = Bars()
    for sample in samples:
        bars.add(to_gray(sample))
    return bars.box()


def every_n(path, step, read_number):
    return [
        (picture.index, read_number(picture.rgb))
        for picture in decoded(path, Selection(every=step))
    ]


@pytest.mark.parametrize("step", [1, 7, 50])
def test_indices_are_exact_with_b_frames(tmp_path, write_film, numbered, read_number, step):
    film = write_film(
        tmp_path / "a.mp4",
        [numbered(n) for n in range(160)],
        pixel_format="yuv420p",
        options={**SMALL, "x264-params": "bframes=3:keyint=30:b-adapt=0"},
    )
    assert b_frames(film) > 20
    assert every_n(film, step, read_number) == [(n, n) for n in range(0, 160, step)]


def b_frames(film):
    with av.open(str(film)) as container:
        return sum(frame.pict_type == PictureType.B for frame in container.decode(video=0))


def test_indices_are_exact_with_open_groups(tmp_path, write_film, numbered, read_number):
    film = write_film(
        tmp_path / "a.mkv",
        [numbered(n) for n in range(90)],
        pixel_format="yuv420p",
        options={**SMALL, "x264-params": "open-gop=1:bframes=3:keyint=20:b-adapt=0"},
    )
    assert b_frames(film) > 20
    assert every_n(film, 10, read_number) == [(n, n) for n in range(0, 90, 10)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_indices_count_pictures_where_the_rate_varies(
    tmp_path, write_film, numbered, read_number, suffix
):
    gaps = np.random.default_rng(0).choice([10, 40, 200, 900], 60)
    times = [0, *map(int, np.cumsum(gaps))]
    film = write_film(tmp_path / f"a.{suffix}", [numbered(n) for n in range(61)], times=times)
    assert every_n(film, 5, read_number) == [(n, n) for n in range(0, 61, 5)]
    seconds = [picture.seconds for picture in decoded(film)]
    assert seconds == pytest.approx([time / 1000 for time in times], abs=0.002)


def test_a_delayed_start_shifts_no_indices_and_times_count_from_it(
    tmp_path, write_film, numbered, read_number
):
    times = [5000 + 40 * n for n in range(20)]
    film = write_film(tmp_path / "a.mkv", [numbered(n) for n in range(20)], times=times)
    assert every_n(film, 4, read_number) == [(n, n) for n in range(0, 20, 4)]
    assert [p.seconds for p in decoded(film)][:2] == pytest.approx([0, 0.04], abs=0.002)
    assert found(film, "beginning") == "at 5.000 s: times are counted from there"


def test_an_unwanted_picture_is_counted_though_not_yielded(tmp_path, write_film, numbered):
    film = probe(write_film(tmp_path / "a.mkv", [numbered(n) for n in range(9)]))
    decoding = Decoding()
    assert list(pictures(film, NONE, decoding=decoding)) == []
    assert (decoding.pictures, decoding.corrupt) == (9, set())


@pytest.mark.slow
def test_the_demo_film_has_790_pictures_in_544_rows(demo_film):
    film = probe(demo_film)
    assert film.area == Box(88, 0, 544, 1280)
    decoding = Decoding()
    black = {
        picture.index: int(picture.rgb.max())
        for picture in pictures(film, Selection(only=(245, 246, 300)), decoding=decoding)
    }
    assert decoding.pictures == 790
    assert max(black[245], black[246]) < 16
    assert black[300] > 128


# --- colours ----------------------------------------------------------------------------------

LUMA_WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593)}


def textbook_rgb(yuv, matrix, *, full, depth=8):
    """Y'CbCr → R'G'B' in floats, by the definition in the recommendations."""
    kr, kb = LUMA_WEIGHTS[matrix]
    scale = 2 ** (depth - 8)
    y, cb, cr = (np.asarray(yuv, np.float64) / scale).T
    y = y / 255 if full else (y - 16) / 219
    cb, cr = ((c - 128) / (255 if full else 224) for c in (cb, cr))
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], -1) * 255, 0, 255)


def colour_patches(yuv, height, pixel_format="yuv444p"):
    """A picture of columns 16 wide, one a colour, as a frame that is not converted any more."""
    kind = np.uint16 if "10" in pixel_format else np.uint8
    columns = np.repeat(np.asarray(yuv, kind), 16, axis=0)
    planes = np.ascontiguousarray(np.broadcast_to(columns.T[:, None], (3, height, len(columns))))
    frame = av.VideoFrame(len(columns), height, pixel_format)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((height, plane.line_size // values.itemsize), kind)
        rows[:, : values.shape[1]] = values
        plane.update(rows.tobytes())
    return frame


COLOURS = [
    (235, 128, 128), (16, 128, 128), (126, 128, 128), (81, 90, 240), (145, 54, 34),
    (41, 240, 110), (180, 100, 150), (100, 150, 110), (60, 120, 140), (200, 110, 130),
]  # fmt: skip


def first_row(path, patches):
    picture = decoded(path)[0].rgb
    return picture[picture.shape[0] // 2, 8::16][:patches].astype(float)


@pytest.mark.parametrize(
    ("tag", "matrix"),
    [
        # FFmpeg's numbers: bt709, bt470bg, smpte170m, bt2020nc.
        (1, "bt709"),
        (5, "bt601"),
        (6, "bt601"),
        (9, "bt2020"),
    ],
)
@pytest.mark.parametrize("full", [False, True])
def test_tagged_colours_are_those_of_the_textbook(tmp_path, write_film, tag, matrix, full):
    context = {"colorspace": tag, "color_range": ColorRange.JPEG if full else ColorRange.MPEG}
    film = write_film(tmp_path / "a.mkv", [colour_patches(COLOURS, 96)] * 3, context=context)
    expected = textbook_rgb(COLOURS, matrix, full=full)
    assert np.abs(first_row(film, len(COLOURS)) - expected).max() <= 1.5
    assert "as tagged" in found(film, "colour matrix")


@pytest.mark.parametrize(("height", "matrix"), [(718, "bt601"), (720, "bt709")])
def test_untagged_films_are_bt709_from_720_rows_up(tmp_path, write_film, height, matrix):
    film = write_film(tmp_path / "a.mkv", [colour_patches(COLOURS, height)] * 2)
    expected = textbook_rgb(COLOURS, matrix, full=False)
    assert np.abs(first_row(film, len(COLOURS)) - expected).max() <= 1.5
    assert "untagged" in found(film, "colour matrix")


def test_subsampled_chroma_of_flat_patches_is_exact(tmp_path, write_film):
    wide = np.full((64, 64, 3), (200, 60, 40), np.uint8)
    film = write_film(tmp_path / "a.mkv", [wide] * 2, pixel_format="yuv420p")
    assert np.abs(decoded(film)[0].rgb.astype(int) - wide).max() <= 3


def test_ten_bits_are_rounded_without_dither(tmp_path, write_film):
    ten = [(level, 512, 512) for level in range(301, 301 + 4 * 12, 4)]
    frame = colour_patches(ten, 96, "yuv444p10le")
    film = write_film(
        tmp_path / "a.mkv",
        [frame] * 2,
        codec="ffv1",
        pixel_format="yuv444p10le",
        context={"colorspace": 1, "color_range": ColorRange.MPEG},
    )
    picture = decoded(film)[0].rgb
    for number in range(len(ten)):
        patch = picture[:, 16 * number : 16 * number + 16].reshape(-1, 3)
        assert len(np.unique(patch, axis=0)) == 1, "dither puts noise on flat cels"
    expected = textbook_rgb(ten, "bt709", full=False, depth=10)
    assert np.abs(picture[48, 8::16] - expected).max() <= 1.5


# --- geometry ---------------------------------------------------------------------------------


def corners(height, width):
    """Each corner of another colour, so that no turn or mirror maps it onto itself."""
    picture = np.full((height, width, 3), 120, np.uint8)
    half = height // 2, width // 2
    picture[: half[0], : half[1]] = (220, 40, 40)
    picture[: half[0], half[1] :] = (40, 220, 40)
    picture[half[0] :, : half[1]] = (40, 40, 220)
    return picture


def test_anamorphic_pixels_become_square(tmp_path, write_film):
    film = write_film(
        tmp_path / "a.mkv",
        [corners(90, 120)] * 2,
        context={"sample_aspect_ratio": Fraction(4, 3)},
    )
    picture = decoded(film)[0].rgb
    assert picture.shape == (90, 160, 3)
    assert np.abs(picture.astype(int) - corners(90, 160)).mean() < 3


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotation_is_applied_once(tmp_path, write_film, suffix, degrees, turns):
    stored = corners(64, 96)
    film = write_film(
        tmp_path / f"a.{suffix}",
        [stored] * 2,
        prepare_stream=lambda stream: stream.set_display_rotation(degrees),
    )
    upright = decoded(film)[0].rgb.astype(int)
    assert upright.shape == np.rot90(stored, turns).shape
    assert np.abs(upright - np.rot90(stored, turns)).max() <= 3
    assert np.abs(upright - ffmpeg_picture(film, upright.shape)).max() <= 6


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [{"hflip": True}, {"vflip": True}], ids=["across", "down"])
def test_mirrors_are_applied_as_ffmpeg_does(tmp_path, write_film, degrees, flip):
    film = write_film(
        tmp_path / "a.mp4",
        [corners(64, 96)] * 2,
        prepare_stream=lambda stream: stream.set_display_rotation(degrees, **flip),
    )
    ours = decoded(film)[0].rgb
    assert np.abs(ours.astype(int) - ffmpeg_picture(film, ours.shape)).max() <= 6


def ffmpeg_picture(film, shape):
    """The first picture as FFmpeg's own program turns it."""
    raw = ffmpeg("-i", film, "-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(shape).astype(int)


def barred(picture, top, bottom, left=0, right=0):
    return cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)


def test_bars_are_removed(scene):
    box, reason = letterbox([barred(scene(n, 200, 300), 40, 30, 8, 6) for n in range(4)])
    assert box == Box(40, 8, 200, 300)
    assert "314" in reason
    assert "300" in reason


def test_letterbox_is_the_union_over_the_film(scene):
    upper, lower = scene(1, 200, 300), scene(2, 200, 300)
    upper[120:] = 0  # a night sky below
    lower[:90] = 0
    samples = [barred(picture, 40, 40) for picture in (upper, lower, np.zeros_like(upper))]
    assert letterbox(samples)[0] == Box(40, 0, 200, 300)


def test_thin_bars_are_left_alone(scene):
    assert letterbox([barred(scene(1, 200, 300), 3, 3, 2, 3)]) == (None, "none found")
    assert letterbox([barred(scene(1, 200, 300), 4, 0)])[0] == Box(4, 0, 200, 300)


def test_bars_of_more_than_35_percent_are_refused(scene):
    box, reason = letterbox([barred(scene(1, 128, 300), 36, 36)])
    assert box is None
    assert "kept" in reason
    assert letterbox([barred(scene(1, 132, 300), 34, 34)])[0] == Box(34, 0, 132, 300)


def test_black_samples_give_no_bars():
    assert letterbox([np.zeros((90, 160, 3), np.uint8)])[0] is None


@pytest.mark.parametrize("keys", [250, 5])
def test_a_dark_scene_at_the_start_does_not_widen_the_bars(tmp_path, write_film, scene, keys):
    dark, light = barred(scene(1, 64, 128) // 16, 16, 16), barred(scene(2, 64, 128), 16, 16)
    film = write_film(
        tmp_path / "a.mkv",
        [dark] * 60 + [light] * 20,
        options={"x264-params": f"keyint={keys}:scenecut=0"},
    )
    assert probe(film).area == Box(16, 0, 64, 128)
    assert {picture.rgb.shape for picture in decoded(film)} == {(64, 128, 3)}


# --- names ------------------------------------------------------------------------------------


def test_the_same_name_with_other_content_is_another_film(tmp_path):
    ids = set()
    for content in (b"a" * 3_000_000, b"a" * 3_000_001, b"b" + b"a" * 2_999_999):
        (tmp_path / "ep 01.mkv").write_bytes(content)
        ids.add(identify(tmp_path / "ep 01.mkv"))
    assert len(ids) == 3
    assert all(name.startswith("ep_01-") for name, _ in ids)


def test_a_copy_of_a_film_in_another_folder_is_the_same_film(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mkv").write_bytes(b"film")
    assert identify(tmp_path / "one/a.mkv") == identify(tmp_path / "two/a.mkv")


@pytest.mark.parametrize("name", ["100% ☃ (film).mkv", "http:film.mkv", "a:b.mkv", "-i.mkv"])
def test_films_of_unusual_names_are_read(tmp_path, monkeypatch, write_film, numbered, name):
    write_film(tmp_path / "a.mkv", [numbered(3)] * 2).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(decoded(Path(name))) == 2


# --- what is no film --------------------------------------------------------------------------


def test_a_missing_film_is_refused(tmp_path):
    with pytest.raises(FilmError, match=r"missing\.mkv: cannot be opened"):
        probe(tmp_path / "missing.mkv")


def test_an_empty_film_is_refused(tmp_path):
    (tmp_path / "a.mkv").touch()
    with pytest.raises(FilmError, match="the file is empty"):
        probe(tmp_path / "a.mkv")


def test_a_text_named_mkv_is_refused(tmp_path):
    (tmp_path / "a.mkv").write_text("Dear diary,\n" * 100)
    with pytest.raises(FilmError, match=r"a\.mkv: .*; check that it plays"):
        probe(tmp_path / "a.mkv")


def test_a_folder_is_no_film(tmp_path):
    with pytest.raises(FilmError):
        probe(tmp_path)


def test_a_truncated_mp4_is_refused(tmp_path, write_film, numbered):
    whole = write_film(tmp_path / "whole.mp4", [numbered(n) for n in range(30)]).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FilmError, match="not a film that can be read"):
        probe(tmp_path / "cut.mp4")


def test_a_truncated_mkv_gives_what_came_before(tmp_path, write_film, numbered, read_number):
    whole = write_film(tmp_path / "whole.mkv", [numbered(n) for n in range(60)]).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    numbers = [read_number(picture.rgb) for picture in decoded(tmp_path / "cut.mkv")]
    assert numbers == list(range(len(numbers)))
    assert 10 < len(numbers) < 60


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.m4a"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path)
    return path


def test_sound_alone_is_no_film(song):
    with pytest.raises(FilmError, match="there are no moving pictures in it"):
        probe(song)


def test_cover_art_is_no_film(tmp_path, song, scene):
    write_png(tmp_path / "cover.png", scene(1, 32, 32))
    covered = tmp_path / "covered.m4a"
    ffmpeg(
        *("-i", song, "-i", tmp_path / "cover.png", "-map", 0, "-map", 1, "-c", "copy"),
        *("-disposition:v:0", "attached_pic", covered),
    )
    with av.open(str(covered)) as container:
        assert len(container.streams.video) == 1
    with pytest.raises(FilmError, match="there are no moving pictures in it"):
        probe(covered)


def test_corrupt_packets_are_skipped_and_counted(tmp_path, write_film, numbered, read_number):
    film = write_film(
        tmp_path / "a.mov", [numbered(n) for n in range(40)], codec="png", pixel_format="rgb24"
    )
    data = bytearray(film.read_bytes())
    begins = [at for at in range(len(data)) if data.startswith(b"\x89PNG", at)]
    for number in (7, 20, 21):
        data[begins[number] : begins[number] + 4] = b"oops"
    film.write_bytes(bytes(data))
    decoding = Decoding()
    numbers = [read_number(p.rgb) for p in pictures(probe(film), ALL, decoding=decoding)]
    assert numbers == [n for n in range(40) if n not in {7, 20, 21}]
    assert decoding.corrupt == {7, 20, 21}


# --- films of others --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rotated.mp4", "rotate_and_reflect.mp4"])
def test_real_turned_films_are_as_ffmpeg_shows_them(shared, name):
    ours = next(pictures(probe(shared / "data/films" / name), ALL)).rgb
    theirs = ffmpeg_picture(shared / "data/films" / name, ours.shape)
    assert np.abs(ours - theirs).mean() < 4


def test_a_real_corrupted_film_gives_what_came_before(shared):
    decoding = Decoding()
    film = probe(shared / "data/films/corrupted.mp4")
    indices = [p.index for p in pictures(film, Selection(every=10), decoding=decoding)]
    assert indices == list(range(0, decoding.pictures, 10))
    assert decoding.pictures > 10
    assert decoding.corrupt == {30}


def test_a_real_anamorphic_film_gets_square_pixels(shared):
    film = probe(shared / "data/films/anamorphic_small.mp4")
    picture = next(pictures(film, ALL)).rgb
    assert film.pixel_aspect == Fraction(128, 117)
    assert picture.shape[1] == round(176 * 128 / 117)
