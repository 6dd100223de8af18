import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from animegan import checkpoint
from animegan.checkpoint import Header, built_in
from animegan.faces.networks import FaceGenerator
from animeprep.__main__ import main
from animeprep.images import read_rgb


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a run of faces and a file of prompts."""
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = FaceGenerator(noise=10, start=8, filters=4)
        for parameter in generator.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    recipe = {"noise": 10, "start": 8, "filters": 4, "norm": "none"}
    path = Path("runs/faces/generator.safetensors")
    checkpoint.write(path, generator.state_dict(), Header("generator", "faces", 3, recipe))
    Path("prompts.txt").write_text("ann,blue hair red eyes\nbob,green hair\n3,red eyes\n")
    return tmp_path


def _sample(*arguments):
    return main(["faces", "sample", *arguments, "--device", "cpu"])


def _told(capsys):
    return json.loads(capsys.readouterr().out)[0]


def test_one_prompt_and_nothing_else(here, capsys):
    assert _sample("blue hair red eyes") == 0
    assert "5 made\n  to sampled, model runs/faces/generator.safetensors" in capsys.readouterr().out
    files = sorted(path.name for path in Path("sampled").iterdir())
    assert files == [f"blue_hair_red_eyes_{number}.png" for number in range(1, 6)]
    pictures = [read_rgb(Path("sampled") / name) for name in files]
    assert {picture.shape for picture in pictures} == {(64, 64, 3)}
    assert len({picture.tobytes() for picture in pictures}) == 5


def test_forgotten_quotes_draw_the_same(here, snapshot):
    assert _sample("blue hair red eyes", "-o", "one") == 0
    assert _sample("blue", "hair", "red", "eyes", "-o", "other") == 0
    assert snapshot(Path("one")) == snapshot(Path("other"))


def test_a_file_of_prompts_as_json(here, capsys):
    assert _sample("white hair", "--prompts", "prompts.txt", "-n", "2", "--json") == 0
    told = _told(capsys)
    assert (told["stage"], told["counts"]) == ("faces sample", {"made": 8})
    assert told["files"][2] == {
        "file": "sampled/ann_1.png",
        "id": "ann",
        "words": "blue hair red eyes",
        "number": 1,
    }
    assert all(Path(one["file"]).is_file() for one in told["files"])


def test_a_sheet_holds_the_single_pictures(here):
    assert _sample("--prompts", "prompts.txt", "-n", "4") == 0
    assert _sample("--prompts", "prompts.txt", "-n", "4", "-o", "new/sheet.PNG", "--plain") == 0
    sheet = read_rgb(Path("new/sheet.PNG"))
    assert sheet.shape == (3 * 64, 4 * 64, 3)
    np.testing.assert_array_equal(sheet[64:128, 128:192], read_rgb(Path("sampled/bob_3.png")))


def test_sheets_go_into_the_folder_under_their_names(here):
    assert _sample("--prompts", "prompts.txt", "--grid") == 0
    assert _sample("--table", "--plain", "--scale", "2") == 0
    assert _sample("blue hair", "red eyes", "--strip", "-n", "2", "--plain") == 0
    shapes = {path.name: read_rgb(path).shape for path in Path("sampled").iterdir()}
    assert shapes["table.png"] == (12 * 128, 11 * 128, 3)
    assert shapes["strip.png"] == (128, 11 * 64, 3)
    assert shapes["grid.png"][0] == 24 + 3 * 70


def test_one_face_alone_has_no_label(here):
    assert _sample("blue hair", "-n", "1", "-o", "girl.png", "--scale", "3") == 0
    assert read_rgb(Path("girl.png")).shape == (192, 192, 3)


def test_faces_say_that_a_network_drew_them(here):
    drawn = b'DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trained'
    assert _sample("blue hair", "-n", "1", "-o", "marked.png") == 0
    assert drawn in Path("marked.png").read_bytes()
    assert _sample("blue hair", "-n", "1", "-o", "plain.png", "--no-mark") == 0
    assert drawn not in Path("plain.png").read_bytes()


def test_the_seed_decides(here, snapshot):
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert _sample("blue hair", "-n", "1", "--seed", seed, "-o", out) == 0
    assert snapshot(Path("a")) == snapshot(Path("b")) != snapshot(Path("c"))


def test_a_dry_run_writes_nothing(here, snapshot, capsys):
    before = snapshot(here)
    assert _sample("blue hair", "--dry-run") == 0
    assert "5 to do" in capsys.readouterr().out
    assert snapshot(here) == before
    assert not Path("sampled").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ([], 2, 'say what to draw, for example: animeprep faces sample "blue hair red eyes"'),
        ([""], 2, "'' is not understood"),
        (["green hair", "teal hair"], 2, "teal is no colour of hair; say one of orange, white"),
        (["--prompts", "none.txt"], 1, "none.txt: cannot be opened"),
        (["--prompts", "bad.txt"], 1, "bad.txt, line 2: 'teal eyes': teal is no colour of eyes"),
        (["blue hair", "-o", "a.jpg"], 2, "a.jpg: sheets are PNG files"),
        (["blue hair", "-o", "bad.txt"], 1, "bad.txt: cannot be written"),
        (["blue hair", "-o", "folder.png"], 1, "folder.png: cannot be written"),
        (["blue hair", "--table"], 2, "--table draws all words; give it no prompts"),
        (["--table", "-n", "2"], 2, "leave out -n"),
        (["blue hair", "red hair", "red eyes", "--strip"], 2, "3 are given"),
        (["--strip"], 2, "say what to draw"),
        (["blue hair", "--move-noise"], 2, "--move-noise is for a --strip"),
        (["blue hair", "-n", "0"], 2, "--count: "),
        (["blue hair", "--scale", "9"], 2, "--scale: "),
        (["blue hair", "--seed", "-1"], 2, "--seed: "),
        (["blue hair", "-n", "9999", "--scale", "8", "--grid"], 2, "too many for a sheet"),
        (["blue hair", "--model", "none"], 1, "there is no such model"),
        (["blue hair", "--model", "photos.safetensors"], 1, "use `animeprep stylize`"),
    ],
)
def test_mistakes_are_one_line_with_an_exit_code(here, capsys, arguments, code, line):
    Path("folder.png").mkdir()
    Path("bad.txt").write_text("1,blue hair\n2,teal eyes\n")
    Path("photos.safetensors").write_bytes(built_in("animegan").read_bytes())
    assert _sample(*arguments) == code
    errors = capsys.readouterr().err
    assert line in errors
    assert errors.count("\n") == 1
    assert not Path("sampled").exists()


def test_stylize_says_what_draws_faces(here, capsys):
    Path("photo.png").touch()
    assert main(["stylize", "photo.png", "--model", "faces"]) == 1
    assert "use `animeprep faces sample`" in capsys.readouterr().err


def test_help_does_without_torch():
    program = (
        "import sys; from animeprep.__main__ import main; main(['faces', 'sample', '--help']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "blue hair red eyes" in done.stdout
