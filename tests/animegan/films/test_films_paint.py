from fractions import Fraction

import av
import cv2
import filelock
import numpy as np
import pytest

from animegan.errors import PaintingError
from animegan.films import formats
from animegan.films.formats import Codec
from animegan.films.paint import paint_film
from animeprep.errors import FilmError, InputError, OutputError, UsageError


@pytest.fixture
def film_of(tmp_path, write_film, numbered):
    """A film of numbered pictures."""
    return lambda numbers: write_film(tmp_path / "a.mkv", [numbered(n) for n in numbers])


@pytest.fixture
def film(tmp_path, write_film, numbered):
    return write_film(tmp_path / "film.mkv", [numbered(n) for n in range(30)])


def test_every_picture_is_painted_once_and_shown_at_its_time(
    film, tmp_path, how, shown, numbers_in
):
    out = tmp_path / "out.mkv"
    shares: list[float] = []
    summary = paint_film(film, out, how(), advance=shares.append)
    assert [share for share in shares if share] == [n / 30 for n in range(1, 31)]
    found = shown(out)
    assert numbers_in(out) == list(range(30))
    assert [time for time, _ in found] == [40 * n for n in range(30)]
    _, first = found[0]
    _, source = shown(film)[0]
    assert np.abs(255 - source.astype(int) - first).max() <= 2
    assert summary.counts == {"made": 30}
    assert summary.figures["to"] == str(out)
    assert summary.figures["backend"] == "torch fp32 (as asked)"
    assert not out.with_name("out.mkv.parts").exists()


def test_times_of_a_variable_rate_are_kept_also_in_mp4(
    tmp_path, write_film, numbered, how, shown, numbers_in
):
    times = np.cumsum([0, *[33, 50, 41, 120, 17] * 5]).tolist()
    film = write_film(tmp_path / "a.mkv", [numbered(n) for n in range(26)], times=times)
    paint_film(film, tmp_path / "b.mp4", how(film={"crf": 0}))
    found = shown(tmp_path / "b.mp4")
    assert numbers_in(tmp_path / "b.mp4") == list(range(26))
    assert [time for time, _ in found] == times


@pytest.mark.slow
def test_thousandths_of_a_rate_are_exact_across_parts(tmp_path, write_film, numbered, how, ffmpeg):
    short = write_film(tmp_path / "a.mkv", [numbered(n) for n in range(230)])
    film = tmp_path / "film.mp4"
    ffmpeg("-r", "24000/1001", "-i", short, "-c:v", "libx264", "-preset", "ultrafast", film)
    paint_film(film, tmp_path / "b.mp4", how(film={"crf": 30}))
    with av.open(str(tmp_path / "b.mp4")) as container:
        stream = container.streams.video[0]
        ticks = [frame.pts for frame in container.decode(video=0)]
        assert float(stream.average_rate or 0) == pytest.approx(24000 / 1001, rel=1e-5)
        assert stream.time_base == Fraction(1, 120000)
    assert ticks == [5005 * n for n in range(230)]


def test_a_stretch_is_painted(film, tmp_path, how, shown, numbers_in):
    out = tmp_path / "out.mkv"
    paint_film(film, out, how(film={"codec": "ffv1", "start": 0.4, "end": 0.8}))
    assert numbers_in(out) == list(range(10, 20))
    assert shown(out)[0][0] == 0
    with pytest.raises(FilmError, match="no pictures there; see --start"):
        paint_film(film, out, how(film={"start": 100}))


def test_what_was_stopped_goes_on_to_the_same_bytes(
    tmp_path, write_film, scene, how, negative, snapshot
):
    drawings = [scene(seed, 96, 160) for seed in range(3)]
    pictures = [np.roll(drawing, 2 * n, axis=1) for drawing in drawings for n in range(9)]
    film = write_film(tmp_path / "a.mkv", pictures)
    paint_film(film, tmp_path / "whole.mp4", how(film={}))
    assert negative.calls.count == 27
    negative.calls.stop_at = 27 + 16
    with pytest.raises(KeyboardInterrupt):
        paint_film(film, tmp_path / "out.mp4", how(film={}))
    assert not (tmp_path / "out.mp4").exists()
    left = snapshot(tmp_path / "out.mp4.parts")
    assert len([name for name in left if name.endswith(".nut") and name[0] != "."]) == 1
    negative.calls.stop_at = None
    summary = paint_film(film, tmp_path / "out.mp4", how(film={}))
    assert summary.counts == {"made": 18, "unchanged": 9}
    assert negative.calls.count == 27 + 16 + 18
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_parts_of_other_settings_are_not_taken(film, tmp_path, how, negative):
    out = tmp_path / "out.mkv"
    negative.calls.stop_at = 15
    with pytest.raises(KeyboardInterrupt):
        paint_film(film, out, how())
    stray = out.with_name("out.mkv.parts") / "00000000_000000000000.nut"
    stray.write_bytes(b"of another style")
    negative.calls.stop_at = None
    summary = paint_film(film, out, how(strength=0.5))
    assert summary.counts == {"made": 30}


def test_nobody_else_paints_the_same_film(film, tmp_path, how):
    (tmp_path / "out.mkv.parts").mkdir()
    with (
        filelock.FileLock(tmp_path / "out.mkv.parts" / ".lock"),
        pytest.raises(PaintingError, match="another run is painting it"),
    ):
        paint_film(film, tmp_path / "out.mkv", how())


def test_repeated_pictures_are_painted_once(film_of, tmp_path, how, negative, numbers_in):
    order = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3]
    summary = paint_film(film_of(order), tmp_path / "out.mkv", how())
    assert numbers_in(tmp_path / "out.mkv") == order
    assert summary.reasons == {"repeated": 6}
    assert negative.calls.count == 4


def test_bars_stay_black_and_the_size_is_kept(tmp_path, write_film, scene, how, shown):
    pictures = []
    for n in range(6):
        whole = np.zeros((240, 320, 3), np.uint8)
        whole[30:210] = scene(n, 180, 320)
        pictures += [whole] * 4
    film = write_film(tmp_path / "a.mkv", pictures)
    paint_film(film, tmp_path / "out.mkv", how(film={"codec": "ffv1"}, compare=True))
    for (_, painted), source in zip(shown(tmp_path / "out.mkv"), pictures, strict=True):
        assert painted.shape == (240, 640, 3)
        before, after = painted[:, :320], painted[:, 320:]
        assert np.abs(before.astype(int) - source).max() <= 3
        assert not after[:28].any()
        assert not after[212:].any()
        assert np.abs(255 - source[32:208].astype(int) - after[32:208]).max() <= 3


def test_colours_come_back_as_they_were_painted(tmp_path, write_film, how, shown):
    patches = np.zeros((96, 128, 3), np.uint8)
    for number, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)]):
        patches[:, 32 * number : 32 * number + 32] = colour
    film = write_film(tmp_path / "a.mkv", [patches] * 3)
    paint_film(film, tmp_path / "out.mp4", how(film={"crf": 0}))
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)
        assert (frame.color_primaries, frame.color_trc) == (1, 1)
        found = frame.to_ndarray(format="rgb24", src_colorspace="ITU709").astype(int)
    inner = [slice(32 * n + 8, 32 * n + 24) for n in range(4)]
    for columns in inner:
        assert np.abs(255 - patches[8:-8, columns].astype(int) - found[8:-8, columns]).max() <= 3


def test_odd_sizes_are_made_even_by_their_last_row_and_column(
    tmp_path, write_film, scene, how, shown
):
    film = write_film(tmp_path / "a.mkv", [scene(n, 51, 67) for n in range(4)])
    paint_film(film, tmp_path / "out.mp4", how(film={"crf": 0}))
    assert shown(tmp_path / "out.mp4")[0][1].shape == (52, 68, 3)


def test_a_film_is_scaled_down(tmp_path, write_film, scene, how, shown):
    film = write_film(tmp_path / "a.mkv", [scene(n, 90, 160) for n in range(4)])
    paint_film(film, tmp_path / "out.mp4", how(film={}, max_side=80))
    assert shown(tmp_path / "out.mp4")[0][1].shape == (46, 80, 3)


def test_a_broken_tail_ends_the_film_and_is_told(
    tmp_path, write_film, numbered, how, shown, numbers_in
):
    whole = write_film(tmp_path / "whole.mkv", [numbered(n) for n in range(60)]).read_bytes()
    film = tmp_path / "cut.mkv"
    film.write_bytes(whole[: len(whole) // 2])
    paint_film(film, tmp_path / "out.mkv", how())
    found = numbers_in(tmp_path / "out.mkv")
    assert found == list(range(len(found)))
    assert 10 < len(found) < 60


def test_errors_come_before_the_work(film, tmp_path, how, negative):
    with pytest.raises(InputError, match="would be overwritten"):
        paint_film(film, film, how())
    with pytest.raises(UsageError, match=r"painted films end in \.mp4"):
        paint_film(film, tmp_path / "out.avi", how())
    (tmp_path / "empty.mp4").write_bytes(b"nothing")
    with pytest.raises(FilmError, match="not a film"):
        paint_film(tmp_path / "empty.mp4", tmp_path / "out.mp4", how())
    assert negative.calls.count == 0
    assert paint_film(film, tmp_path / "out.mkv", how(), dry_run=True).counts == {"to do": 30}
    assert not (tmp_path / "out.mkv.parts").exists()


def test_an_encoder_that_ffmpeg_lacks_is_one_line(film, tmp_path, how, monkeypatch):
    monkeypatch.setitem(formats.CODECS, "av1", Codec("lib_unheard_of", "yuv420p", 30))
    with pytest.raises(OutputError, match=r"FFmpeg could not write it: .*lib_unheard_of"):
        paint_film(film, tmp_path / "out.mkv", how(film={"codec": "av1"}))


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("h264", "out.mp4"),
        ("hevc", "out.mp4"),
        ("av1", "out.mkv"),
        ("vp9", "out.webm"),
        ("prores", "out.mov"),
    ],
)
def test_codecs(tmp_path, write_film, scene, how, codec, name):
    drawing = cv2.GaussianBlur(scene(1, 96, 128), (0, 0), 9)
    film = write_film(tmp_path / "a.mkv", [np.roll(drawing, 3 * n, axis=0) for n in range(6)])
    paint_film(film, tmp_path / name, how(film={"codec": codec}))
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.codec.canonical_name == codec
        assert codec != "hevc" or stream.codec_context.codec_tag == "hvc1"
        found = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(found) == 6
    error = 255 - drawing.astype(float) - found[0]
    assert np.sqrt(np.square(error).mean()) < 4
