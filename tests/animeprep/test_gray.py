# mypy: allow-untyped-calls
import io

import numpy as np
import pytest
from PIL import Image

from animeprep.edges import EdgeSettings, edges, smooth_edges
from animeprep.errors import DatasetError
from animeprep.gray import gray
from animeprep.images import encode_jpeg, list_images, read_rgb, to_gray


def stored(path):
    return np.array(Image.open(io.BytesIO(path.read_bytes())))


@pytest.fixture
def styled(dataset, put, scene):
    put("style", a=scene(1), b=scene(2))
    edges(dataset, EdgeSettings())
    return dataset


def test_gray_sets_are_the_gray_of_style_and_smooth(styled, scene):
    assert gray(styled).counts == {"made": 4}
    for name, seed in (("a", 1), ("b", 2)):
        smooth = smooth_edges(scene(seed), EdgeSettings())
        assert (stored(styled.path(f"gray/{name}.png")) == to_gray(scene(seed))).all()
        assert (stored(styled.path(f"smooth_gray/{name}.png")) == to_gray(smooth)).all()


def test_gray_read_back_equals_what_training_would_compute(styled):
    gray(styled)
    for path in list_images(styled.root / "style"):
        from_disk = read_rgb(styled.root / "gray" / path.name)
        assert (from_disk == to_gray(read_rgb(path))[..., None]).all()


def test_names_are_paired_whatever_the_kind_of_file(styled, scene):
    styled.path("style/c.jpg").write_bytes(encode_jpeg(scene(3)))
    edges(styled, EdgeSettings())
    gray(styled)
    names = [
        [path.name for path in list_images(styled.root / folder)]
        for folder in ("smooth", "gray", "smooth_gray")
    ]
    assert names == [["a.png", "b.png", "c.jpg.png"]] * 3


def test_a_rerun_changes_no_file(styled, times_of):
    gray(styled)
    before = times_of(styled.root)
    assert gray(styled).counts == {"unchanged": 4}
    assert times_of(styled.root) == before


def test_without_smooth_the_verb_to_run_is_named(dataset, put, scene):
    put("style", a=scene(1))
    with pytest.raises(DatasetError, match=r"smooth: .*run `animeprep smooth-edges` first"):
        gray(dataset)


def test_without_style_the_verb_to_run_is_named(dataset):
    with pytest.raises(DatasetError, match=r"style: .*run `animeprep exposure` first"):
        gray(dataset)
