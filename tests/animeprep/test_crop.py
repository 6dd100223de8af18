# mypy: allow-untyped-calls
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from animeprep.crop import CropSettings, crop, draw_crops, prepare_size
from animeprep.dedup import DedupSettings, dedup
from animeprep.errors import DatasetError
from animeprep.gates import log_average
from animeprep.images import read_rgb, resize, write_png


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def wide(scene):
    """A drawing with room for two crops."""
    return lambda seed: scene(seed, 300, 900)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(64, 300),
    st.integers(64, 300),
    st.sampled_from([32, 50, 64]),
    st.integers(1, 8),
    st.text(max_size=5),
)
def test_crops_have_the_size_lie_inside_and_hardly_overlap(height, width, size, count, name):
    wanted = CropSettings(size=size, count=count, short_side=0)
    boxes = list(draw_crops(noise(height, width), name, wanted))
    assert 1 <= len(boxes) <= count
    covered: list[np.ndarray] = []
    for box in boxes:
        assert (box.height, box.width) == (size, size)
        assert 0 <= box.top <= height - size
        assert 0 <= box.left <= width - size
        own = np.zeros((height, width), bool)
        box.cut(own)[:] = True
        assert all((own & other).sum() <= 0.25 * size * size for other in covered)
        covered.append(own)


def test_as_many_crops_as_wanted_where_there_is_room():
    boxes = list(draw_crops(noise(512, 910), "a", CropSettings(count=4)))
    assert len(boxes) == 4


def test_crops_depend_on_name_and_seed():
    def boxes(name, seed):
        return list(draw_crops(noise(512, 910), name, CropSettings(seed=seed)))

    assert boxes("a", 0) == boxes("a", 0)
    assert len({tuple(boxes(name, seed)) for name in "ab" for seed in (0, 1)}) == 4


def crops(dataset):
    return {p.name: read_rgb(p) for p in sorted((dataset.root / "crops").iterdir())}


def test_the_content_is_a_slice_of_the_scaled_picture(dataset, put, scene):
    put("frames", a=scene(1, 1080, 1920))
    crop(dataset, CropSettings())
    scaled = resize(scene(1, 1080, 1920), 910, 512)
    assert sorted(crops(dataset)) == ["a_0.png", "a_1.png"]
    for record in dataset.records("crop"):
        left, top, width, height = record["box"]
        assert (width, height) == (256, 256)
        made = read_rgb(dataset.path(record["file_name"]))
        assert (made == scaled[top : top + 256, left : left + 256]).all()
        assert record["scaled_size"] == [910, 512]


def test_records_hold_what_exposure_needs_of_the_whole_picture(dataset, put, scene):
    put("frames", a=scene(1))
    crop(dataset, CropSettings())
    for record in dataset.records("crop"):
        assert record["log_average"] == pytest.approx(log_average(scene(1)), abs=1e-6)
        assert record["peak"] == int(np.percentile(scene(1).max(axis=2), 99.9))


def test_other_pictures_change_no_crop(dataset, put, wide):
    put("frames", b=wide(1), d=wide(2))
    crop(dataset, CropSettings())
    before = crops(dataset)
    put("frames", a=wide(3), c=wide(4), e=wide(5))
    crop(dataset, CropSettings())
    after = crops(dataset)
    assert len(after) == 10
    assert all((after[name] == picture).all() for name, picture in before.items())


def test_a_small_picture_is_enlarged_to_the_size_of_a_crop(dataset, put, scene):
    put("frames", a=scene(1, 120, 200))
    crop(dataset, CropSettings())
    assert {picture.shape for picture in crops(dataset).values()} == {(256, 256, 3)}
    assert dataset.records("crop").of("frames/a.png")[0]["scaled_size"] == [427, 256]


@pytest.mark.parametrize(
    ("shape", "short_side", "expected"),
    [
        ((1080, 1920), 512, (512, 910)),
        ((400, 700), 512, (400, 700)),
        ((1080, 1920), 0, (1080, 1920)),
        ((100, 300), 512, (256, 768)),
        ((100, 300), 0, (256, 768)),
        ((900, 300), 512, (900, 300)),
    ],
)
def test_scaling_before_cropping(shape, short_side, expected):
    picture = np.zeros((*shape, 3), np.uint8)
    assert prepare_size(picture, CropSettings(short_side=short_side)).shape[:2] == expected


def test_a_flat_picture_gives_no_crop_and_a_reason(dataset, put, wide):
    put("frames", flat=np.full((300, 400, 3), 90, np.uint8), drawing=wide(1))
    summary = crop(dataset, CropSettings())
    assert summary.counts == {"made": 2, "skipped": 1}
    assert summary.reasons == {"no part has content": 1}
    assert dataset.records("crop").of("frames/flat.png")[0]["status"] == "skipped"
    assert sorted(crops(dataset)) == ["drawing_0.png", "drawing_1.png"]


def test_flat_parts_are_drawn_again():
    picture = np.full((300, 1200, 3), 90, np.uint8)
    picture[:, 900:] = noise(300, 300)
    boxes = list(draw_crops(picture, "a", CropSettings(size=128, count=3, short_side=0)))
    assert len(boxes) == 3
    assert all(box.cut(picture).std() >= 12 for box in boxes)


def test_pictures_that_dedup_left_out_are_not_cropped(dataset, put, wide, soften):
    put("frames", a=wide(1), b=soften(wide(1)))
    crop(dataset, CropSettings())
    dedup(dataset, DedupSettings())
    assert crop(dataset, CropSettings()).counts["removed"] == 2
    assert sorted(crops(dataset)) == ["a_0.png", "a_1.png"]


def test_stills_that_differ_in_their_suffix_have_crops_of_their_own(dataset, wide):
    write_png(dataset.path("frames/shot.png"), wide(1))
    write_png(dataset.path("frames/shot.webp"), wide(2))
    crop(dataset, CropSettings())
    assert len(crops(dataset)) == 4


def test_fewer_crops_remove_the_others(dataset, put, scene):
    put("frames", a=scene(1, 600, 900))
    crop(dataset, CropSettings(count=3))
    first = crops(dataset)["a_0.png"]
    crop(dataset, CropSettings(count=1))
    assert list(crops(dataset)) == ["a_0.png"]
    assert (crops(dataset)["a_0.png"] == first).all()


@pytest.mark.parametrize("values", [{"size": 16}, {"count": 0}, {"size": 600}, {"overlap": 2}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(ValidationError):
        CropSettings(**values)


def test_without_frames_the_verb_to_run_is_named(dataset):
    with pytest.raises(DatasetError, match="run `animeprep frames FILM` first"):
        crop(dataset, CropSettings())
