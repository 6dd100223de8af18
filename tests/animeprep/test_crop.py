# mypy: allow-untyped-calls
import hashlib
import os
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from animeprep.boxes import Box
from animeprep.crop import CropSettings, clear_places, crop, crops_of, draw_crops, prepare_size
from animeprep.dedup import DedupSettings, dedup
from animeprep.errors import DatasetError, OutputError
from animeprep.images import read_rgb, resize, write_png
from animeprep.light import log_average


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


def plain_places(gray, side, contrast, avoided):
    """Place by place."""
    found = set()
    for top in range(gray.shape[0] - side + 1):
        for left in range(gray.shape[1] - side + 1):
            rows, columns = slice(top, top + side), slice(left, left + side)
            clear = not any(touch(Box(top, left, side, side), box) for box in avoided)
            if clear and gray[rows, columns].std() >= contrast:
                found.add((top, left))
    return found


def touch(one, other):
    return (
        one.top < other.top + other.height
        and other.top < one.top + one.height
        and one.left < other.left + other.width
        and other.left < one.left + one.width
    )


@pytest.mark.parametrize("block", [7, 2048])
def test_every_place_that_fits_is_drawn_and_no_other(monkeypatch, block):
    monkeypatch.setattr("animeprep.crop._BLOCK", block)
    rng = np.random.default_rng(0)
    gray = np.zeros((44, 60), np.uint8)
    gray[:, 25:] = rng.integers(0, 60, (44, 35))
    picture = np.repeat(gray[..., None], 3, axis=2)
    avoided = [Box(0, 50, 8, 10), Box(40, 0, 4, 20)]
    expected = plain_places(gray, 32, 14, avoided)
    # More places than can be wanted at once: other names draw others.
    wanted = CropSettings(size=32, short_side=0, overlap=1, contrast=14, count=64)
    drawn = {
        (box.top, box.left)
        for number in range(60)
        for box in draw_crops(picture, str(number), wanted, avoided)
    }
    assert 20 < len(expected) < 13 * 29
    assert drawn == expected


def test_places_are_drawn_evenly():
    lefts = [
        box.left
        for number in range(300)
        for box in draw_crops(noise(64, 164), str(number), CropSettings(size=64, count=1))
    ]
    assert np.histogram(lefts, 5, (0, 101))[0].min() > 40


def test_an_area_to_avoid_moves_no_crop_elsewhere():
    picture = noise(300, 900)
    wanted = CropSettings(size=64, short_side=0, count=6)
    free = list(draw_crops(picture, "a", wanted))
    area = Box(free[2].top + 30, free[2].left + 30, 5, 5)
    clear = list(draw_crops(picture, "a", wanted, [area]))
    assert not any(touch(box, area) for box in clear)
    assert [box for box in free if not touch(box, area)][:2] == clear[:2]
    assert len(clear) == 6


AREAS = st.builds(
    Box, st.integers(0, 190), st.integers(0, 190), st.integers(1, 90), st.integers(1, 90)
)


@given(
    st.integers(70, 200),
    st.integers(70, 200),
    st.lists(AREAS, max_size=5),
    st.sampled_from(["random", "grid"]),
)
@settings(max_examples=60, deadline=None)
def test_no_crop_touches_an_avoided_area(height, width, avoided, mode):
    wanted = CropSettings(size=64, short_side=0, count=4, mode=mode)
    for box in draw_crops(noise(height, width), "a", wanted, avoided):
        assert not any(touch(box, area) for area in avoided)


def test_places_that_are_clear():
    assert clear_places((64, 64), 64, []).tolist() == [[True]]
    assert clear_places((64, 64), 64, [Box(0, 0, 1, 1)]).tolist() == [[False]]
    assert clear_places((100, 100), 64, [Box(0, 0, 100, 100)]).sum() == 0


@pytest.mark.parametrize(
    ("height", "width", "corners"),
    [
        (64, 64, [(0, 0)]),
        (100, 64, [(18, 0)]),
        (128, 192, [(0, 0), (0, 64), (0, 128), (64, 0), (64, 64), (64, 128)]),
        (64, 201, [(0, 0), (0, 68), (0, 137)]),
    ],
)
def test_a_grid_holds_all_that_fit_evenly_spread(height, width, corners):
    wanted = CropSettings(size=64, mode="grid", short_side=0)
    boxes = list(draw_crops(noise(height, width), "any", wanted))
    assert boxes == [Box(top, left, 64, 64) for top, left in corners]


def test_a_grid_leaves_flat_tiles_out():
    picture = noise(128, 128)
    picture[:64, 64:] = 90
    boxes = list(draw_crops(picture, "a", CropSettings(size=64, mode="grid", short_side=0)))
    assert [(box.top, box.left) for box in boxes] == [(0, 0), (64, 0), (64, 64)]


def test_resize_squashes_the_whole_picture(dataset, put, scene):
    put("frames", a=scene(1, 300, 900), flat=np.full((300, 400, 3), 90, np.uint8))
    summary = crop(dataset, CropSettings(mode="resize"))
    assert summary.reasons == {"no part has content": 1}
    assert (crops(dataset)["a_0.png"] == resize(scene(1, 300, 900), 256, 256)).all()
    [record] = dataset.records("crop").of("frames/a.png")
    assert record["box"] == [0, 0, 256, 256]
    assert record["scaled_size"] == [256, 256]


def subtitled(picture, text="ALL THAT WE SEE OR SEEM"):
    drawn = picture.copy()
    for colour, width in (((0, 0, 0), 6), ((255, 255, 255), 2)):
        cv2.putText(drawn, text, (230, 480), cv2.FONT_HERSHEY_SIMPLEX, 1, colour, width)
    return drawn


def logoed(picture):
    drawn = picture.copy()
    cv2.rectangle(drawn, (780, 30), (860, 70), (255, 255, 255), 3)
    cv2.putText(drawn, "TV", (795, 62), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 3)
    return drawn


SUBTITLE, LOGO = Box(456, 230, 26, 400), Box(28, 778, 45, 85)


def boxes_of(dataset):
    for record in dataset.records("crop"):
        if "box" in record:
            left, top, width, height = record["box"]
            yield record, Box(top, left, height, width)


def test_crops_of_a_film_keep_clear_of_its_logo_and_subtitles(dataset, put, scene):
    texts = ["ALL THAT WE SEE OR SEEM", "IS BUT A DREAM WITHIN", "TAKE THIS KISS UPON"]
    for seed in range(8):
        picture = logoed(scene(seed, 512, 910))
        if seed < 5:
            picture = subtitled(picture, texts[seed % 3])
        write_png(dataset.path(f"frames/film-00000000_{seed:07}.png"), picture)
    crop(dataset, CropSettings(count=4))
    drawn = list(boxes_of(dataset))
    assert len(drawn) >= 16
    for record, box in drawn:
        assert not touch(box, LOGO)
        assert not touch(box, SUBTITLE), "in pictures without a line, too"
        assert record["avoided"]
        for left, top, width, height in record["avoided"]:
            assert not touch(box, Box(top, left, height, width))
    crop(dataset, CropSettings(count=4, avoid=False))
    assert any(touch(box, LOGO) or touch(box, SUBTITLE) for _, box in boxes_of(dataset))


def test_crops_of_a_still_keep_clear_of_its_bars(dataset, put, scene):
    barred = np.maximum(scene(1, 512, 910), 60)
    barred[:70], barred[-70:] = 0, 0
    put("frames", still=barred)
    crop(dataset, CropSettings(count=8, overlap=0.9))
    drawn = list(boxes_of(dataset))
    assert len(drawn) == 8
    for record, box in drawn:
        assert box.top >= 70
        assert box.top + box.height <= 512 - 70
        assert record["avoided"] == [[0, 0, 910, 70], [0, 442, 910, 70]]


def test_a_logo_that_is_found_later_redoes_the_film_and_nothing_else(dataset, put, scene, times_of):
    def shoot(*seeds):
        for seed in seeds:
            picture = logoed(scene(seed, 300, 910))
            write_png(dataset.path(f"frames/film-00000000_{seed:07}.png"), picture)

    put("frames", still=scene(40, 300, 910))
    shoot(*range(4))
    crop(dataset, CropSettings())
    before = times_of(dataset.root / "crops")
    shoot(4, 5)
    summary = crop(dataset, CropSettings())
    assert summary.counts["unchanged"] == 2
    assert not any(touch(box, LOGO) for r, box in boxes_of(dataset) if "film" in r["source"])
    after = times_of(dataset.root / "crops")
    still = dataset.path("crops/still_0.png")
    assert after[still] == before[still]
    assert set(crop(dataset, CropSettings()).counts) == {"unchanged"}
    assert times_of(dataset.root / "crops") == after


def test_workers_and_order_change_no_crop(dataset, tmp_path, scene, monkeypatch, snapshot):
    for seed in range(7):
        picture = logoed(scene(seed, 300, 910))
        write_png(dataset.path(f"frames/film-00000000_{seed:07}.png"), picture)
    crop(dataset, CropSettings())
    expected = snapshot(dataset.root)
    for workers in (1, 3):
        for made in ("crops", "crop.jsonl", "overlays.jsonl"):
            path = dataset.root / made
            for file in path.iterdir() if path.is_dir() else [path]:
                file.unlink()
        for module in ("folders", "film_overlays"):
            monkeypatch.setattr(f"animeprep.{module}.workers_for", lambda _, n=workers: n)
        kept = dataset.kept_frames()
        monkeypatch.setattr(type(dataset), "kept_frames", lambda _, kept=kept: kept[::-1])
        crop(dataset, CropSettings())
        assert snapshot(dataset.root) == expected


def test_a_rerun_writes_nothing(dataset, put, wide, times_of):
    put("frames", a=wide(1), flat=np.full((300, 400, 3), 90, np.uint8))
    crop(dataset, CropSettings())
    before = times_of(dataset.root)
    assert set(crop(dataset, CropSettings()).counts) == {"unchanged"}
    assert times_of(dataset.root) == before


@pytest.mark.parametrize("mode", ["random", "grid"])
def test_what_leaves_no_room_is_told(dataset, put, scene, mode):
    barred = np.maximum(scene(1, 300, 600), 60)
    barred[:100] = 0
    put("frames", a=barred)
    summary = crop(dataset, CropSettings(mode=mode))
    assert summary.reasons == {"lettering, logo and bars leave no room": 1}
    assert dataset.records("crop").of("frames/a.png")[0]["avoided"] == [[0, 0, 600, 100]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (31, 400), (9, 200_000)])
def test_pictures_of_a_few_pixels_are_skipped(shape):
    [made] = crops_of(noise(*shape), "frames/a.png", "crops", CropSettings())
    assert made.status == "skipped"
    assert made.fields["reason"] == "smaller than 32 pixels: too small to be enlarged"


@pytest.mark.parametrize("shape", [(32, 600), (600, 32)])
def test_strips_that_would_be_huge_are_skipped_with_the_reason(monkeypatch, shape):
    monkeypatch.setattr("animeprep.crop._MAX_ENLARGED", 256 * 4000)
    [made] = crops_of(noise(*shape), "frames/a.png", "crops", CropSettings())
    assert made.status == "skipped"
    assert made.fields["reason"] == "a strip 19 times as long as wide: too large when enlarged"


def test_a_picture_that_needs_not_be_enlarged_may_be_large(monkeypatch):
    monkeypatch.setattr("animeprep.crop._MAX_ENLARGED", 256 * 300)
    assert len(crops_of(noise(256, 600), "frames/a.png", "crops", CropSettings())) == 2


@pytest.mark.parametrize("shape", [(32, 60), (40, 3000), (3000, 40), (255, 256)])
def test_small_pictures_and_strips_are_enlarged_to_the_size(shape):
    made = crops_of(noise(*shape), "frames/a.png", "crops", CropSettings(count=1))
    assert [one.picture.shape for one in made if one.picture is not None] == [(256, 256, 3)]
    assert min(made[0].fields["scaled_size"]) == 256


def test_a_panorama_is_cropped(scene):
    picture = np.tile(scene(1, 64, 1000), (1, 60, 1))
    made = crops_of(picture, "frames/a.png", "crops", CropSettings(size=64, short_side=64))
    assert len(made) == 2


@pytest.mark.parametrize("overlap", [0, 0.25, 0.7, 1])
def test_crops_are_those_of_the_plain_draw(overlap):
    """Slow plain reference: at each draw, the overlap of every place of the picture."""
    picture, side = noise(150, 230), 48
    wanted = CropSettings(size=side, short_side=0, overlap=overlap, count=64)
    boxes = list(draw_crops(picture, "a", wanted))
    rows, columns = 150 - side + 1, 230 - side + 1
    seed = int.from_bytes(hashlib.sha256(b"0/a").digest()[:8], "big")
    numbers = np.random.default_rng(seed).random((rows, columns), np.float32)
    free = np.ones((rows, columns), bool)
    tops, lefts = np.ogrid[:rows, :columns]
    expected: list[Box] = []
    while free.any() and len(expected) < 64:
        top, left = divmod(int(np.where(free, numbers, 2).argmin()), columns)
        expected.append(Box(top, left, side, side))
        common = np.maximum(0, side - abs(tops - top)) * np.maximum(0, side - abs(lefts - left))
        free &= common <= overlap * side**2
        free[top, left] = False
    assert boxes == expected


def test_drawing_takes_few_bytes_a_pixel(monkeypatch):
    monkeypatch.setattr("animeprep.crop._BLOCK", 128)
    picture = noise(1500, 2000)
    wanted = CropSettings(size=64, short_side=0)
    tracemalloc.start()
    try:
        list(draw_crops(picture, "a", wanted))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A number and a mark for each place, the gray picture, and the blocks.
    assert peak < 8 * 1500 * 2000


def test_frames_whose_names_are_no_utf8_are_cropped(dataset, scene):
    names = [b"still\xff.png", *(b"film\xff-00000000_%07d.png" % number for number in range(2))]
    for seed, name in enumerate(names):
        path = dataset.path("frames/" + os.fsdecode(name))
        try:
            write_png(path, scene(seed, 300, 600))
        except OutputError:
            pytest.skip("the file system refuses such names")
    assert crop(dataset, CropSettings(count=1)).counts == {"made": 3}
    assert set(crop(dataset, CropSettings(count=1)).counts) == {"unchanged"}
    made = (os.fsencode(path.name) for path in (dataset.root / "crops").iterdir())
    assert sorted(made) == [name[:-4] + b"_0.png" for name in sorted(names)]


def test_torn_lines_about_films_are_told_once(dataset, scene):
    for seed in range(2):
        write_png(dataset.path(f"frames/film-00000000_{seed:07}.png"), scene(seed, 300, 600))
    crop(dataset, CropSettings())
    path = dataset.root / "overlays.jsonl"
    path.write_text(path.read_text() + '{"file_name": "fi')
    told = f"{path}: 1 line cut off, by a crash maybe; what they told is looked at again"
    assert crop(dataset, CropSettings(avoid=False), dry_run=True).problems == []
    assert crop(dataset, CropSettings(), dry_run=True).problems == [told]
    summary = crop(dataset, CropSettings())
    assert summary.problems == [told]
    assert set(summary.counts) == {"unchanged"}
    assert crop(dataset, CropSettings()).problems == []
