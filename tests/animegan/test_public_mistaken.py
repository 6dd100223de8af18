import io

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from animegan.errors import CheckpointError
from animegan.models import GENERATORS
from animegan.public import read
from animegan.public.mistaken import what_it_is


def picture(kind):
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, kind)
    return data.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
def test_pictures(kind):
    assert what_it_is(picture(kind)[:64]) == "a picture"


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
def test_films(tmp_path, container):
    with av.open(str(tmp_path / "film"), "w", format=container) as film:
        stream = film.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    with pytest.raises(CheckpointError, match=r"cannot be used as weights \(it is a film\)"):
        read(tmp_path / "film")


def test_weights_are_not_mistaken(tmp_path):
    weights = GENERATORS["animeganv2-lite"]().state_dict()
    files = [save(weights)]
    for new in (True, False):
        data = io.BytesIO()
        torch.save(weights, data, _use_new_zipfile_serialization=new)
        files.append(data.getvalue())
    assert [what_it_is(data[:64]) for data in files] == [None] * 3


@pytest.mark.parametrize("length", [0x8B1F, 0x4D42])
def test_a_length_that_looks_like_another_kind(length):
    assert what_it_is(length.to_bytes(8, "little") + b'{"a":') is None


def test_texts():
    assert what_it_is(b"not weights\n") == "a text"
    assert what_it_is(b"") == "empty"
    assert what_it_is(b"<!DOCTYPE html>") == "a web page, not the file behind it"


def test_onnx():
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph([], "g", [], [])
    model = onnx.helper.make_model(graph, producer_name="pytorch")
    assert "ONNX" in str(what_it_is(model.SerializeToString()[:64]))
