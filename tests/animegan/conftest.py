"""What tests of training share: networks that take no time."""

import pytest
from torch import nn

from animegan.models import DISCRIMINATORS, GENERATORS


class Tiny(nn.Sequential):
    """A generator for tests that are not about networks."""

    multiple_of = 1
    bytes_per_pixel = 100

    def __init__(self):
        super().__init__(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())


@pytest.fixture
def tiny_networks(monkeypatch):
    """AnimeGAN's networks are tiny ones."""
    monkeypatch.setitem(GENERATORS, "animegan", Tiny)
    monkeypatch.setitem(DISCRIMINATORS, "animegan", lambda: nn.Conv2d(3, 1, 4, 4))
