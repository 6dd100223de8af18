import os
from pathlib import Path

import numpy as np
import pytest
import torch

from animegan import checkpoint, painter
from animegan.checkpoint import Header
from animegan.errors import CheckpointError, PaintingError
from animegan.models import GENERATORS
from animegan.models.blocks import Generator
from animegan.painter import Painter, find_model
from animegan.scratch import Scratch
from animegan.tensors import to_tensor

CPU = torch.device("cpu")


class Identity(Generator):
    """Answers what it is given, and remembers its shape."""

    multiple_of = 4
    bytes_per_pixel = 12

    def forward(self, photo):
        self.shape = photo.shape
        return photo


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "generator.safetensors"
    weights = GENERATORS["animegan"]().state_dict()
    checkpoint.write(path, weights, Header("generator", "animegan", 1, {}))
    return path


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (7, 64), (33, 34), (64, 64)])
def test_any_size_comes_back_as_it_was(size):
    network = Identity()
    picture = noise(*size)
    np.testing.assert_array_equal(Painter(network, CPU).paint(picture), picture)
    assert network.shape[2] % 4 == 0
    assert network.shape[3] % 4 == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 6), (30, 41)])
def test_the_real_generator_takes_any_size(size):
    generator = GENERATORS["animegan"]().eval()
    assert Painter(generator, CPU).paint(noise(*size)).shape == (*size, 3)


def test_paint_equals_the_network_where_nothing_is_padded():
    generator = GENERATORS["animegan"]().eval()
    picture = noise(32, 40)
    with torch.inference_mode():
        expected = generator(to_tensor(picture))[0].permute(1, 2, 0).numpy()
    answer = Painter(generator, CPU).paint(picture) / 127.5 - 1
    assert np.abs(answer - expected).max() <= 1 / 127


def test_a_painting_in_tiles_is_that_of_the_whole_picture(model, monkeypatch):
    network = Painter.load(model, device="cpu")
    picture = noise(70, 90)
    whole = network.paint(picture, in_tiles=False)
    monkeypatch.setattr(painter, "TILE", 32)
    shares: list[float] = []
    tiles = network.paint(picture, in_tiles=True, advance=shares.append)
    assert np.abs(whole.astype(int) - tiles).max() <= 1
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_what_does_not_fit_is_painted_in_tiles(model, monkeypatch):
    network = Painter.load(model, device="cpu")
    picture = noise(40, 40)
    whole = network.paint(picture)
    assert network.fits(40, 40)
    monkeypatch.setattr(painter, "free_memory", lambda _device: 1600 * 2300)
    assert not network.fits(40, 40)
    assert np.abs(whole.astype(int) - network.paint(picture)).max() <= 1


def test_sixteen_bits_are_painted_finer(model, monkeypatch):
    network = Painter.load(model, device="cpu")
    picture = noise(40, 40)
    eight, sixteen = network.paint(picture), network.paint(picture.astype(np.uint16) * 257)
    assert sixteen.dtype == np.uint16
    assert np.abs(sixteen / 257 - eight).max() <= 0.5 + 1e-3
    assert len(np.unique(sixteen)) > 2000
    monkeypatch.setattr(painter, "TILE", 32)
    tiles = network.paint(picture.astype(np.uint16) * 257, in_tiles=True)
    assert np.abs(sixteen.astype(int) - tiles).max() <= 2


def test_memory_that_runs_out_after_all_leads_to_tiles(model, monkeypatch):
    network = Painter.load(model, device="cpu")
    picture = noise(40, 40)
    whole = network.paint(picture)

    def full(_photo):
        monkeypatch.undo()
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(network.generator, "forward", full)
    assert np.abs(whole.astype(int) - network.paint(picture)).max() <= 1


def test_a_picture_for_which_there_is_no_room_at_all_is_refused(model, monkeypatch):
    network = Painter.load(model, device="cpu")
    monkeypatch.setattr(painter, "Scratch", lambda _memory, device: Scratch(0, device, disk=0))
    with pytest.raises(PaintingError, match="40×36: there is not enough memory"):
        network.paint(noise(36, 40), in_tiles=True)


def test_the_api_is_three_lines(model):
    from animegan import Painter as Public

    assert Public is Painter
    assert Public.load(str(model), device="cpu").described() == {
        "model": str(model),
        "network": "animegan",
        "step": 1,
    }


def test_the_newest_run_is_found(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no trained model"):
        find_model(None)
    for age, name in ((200, "old"), (100, "new")):
        path = tmp_path / "runs" / name / "generator.safetensors"
        path.parent.mkdir(parents=True)
        path.write_bytes(model.read_bytes())
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    assert find_model(None).parent.name == "new"
    for named in ("old", "runs/old", "runs/old/generator.safetensors"):
        assert find_model(Path(named)).parent.name == "old"
    with pytest.raises(CheckpointError, match="no such model"):
        find_model(Path("other"))


def test_the_chosen_checkpoint_of_a_run_comes_first(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    for name in ("generator.safetensors", "best.safetensors"):
        (run / name).write_bytes(model.read_bytes())
    for named in (None, Path("one"), Path("runs/one"), run):
        assert find_model(named).name == "best.safetensors"
    assert find_model(run / "generator.safetensors").name == "generator.safetensors"
    monkeypatch.chdir(run)
    assert find_model(Path()).name == "best.safetensors"


def test_a_tensorflow_checkpoint_is_found_by_what_its_files_share(tmp_path):
    index = tmp_path / "Hayao-60.ckpt.index"
    index.touch()
    assert find_model(tmp_path / "Hayao-60.ckpt") == index


@pytest.mark.parametrize("network", ["animeganv2-aligned", "animeganv2"])
def test_public_weights_paint(tmp_path, network):
    torch.manual_seed(0)
    state = GENERATORS["animeganv2"]().state_dict()
    torch.save(state, tmp_path / "paprika.pt")
    loaded = Painter.load(tmp_path / "paprika.pt", device="cpu", network=network)
    assert loaded.described() == {"model": str(tmp_path / "paprika.pt"), "network": network}
    generator = GENERATORS[network]().eval()
    generator.load_state_dict(state)
    expected = Painter(generator, CPU).paint(noise(18, 20))
    np.testing.assert_array_equal(loaded.paint(noise(18, 20)), expected)


def test_a_picture_of_a_shot_is_painted_whole_and_in_tiles_alike():
    torch.manual_seed(0)
    painter = Painter(GENERATORS["animeganv2"]().eval(), CPU)
    shot = [np.random.default_rng(k).integers(0, 256, (90, 150, 3), np.uint8) for k in range(3)]
    norms = painter.survey(shot)
    whole = painter.paint(shot[0], norms=norms, in_tiles=False)
    in_tiles = painter.paint(shot[0], norms=norms, in_tiles=True)
    assert np.abs(whole.astype(int) - in_tiles).max() <= 1
    alone = painter.paint(shot[0], norms=painter.survey(shot[:1]))
    assert np.abs(painter.paint(shot[0]).astype(int) - alone).max() <= 1


def test_pictures_are_painted_one_after_the_other_as_they_are_read():
    painter = Painter(Identity(), CPU)
    pictures = [noise(20 + n, 30, n) for n in range(4)]

    def reading():
        yield from pictures
        raise OSError("the disk is gone")

    painted = painter.paint_each(reading())
    for picture in pictures[:3]:
        assert np.array_equal(next(painted), picture)
    assert np.array_equal(next(painted), pictures[3])
    with pytest.raises(OSError, match="the disk is gone"):
        next(painted)
    assert list(painter.paint_each([])) == []


def test_norms_of_a_shot_are_found_in_tiles_too(monkeypatch):
    torch.manual_seed(0)
    for name in ("animegan", "animeganv2"):
        painted = Painter(GENERATORS[name]().eval(), CPU)
        shot = [noise(96, 160, n) for n in range(2)]
        whole = painted.survey(shot)
        monkeypatch.setattr(Painter, "fits", lambda *_size: False)
        torch.testing.assert_close(painted.survey(shot), whole, atol=1e-4, rtol=1e-4)
        monkeypatch.undo()
