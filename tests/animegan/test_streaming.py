from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from animegan import streaming
from animegan.checkpoint import load_generator
from animegan.models import GENERATORS
from animegan.models.norms import InstanceNorm, LayerNorm
from animegan.scratch import Scratch
from animegan.streaming import Streaming, cuts
from animegan.tensors import to_tensor
from animegan.tracing import Moments

CPU = torch.device("cpu")
ASSETS = Path(streaming.__file__).parent / "assets"


@pytest.fixture(scope="module")
def photo():
    """Smooth shapes and noise, 72×104."""
    rng = np.random.default_rng(0)
    shapes = cv2.resize(
        rng.integers(0, 256, (9, 13, 3), dtype=np.uint8), (104, 72), interpolation=cv2.INTER_CUBIC
    )
    noisy = shapes.astype(int) + rng.integers(-20, 20, shapes.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def generator_of(name):
    """A network whose norms scale and shift."""
    torch.manual_seed(0)
    generator = GENERATORS[name]().eval()
    for module in generator.modules():
        if isinstance(module, InstanceNorm | LayerNorm):
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
    return generator


def psnr(one, other):
    """Of tensors in [-1, 1], dB."""
    return 10 * torch.log10(4 / (one - other).square().mean()).item()


@pytest.fixture
def likeness(photo, monkeypatch):
    """How like the whole picture the least tile is, dB, before rounding to pixels."""

    def measure(generator, tile, scratch):
        exact: list[torch.Tensor] = []

        def keep(part, _kind):
            exact.append(part)
            return 0

        monkeypatch.setattr(streaming, "to_picture", keep)
        Streaming(generator, CPU, tile).paint(photo, scratch)
        with torch.inference_mode():
            whole = generator(to_tensor(photo))
        expected = [
            whole[..., rows.first : rows.end, columns.first : columns.end]
            for rows in cuts(72, tile)
            for columns in cuts(104, tile)
        ]
        return min(map(psnr, exact, expected))

    return measure


@pytest.mark.parametrize(
    ("name", "tile", "memory"),
    [(name, 40, 300_000) for name in GENERATORS]
    + [(name, *room) for name in ("animegan", "cartoongan") for room in ((32, 10**9), (104, 0))],
)
def test_tiles_are_the_whole_picture(name, tile, memory, likeness, tmp_path):
    assert likeness(generator_of(name), tile, Scratch(memory, CPU, tmp_path)) > 90
    assert list(tmp_path.iterdir()) == []


#: A sum and the one before, 256×18×26 each, in 16 bits.
COARSE = 2 * 2 * 256 * 18 * 26


@pytest.mark.parametrize("name", [pytest.param("animegan", marks=pytest.mark.slow), "animeganv2"])
def test_sixteen_bits_where_there_is_little_room_are_close(name, likeness, tmp_path):
    generator, _header = load_generator(ASSETS / f"{name}_init.safetensors")
    assert 75 < likeness(generator.eval(), 40, Scratch(COARSE, CPU, tmp_path, disk=COARSE)) < 95


def test_what_is_kept_goes_where_there_is_room(photo, tmp_path):
    generator = generator_of("animegan")
    made = []

    class Watched(Scratch):
        def new(self, shape, kind, *, in_memory):
            made.append((shape[0], kind, in_memory))
            return super().new(shape, kind, in_memory=in_memory)

    room = Watched(10**9, CPU, tmp_path)
    work = Streaming(generator, CPU, 64)
    work.paint(photo, room)
    assert set(made) == {(height, torch.float32, True) for height in (72, 36, 18)}
    assert room.memory == 10**9  # all is given back
    assert work.arithmetic < 1.1
    made.clear()
    work.paint(photo, Watched(0, CPU, tmp_path, disk=COARSE))
    assert set(made) == {(18, torch.float16, False)}
    with pytest.raises(MemoryError):
        work.paint(photo, Scratch(0, CPU, disk=COARSE - 1))


def test_moments_do_not_cancel():
    torch.manual_seed(0)
    features = 1e4 + torch.randn(1, 3, 40, 50)
    moments = Moments()
    for part in features.split([7, 33], dim=2):
        moments.add(part)
    exact = features.double()
    mean, variance = moments.of_channels()
    torch.testing.assert_close(mean, exact.mean((0, 2, 3)), rtol=1e-7, atol=0)
    torch.testing.assert_close(variance, exact.var((0, 2, 3), correction=0), rtol=1e-4, atol=0)
    mean, variance = moments.of_layer()
    torch.testing.assert_close(mean, exact.mean(), rtol=1e-7, atol=0)
    torch.testing.assert_close(variance, exact.var(correction=0), rtol=1e-4, atol=0)
