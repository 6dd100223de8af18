# mypy: allow-untyped-calls
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animeprep.boxes import Box
from animeprep.film_overlays import SAMPLE, SHORT_SIDE, find_overlays, overlays_of_films
from animeprep.images import scale_short_side, to_gray, write_png
from animeprep.overlays import (
    constant_areas,
    dark_borders,
    grown,
    scaled_box,
    scenes_of,
    subtitle_rows,
)

LOGO = Box(20, 540, 30, 70)
LINE = "We have met before, I think"


def with_logo(picture, strength=0.6):
    """A half transparent station logo in the corner."""
    drawn = picture.copy()
    cv2.rectangle(drawn, (540, 20), (609, 49), (255, 255, 255), 3)
    cv2.putText(drawn, "TV", (552, 44), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 255, 255), 2)
    return cv2.addWeighted(drawn, strength, picture, 1 - strength, 0)


def with_subtitle(picture, text=LINE):
    drawn = picture.copy()
    left = (picture.shape[1] - 14 * len(text)) // 2
    for colour, width in (((0, 0, 0), 6), ((255, 255, 255), 2)):
        cv2.putText(drawn, text, (left, 335), cv2.FONT_HERSHEY_SIMPLEX, 0.8, colour, width)
    return drawn


def near(one, other, pixels):
    return all(
        abs(a - b) <= pixels
        for a, b in (
            (one.top, other.top),
            (one.left, other.left),
            (one.top + one.height, other.top + other.height),
            (one.left + one.width, other.left + other.width),
        )
    )


@pytest.fixture
def scenes(scene):
    return [scene(seed, 360, 640) for seed in range(12)]


def grays(pictures):
    return [to_gray(picture) for picture in pictures]


def test_a_logo_is_found_within_a_few_pixels(scenes):
    [box] = constant_areas(grays(map(with_logo, scenes)))
    assert near(box, LOGO, 6)


@pytest.mark.parametrize("number", [5, 8, 12])
def test_scenes_without_a_logo_have_none(scenes, number):
    assert constant_areas(grays(scenes[:number])) == []


def test_few_scenes_say_nothing(scenes):
    assert constant_areas(grays(map(with_logo, scenes[:4]))) == []


def test_a_logo_that_some_scenes_hide_is_found(scenes):
    shown = [with_logo(scene) for scene in scenes[:11]]
    [box] = constant_areas(grays([*shown, scenes[11]]))
    assert near(box, LOGO, 6)


def test_a_painted_border_is_found_on_all_sides(scenes):
    for scene in scenes:
        scene[:20], scene[-20:], scene[:, :30], scene[:, -30:] = 255, 255, 255, 255
    boxes = constant_areas(grays(scenes))
    expected = [Box(0, 0, 20, 640), Box(0, 610, 360, 30), Box(340, 0, 20, 640), Box(0, 0, 360, 30)]
    assert all(near(box, other, 2) for box, other in zip(boxes, expected, strict=True))


def test_poses_before_one_background_are_one_scene(scenes):
    rng = np.random.default_rng(0)
    poses = []
    for _ in range(8):
        pose = with_logo(scenes[0])
        cv2.circle(pose, tuple(map(int, rng.integers(100, 300, 2))), 70, (200, 90, 60), -1)
        poses.append(pose)
    assert scenes_of(grays(poses)) == [0] * 8
    found = find_overlays([*poses, *map(with_logo, scenes[1:4])])
    assert found == [], "four scenes say nothing, however many poses"


def test_plain_pictures_are_no_scene(scenes):
    plain = np.full((360, 640), 80, np.uint8)
    assert scenes_of([plain, to_gray(scenes[0]), plain]) == [None, 1, None]


def test_film_overlays_end_on_a_coarse_grid(scenes):
    texts = [LINE[number:] + LINE[:number] for number in range(12)]
    boxes = find_overlays(
        [with_subtitle(with_logo(one), text) for one, text in zip(scenes, texts, strict=True)]
    )
    [logo] = [box for box in boxes if box.top < 100]
    [line] = [box for box in boxes if box.top > 100]
    assert near(logo, LOGO, 12)
    assert (line.left, line.width) == (0, 640)
    assert 300 <= line.top <= 316
    assert line.top + line.height >= 336
    for box in boxes:
        assert not any(side % 8 for side in (box.top, box.left, box.height, box.width))


def test_one_scene_more_leaves_the_boxes_as_they_are(scenes, scene):
    pictures = [with_logo(one) for one in scenes]
    more = [*pictures, *(with_logo(scene(seed, 360, 640)) for seed in (30, 31))]
    assert find_overlays(pictures) == find_overlays(more)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_line_of_text_in_few_scenes_is_no_row(count):
    lines = [[Box(310, 100, 20, 200)]] * count + [[]] * 5
    assert subtitle_rows(lines, list(range(len(lines))), (360, 640)) == []


def test_a_held_sign_is_no_row_and_neither_is_text_in_the_middle():
    held = [[Box(310, 100, 20, 200)]] * 9
    assert subtitle_rows(held, [0] * 9, (360, 640)) == []
    middle = [[Box(180, 100, 20, 200)]] * 9
    assert subtitle_rows(middle, list(range(9)), (360, 640)) == []


@pytest.mark.parametrize("depths", [(0, 0, 0, 0), (1, 0, 0, 0), (0, 3, 2, 7), (40, 0, 40, 0)])
def test_dark_borders_have_their_depth(scenes, depths):
    top, right, bottom, left = depths
    for scene in scenes:
        # Content up to the edge.
        scene[:] = np.maximum(scene, 60)
        scene[:top], scene[360 - bottom :], scene[:, :left], scene[:, 640 - right :] = 0, 9, 4, 20
    boxes = dark_borders(grays(scenes))
    expected = [
        Box(0, 0, top, 640),
        Box(0, 640 - right, 360, right),
        Box(360 - bottom, 0, bottom, 640),
        Box(0, 0, 360, left),
    ]
    assert boxes == [box for box in expected if box.height and box.width]


def test_a_border_that_one_scene_fills_is_none(scenes):
    bright = [np.maximum(scene, 60) for scene in scenes]
    for scene in bright[1:]:
        scene[:30] = 0
    assert dark_borders(grays(bright)) == []


def test_night_and_black_have_no_borders():
    night = np.zeros((90, 160), np.uint8)
    assert dark_borders([night]) == []
    assert dark_borders([]) == []
    night[80:] = 99
    assert dark_borders([night]) == []


@given(
    st.tuples(*[st.integers(0, 80)] * 2, *[st.integers(1, 60)] * 2),
    st.floats(0.2, 3),
    st.sampled_from([1, 8]),
)
def test_a_scaled_box_covers_the_same_part(sides, scale, grid):
    box = Box(*sides)
    shape = (int(140 * scale), int(140 * scale))
    scaled = scaled_box(box, scale, shape, grid)
    assert scaled.top <= box.top * scale
    assert scaled.left <= box.left * scale
    assert scaled.top + scaled.height >= min(shape[0], (box.top + box.height) * scale)
    assert scaled.left + scaled.width >= min(shape[1], (box.left + box.width) * scale)
    assert scaled.top + scaled.height < (box.top + box.height) * scale + grid
    assert scaled.top > box.top * scale - grid


def test_a_margin_stays_inside():
    assert grown(Box(10, 10, 5, 5), 3, (90, 160)) == Box(7, 7, 11, 11)
    assert grown(Box(0, 150, 90, 10), 3, (90, 160)) == Box(0, 147, 90, 13)


def film(dataset, pictures, film_id="film-00000000"):
    for number, picture in enumerate(pictures):
        write_png(dataset.path(f"frames/{film_id}_{number:07}.png"), picture)
    return dataset.pictures("frames")


def test_each_film_has_its_own_and_stills_have_none(dataset, put, scenes, scene):
    film(dataset, map(with_logo, scenes[:7]), "one-00000000")
    film(dataset, [scene(seed, 180, 320) for seed in range(20, 27)], "two-11111111")
    put("frames", still=with_logo(scenes[0]))
    found = overlays_of_films(dataset, dataset.pictures("frames"))
    assert len(found) == 14
    assert {name[7:10] for name, boxes in found.items() if boxes} == {"one"}
    assert [record["file_name"] for record in dataset.records("overlays")] == [
        "one-00000000",
        "two-11111111",
    ]


def test_order_does_not_count_and_known_pictures_are_not_looked_at_again(
    dataset, scenes, monkeypatch, times_of
):
    frames = film(dataset, map(with_logo, scenes[:7]))
    found = overlays_of_films(dataset, frames[::-1])
    before = times_of(dataset.root)

    def refuse(*given):
        raise AssertionError("looked at again")

    with monkeypatch.context() as patch:
        patch.setattr("animeprep.film_overlays.find_overlays", refuse)
        assert overlays_of_films(dataset, frames) == found
    assert times_of(dataset.root) == before
    write_png(frames[3], scenes[3])
    assert overlays_of_films(dataset, frames).keys() == found.keys()
    assert times_of(dataset.root) != before


def test_a_dry_run_records_nothing_and_lost_films_are_forgotten(dataset, scenes):
    frames = film(dataset, map(with_logo, scenes[:7]))
    overlays_of_films(dataset, frames, dry_run=True)
    assert list(dataset.records("overlays")) == []
    overlays_of_films(dataset, frames)
    assert overlays_of_films(dataset, []) == {}
    assert list(dataset.records("overlays")) == []


def test_a_sample_is_looked_at_and_broken_or_other_pictures_do_not_matter(
    dataset, scenes, scene, monkeypatch
):
    frames = film(dataset, [scene(seed, 90, 160) for seed in range(SAMPLE + 6)])
    seen: list[int] = []
    frames[2].write_text("broken")
    frames[4].write_bytes(b"")
    write_png(frames[6], scene(6, 100, 100))

    def count(pictures):
        seen.append(len(pictures))
        return []

    monkeypatch.setattr("animeprep.film_overlays.find_overlays", count)
    overlays_of_films(dataset, frames)
    assert SAMPLE - 3 <= seen[0] <= SAMPLE


def test_strips_among_the_frames_of_a_film_are_not_looked_at(dataset, scene, monkeypatch):
    frames = film(dataset, [scene(seed, *shape) for seed, shape in enumerate(STRIPS)])
    scaled: list[tuple[int, ...]] = []

    def note(picture, short_side):
        scaled.append(picture.shape[:2])
        return scale_short_side(picture, short_side)

    monkeypatch.setattr("animeprep.film_overlays.scale_short_side", note)
    assert set(overlays_of_films(dataset, frames).values()) == {()}
    assert scaled == [(20, 320)]


STRIPS = [(20, 320), (20, 330), (6, 3000), (3000, 6)]


def test_the_logo_and_the_subtitles_of_a_real_film_are_found(shared):
    from animeprep.film import Selection, pictures, probe

    path = shared / "data/films/anime_1080p_19s.mp4"
    sample = [
        scale_short_side(picture.rgb, SHORT_SIDE)
        for picture in pictures(probe(path), Selection(every=24))
    ]
    boxes = find_overlays(sample)
    # By eye: the logo stands at 1676…1851, 55…119 and the line at 967…1020 of 1920×1080.
    [logo] = [box for box in boxes if box.top < 100]
    assert near(logo, Box(18, 558, 22, 59), 10)
    [line] = [box for box in boxes if box.top > 100]
    assert 300 <= line.top <= 330
    assert line.top + line.height >= 340
