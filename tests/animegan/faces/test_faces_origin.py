"""What a run of faces remembers of its set."""

import os

import pytest

from animegan import checkpoint
from animegan.checkpoint import Header
from animegan.errors import TrainingError
from animegan.faces.origin import FILE, read_again, remember
from animegan.faces.reading import read_faces
from animegan.faces.settings import Reading
from tests.animegan.faces.drawing import drawn_faces, faces_set, write_tar


@pytest.mark.parametrize("name", [b"faces.tar", b"faces \xff\xe9.tar", "gesichter ☃.tar".encode()])
def test_a_set_is_found_again_whatever_it_is_called(tmp_path, name):
    source = write_tar(tmp_path / os.fsdecode(name), faces_set(drawn_faces(8)))
    collected = read_faces(source, Reading(held_out=0.3))
    remember(tmp_path / "run", collected)
    (tmp_path / "run" / FILE).read_text("utf-8")
    weights = tmp_path / "run" / "generator.safetensors"
    checkpoint.write(weights, {}, Header("generator", "faces", 1, {}))
    again = read_again(weights, None, {})
    assert again.source == source
    assert again.held_out.fingerprint() == collected.held_out.fingerprint()


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'{"source": 3}', b"[" * 10**6])
def test_a_run_that_does_not_say_is_told(tmp_path, data):
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(TrainingError, match="does not say what it learned from"):
        read_again(tmp_path / "generator.safetensors", None, {})
