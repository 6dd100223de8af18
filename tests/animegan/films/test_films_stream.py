import io
import subprocess
import sys

import av
import imageio_ffmpeg
import numpy as np
import pytest

from animegan import checkpoint
from animegan.checkpoint import Header
from animegan.films.formats import answer_to
from animegan.films.stream import paint_stream
from animegan.models import GENERATORS
from animeprep.errors import FilmError


@pytest.fixture
def film(tmp_path, write_film, numbered):
    return write_film(tmp_path / "film.mkv", [numbered(n) for n in range(40)])


@pytest.fixture
def raw(ffmpeg):
    """A film as raw video."""

    def make(film, container):
        codec = ("-c:v", "rawvideo") if container == "nut" else ()
        return ffmpeg("-i", film, "-pix_fmt", "yuv420p", *codec, "-f", container, "-")

    return make


@pytest.mark.parametrize("container", ["yuv4mpegpipe", "nut"])
def test_raw_video_is_painted_as_it_comes(film, raw, how, shown, numbers_in, container):
    data = raw(film, container)
    assert answer_to(data[:32]) == container
    out = film.with_name("out")
    with out.open("wb") as target:
        summary = paint_stream(io.BytesIO(data), target, container, how())
    found = shown(out)
    assert numbers_in(out) == list(range(40))
    assert [time for time, _ in found] == [40 * n for n in range(40)]
    source = shown(film)[0][1].astype(int)
    assert np.abs(255 - source - found[0][1]).max() <= 4
    assert summary.counts == {"made": 40}


def test_a_shot_is_painted_as_if_it_were_alone(tmp_path, write_film, scene, raw, how, shown):
    generator = GENERATORS["animeganv2-lite"]().eval()
    drawings = [scene(seed, 96, 160) for seed in range(2)]
    shots = [[np.roll(drawing, n, axis=1) for n in range(3)] for drawing in drawings]
    painted = []
    for number, pictures in enumerate([*shots, shots[0] + shots[1]]):
        film = write_film(tmp_path / f"{number}.mkv", pictures)
        with (tmp_path / "out").open("wb") as target:
            paint_stream(io.BytesIO(raw(film, "nut")), target, "nut", how(generator))
        painted.append([picture for _, picture in shown(tmp_path / "out")])
    assert np.array_equal(painted[2], painted[0] + painted[1])


def test_pictures_are_no_stream():
    assert answer_to(b"\x89PNG\r\n\x1a\n") is None


def test_a_stream_without_sense_is_one_line(how):
    with pytest.raises(FilmError, match="standard input: cannot be read"):
        paint_stream(io.BytesIO(b"YUV4MPEG2 nonsense"), io.BytesIO(), "yuv4mpegpipe", how())


@pytest.mark.slow
def test_through_a_pipe_of_programs(film, tmp_path, raw):
    model = tmp_path / "generator.safetensors"
    weights = GENERATORS["animeganv2-lite"]().state_dict()
    checkpoint.write(model, weights, Header("generator", "animeganv2-lite", 1, {}))
    program = [sys.executable, "-m", "animeprep", "stylize", "-", "-o", "-", "--model", model]
    done = subprocess.run(
        program,
        input=raw(film, "yuv4mpegpipe"),
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"40 made" in done.stderr
    into = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "-", tmp_path / "out.mp4"]
    subprocess.run(into, input=done.stdout, check=True, timeout=60)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert len(list(container.decode(video=0))) == 40
