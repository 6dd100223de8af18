"""What tests of painting films share: a network whose paintings are known, films with all kinds."""

import subprocess

import av
import imageio_ffmpeg
import pytest
import torch

from animegan.films.settings import FilmSettings, How
from animegan.models.blocks import Generator
from animegan.painter import Painter
from animegan.stylize import PaintSettings


class Calls:
    """How often networks were called, and at which call to stop; copies of networks share it."""

    count, stop_at = 0, None

    def __deepcopy__(self, _memo):
        return self


class Negative(Generator):
    """Paints the negative."""

    multiple_of = 1
    bytes_per_pixel = 100

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((1,), -1.0))
        self.calls = Calls()

    def forward(self, photo):
        self.calls.count += 1
        if self.calls.count == self.calls.stop_at:
            raise KeyboardInterrupt
        return photo * self.weight


@pytest.fixture
def negative():
    return Negative().eval()


@pytest.fixture
def how(negative):
    """Makes a `How` of settings; films lose nothing."""

    def make(generator=None, film=None, **settings):
        film = {"codec": "ffv1"} if film is None else film
        painter = Painter(generator or negative, torch.device("cpu"))
        return How(painter, PaintSettings(**settings), FilmSettings(**film))

    return make


@pytest.fixture(scope="session")
def ffmpeg():
    def run(*arguments):
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout

    return run


@pytest.fixture(scope="session")
def shown():
    """Reads films: (milliseconds, picture) of every picture."""

    def read(path):
        with av.open(str(path)) as container:
            return [
                (round(frame.time * 1000), frame.to_ndarray(format="rgb24"))
                for frame in container.decode(video=0)
            ]

    return read


@pytest.fixture(scope="session")
def numbers_in(shown, read_number):
    """What the negatives of numbered pictures in a film say."""
    return lambda path: [read_number(255 - picture) for _, picture in shown(path)]


@pytest.fixture(scope="session")
def told():
    """(kind, codec, language) of the streams of a file beside the first one of pictures."""

    def read(path):
        with av.open(str(path)) as container:
            return [
                (one.type, one.codec_context.name, one.metadata.get("language", ""))
                for one in container.streams
                if one.type in {"audio", "subtitle"}
            ]

    return read
