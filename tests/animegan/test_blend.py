import pytest
import torch

from animegan.blend import blend
from animegan.checkpoint import Header, load_generator, write
from animegan.errors import CheckpointError
from animegan.models import GENERATORS
from animeprep.__main__ import main


@pytest.fixture
def files(tmp_path):
    def made(*networks):
        paths = []
        for number, network in enumerate(networks):
            torch.manual_seed(number)
            paths.append(tmp_path / f"{number}.safetensors")
            state = GENERATORS[network]().state_dict()
            write(paths[-1], state, Header("generator", network, 10 * number, {}))
        return paths

    return made


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_weights_lie_between(tmp_path, files, share):
    first, second = files("animeganv2-lite", "animeganv2-lite")
    out = tmp_path / "mixed.safetensors"
    blend(first, second, share, out)
    one, other, mixed = (load_generator(path)[0].state_dict() for path in (first, second, out))
    for name, value in mixed.items():
        torch.testing.assert_close(value, (1 - share) * one[name] + share * other[name])


def test_two_networks_cannot_be_mixed(tmp_path, files):
    first, second = files("animeganv2-lite", "animeganv2")
    with pytest.raises(CheckpointError, match="name two of a kind"):
        blend(first, second, 0.5, tmp_path / "mixed.safetensors")
    assert not (tmp_path / "mixed.safetensors").exists()


def test_the_verb(tmp_path, files, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files("animeganv2-lite", "animeganv2-lite")
    command = ["blend", "0.safetensors", "1.safetensors", "0.4"]
    assert main([*command, "-o", "mixed.safetensors"]) == 0
    assert "mixed.safetensors" in capsys.readouterr().out
    assert load_generator(tmp_path / "mixed.safetensors")[1].step == 10
    assert main([*command, "-o", "0.safetensors"]) == 1
    assert "would be overwritten" in capsys.readouterr().err
