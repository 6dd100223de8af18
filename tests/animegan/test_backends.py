import importlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from animegan import backends, painter
from animegan.backends import alike, choose, eager, kept, onnxruntime, openvino
from animegan.backends.alike import psnr, real_photo
from animegan.backends.wish import Wish
from animegan.checkpoint import Header, write
from animegan.models import GENERATORS
from animegan.models.blocks import Generator, convolution
from animegan.models.norms import InstanceNorm, LayerNorm
from animegan.models.resampling import Enlarge
from animegan.painter import Painter
from animegan.steady import Steady, survey
from animeprep.__main__ import main
from animeprep.errors import OutputError, UsageError
from animeprep.images import write_png

CPU = torch.device("cpu")


class Small(Generator):
    """A convolution of each kind, and both norms."""

    multiple_of = 4
    bytes_per_pixel = 100

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(
            *(convolution(3, 8, 7), InstanceNorm(8), nn.LeakyReLU(0.2, inplace=True)),
            *(convolution(8, 8, stride=2), LayerNorm(8), nn.LeakyReLU(0.2, inplace=True)),
            *(convolution(8, 8, groups=8), convolution(8, 8, 1), InstanceNorm(8)),
            Enlarge(),
            *(convolution(8, 3, 1), nn.Tanh()),
        )
        for norm in self.modules():
            if isinstance(norm, InstanceNorm | LayerNorm):
                nn.init.normal_(norm.weight, 1, 0.2)
                nn.init.normal_(norm.bias, 0, 0.2)

    def forward(self, photo):
        """N×3×H×W → N×3×H×W."""
        return self.layers(photo)


@pytest.fixture
def small():
    return Small().eval()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder)
    return folder / "networks"


def sample():
    return (real_photo(4),)


def noise(height, width):
    return torch.rand(1, 3, height, width) * 2 - 1


def alike_at_any_size(build, module, norms, precision="fp32"):
    """The least dB over some sizes, and a real photo."""
    network = build(module, lambda: (real_photo(4), *norms), precision)
    with torch.inference_mode():
        photos = [noise(16, 24), noise(72, 40), real_photo(4, 64)]
        return min(
            psnr(network(photo, *norms).numpy(), module(photo, *norms).numpy()) for photo in photos
        )


def test_openvino_paints_as_torch_does_at_any_size(small):
    assert alike_at_any_size(openvino.build, small, ()) > 90
    norms = survey(small, [real_photo(4)])
    assert alike_at_any_size(openvino.build, Steady(small), (norms,)) > 90


@pytest.mark.slow
def test_onnx_runtime_paints_as_torch_does_at_any_size(small):
    assert alike_at_any_size(onnxruntime.build, small, ()) > 90
    norms = survey(small, [real_photo(4)])
    assert alike_at_any_size(onnxruntime.build, Steady(small), (norms,)) > 90


@pytest.mark.slow
@pytest.mark.parametrize(
    "network", ["animegan-tf", "animeganv2-aligned", "animeganv2-lite", "cartoongan-authors"]
)
def test_openvino_knows_the_networks(network):
    torch.manual_seed(0)
    generator = GENERATORS[network]().eval()
    inputs = (real_photo(8),)
    painted = openvino.build(generator, lambda: inputs, "fp32")
    assert alike.check(painted, generator, inputs, "openvino fp32") > 80


@pytest.mark.parametrize("build", [eager.build, openvino.build], ids=["torch", "openvino"])
def test_half_precision_is_true_enough(build, small):
    assert 35 < alike_at_any_size(build, small, (), "bf16") < 80


def test_a_statistic_is_not_rounded_to_halves(small):
    # A large mean with little variance: in bfloat16 the variance would be lost.
    with torch.no_grad():
        small.layers[0].weight.mul_(0.01)
    photo = 0.9 + 0.01 * noise(32, 32)
    network = eager.build(small, sample, "bf16")
    with torch.inference_mode():
        assert psnr(network(photo).numpy(), small(photo).numpy()) > 25


def test_a_built_network_is_kept_and_read_again(small, cache, monkeypatch):
    before = openvino.build(small, sample, "fp32")(*sample())
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(openvino, "convert", None)  # would be called in vain
    assert torch.equal(openvino.build(Small().eval(), sample, "fp32")(*sample()), before)


def test_a_damaged_network_is_built_again(small, cache):
    before = openvino.build(small, sample, "fp32")(*sample())
    (path,) = cache.iterdir()
    whole, middle, other = path.read_bytes(), path.stat().st_size // 2, io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("model.xml", "<net/>")
    damaged = {
        "cut": whole[:middle],
        "changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "no archive": b"something else",
        "another archive": other.getvalue(),
    }
    for damage, data in damaged.items():
        path.write_bytes(data)
        assert torch.equal(openvino.build(small, sample, "fp32")(*sample()), before), damage
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None, damage
            assert sorted(archive.namelist()) == ["model.bin", "model.xml"]


def test_other_weights_norms_or_networks_are_kept_apart(small):
    keys = {kept.key(small, "a"), kept.key(small, "b"), kept.key(Steady(small), "a")}
    small.layers[1].epsilon = 1e-3
    keys.add(kept.key(small, "a"))
    with torch.no_grad():
        small.layers[0].weight[0, 0, 0, 0] += 1e-6
    keys.add(kept.key(small, "a"))
    assert len(keys) == 5
    assert kept.key(small, "a") in keys


def test_several_threads_may_paint(small):
    network = openvino.build(small, sample, "fp32")
    photos = [noise(32, 8 * number) for number in range(4, 12)]
    with ThreadPoolExecutor(4) as pool:
        painted = list(pool.map(network, photos))
    with torch.inference_mode():
        for photo, one in zip(photos, painted, strict=True):
            assert psnr(one.numpy(), small(photo).numpy()) > 90


def test_only_so_many_are_kept_and_a_full_disk_matters_not(cache, monkeypatch):
    for number in range(20):
        assert kept.build(f"{number}", lambda: {"a": b"1"}, dict) == {"a": b"1"}
    assert len(list(cache.iterdir())) == 16

    def full(_path, _data):
        raise OutputError("a", "the disk is full", "")

    monkeypatch.setattr(kept, "write_atomic", full)
    assert kept.build("new", lambda: {"a": b"2"}, dict) == {"a": b"2"}


def test_auto_takes_openvino_for_films_where_it_is_installed(small, monkeypatch):
    picture, film = (choose(small, CPU, sample, Wish(), film=film) for film in (False, True))
    assert (picture.name, "ready at once" in picture.reason) == ("torch fp32", True)
    assert (film.name, "one size" in film.reason) == ("openvino fp32", True)
    monkeypatch.setattr(backends, "installed", lambda _name: False)
    without = choose(small, CPU, sample, Wish(), film=True)
    assert (without.name, "not installed" in without.reason) == ("torch fp32", True)


def test_sizes_that_come_again_are_painted_the_same(small):
    network = openvino.build(small, sample, "fp32")
    photos = [noise(32, 8 * number) for number in range(4, 10)]
    with torch.inference_mode():
        for photo in [*photos, *photos, *reversed(photos)]:
            assert psnr(network(photo).numpy(), small(photo).numpy()) > 90


def test_what_paints_otherwise_does_not_paint(small, monkeypatch):
    def spoilt(module, sample, precision):
        return lambda photo: module(photo).detach() * 0.9

    monkeypatch.setitem(backends.BUILDERS, "openvino", spoilt)
    with pytest.raises(OutputError, match=r"only .* dB like torch's"):
        choose(small, CPU, sample, Wish("openvino"))
    other = choose(small, CPU, sample, Wish(), film=True)
    assert other.name == "torch fp32"
    assert "dB like torch's" in other.reason

    def broken(module, sample, precision):
        raise RuntimeError("no such operation\nsomewhere")

    monkeypatch.setitem(backends.BUILDERS, "openvino", broken)
    other = choose(small, CPU, sample, Wish(), film=True)
    assert (other.name, other.reason) == ("torch fp32", "openvino failed: no such operation")


def test_mistakes_are_one_line(small, monkeypatch):
    with pytest.raises(UsageError, match="leave out --precision"):
        choose(small, CPU, sample, Wish("onnxruntime", "bf16"))
    with pytest.raises(UsageError, match="say --device cpu"):
        choose(small, torch.device("meta"), sample, Wish("openvino"))

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r"pip install 'animeprep\[openvino\]'"):
        choose(small, CPU, sample, Wish("openvino"))
    with pytest.raises(UsageError, match=r"pip install 'animeprep\[onnx\]'"):
        choose(small, CPU, sample, Wish("onnxruntime"))


def test_a_painter_paints_by_the_backend_it_is_told(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(GENERATORS, "animegan", Small)
    model = tmp_path / "generator.safetensors"
    write(model, small.state_dict(), Header("generator", "animegan", 0, {}))
    rgb = np.random.default_rng(0).integers(0, 256, (45, 51, 3), dtype=np.uint8)
    write_png(tmp_path / "photo.png", rgb)
    told = ["--model", str(model), "-o", str(tmp_path / "out.png"), "--backend", "openvino"]
    assert main(["stylize", str(tmp_path / "photo.png"), *told]) == 0
    assert "backend openvino fp32 (as asked)" in capsys.readouterr().out
    by_torch, other = (Painter.load(model, backend=backend) for backend in ("torch", "openvino"))
    difference = by_torch.paint(rgb).astype(int) - other.paint(rgb)
    assert abs(difference).max() <= 1
    assert other.described()["backend"] == "openvino fp32 (as asked)"


def test_a_painter_gives_a_steady_network(small):
    steady = Painter(small, CPU).prepare_steady()
    photo = noise(32, 40)
    norms = survey(small, [photo])
    with torch.inference_mode():
        torch.testing.assert_close(steady(photo, norms), small(photo), atol=1e-5, rtol=0)
    built = painter.Painter(small, CPU, Wish()).prepare_steady()
    assert built.name == "openvino fp32"
    first = built(photo, norms)  # what a resumed film begins with must not differ
    assert all(torch.equal(built(photo, norms), first) for _ in range(2))
