import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

import animeprep.lettering as module
from animeprep.boxes import Box
from animeprep.film import Selection, pictures, probe
from animeprep.images import read_rgb, resize, to_gray
from animeprep.lettering import lettering

LINE = "I never said that I would go."
WHITE, BLACK, YELLOW = (255, 255, 255), (0, 0, 0), (255, 230, 60)


def typeset(picture, *lines, foot=0.92, size=0.055, **style):
    """Centred lines on a picture, and the box around each."""
    image = Image.fromarray(picture)
    drawing = ImageDraw.Draw(image)
    font = ImageFont.load_default(round(size * image.height))
    boxes = []
    for number, line in enumerate(reversed(lines)):
        place = (image.width / 2, (foot - 1.3 * size * number) * image.height)
        drawing.text(place, line, font=font, anchor="ms", **style)
        left, top, right, bottom = drawing.textbbox(place, line, font, "ms")
        boxes.append(Box(int(top), int(left), int(bottom - top), int(right - left)))
    return np.array(image), boxes[::-1]


def overlap(one, other):
    """Intersection over union."""
    rows = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    columns = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    common = max(0, rows) * max(0, columns)
    return common / (one.height * one.width + other.height * other.width - common)


@pytest.mark.parametrize("size", [0.04, 0.055, 0.08])
@pytest.mark.parametrize(
    "style",
    [
        {"fill": WHITE, "stroke_width": 2, "stroke_fill": BLACK},
        {"fill": YELLOW, "stroke_width": 2, "stroke_fill": BLACK},
        {"fill": BLACK, "stroke_width": 2, "stroke_fill": WHITE},
    ],
)
def test_a_subtitle_is_found_where_it_is(scene, style, size):
    picture, (box,) = typeset(scene(3, 480, 854), LINE, size=size, **style)
    found = lettering(picture)
    assert max(overlap(other, box) for other in found) > 0.6


@pytest.mark.parametrize(("ground", "ink"), [(0, WHITE), (255, BLACK), (70, YELLOW)])
def test_every_line_of_a_card_is_found(ground, ink):
    lines = ["Directed by", "ANNA EXAMPLE", "Music played", "THE ORCHESTRA"]
    picture, boxes = typeset(np.full((720, 1280, 3), ground, np.uint8), *lines, fill=ink)
    found = lettering(picture)
    assert len(found) == len(boxes)
    for one, other in zip(found, boxes, strict=True):
        assert overlap(one, other) > 0.6


def test_lines_come_from_top_to_bottom_and_lie_within():
    picture, _ = typeset(np.zeros((1080, 1920, 3), np.uint8), *[LINE] * 6, fill=WHITE)
    found = lettering(picture)
    assert [box.top for box in found] == sorted(box.top for box in found)
    for box in found:
        assert box.top >= 0
        assert box.left >= 0
        assert box.top + box.height <= 1080
        assert box.left + box.width <= 1920


def test_boxes_do_not_depend_on_the_size_of_the_picture(scene):
    large, _ = typeset(scene(5, 1080, 1920), LINE, fill=WHITE, stroke_width=5, stroke_fill=BLACK)
    (one,), (other,) = lettering(large), lettering(resize(large, 960, 540))
    doubled = Box(2 * other.top, 2 * other.left, 2 * other.height, 2 * other.width)
    assert overlap(one, doubled) > 0.9


def test_a_gray_picture_gives_the_same(scene):
    picture, _ = typeset(scene(5, 480, 854), LINE, fill=WHITE, stroke_width=2, stroke_fill=BLACK)
    assert lettering(to_gray(picture)) == lettering(picture) != []


def test_line_art_is_no_lettering(scene):
    assert [lettering(scene(seed, 480, 854)) for seed in range(12)] == [[]] * 12


def stripes(period):
    return np.where(np.arange(640) % period < period // 2, 230, 30)[None].repeat(440, axis=0)


def noise(sigma):
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(128, sigma, (440, 640)), 0, 255)


def disc(_):
    picture = np.full((440, 640), 30, np.uint8)
    return cv2.circle(picture, (320, 220), 150, 255, -1)


@pytest.mark.parametrize(
    ("texture", "value"), [(stripes, 4), (stripes, 12), (stripes, 40), (noise, 60), (disc, None)]
)
def test_textures_are_no_lettering(texture, value):
    assert lettering(np.asarray(texture(value), np.uint8)) == []


def test_a_soft_row_of_spots_is_no_lettering():
    picture = np.zeros((440, 640), np.uint8)
    picture[200:206, 100:500:20] = picture[200:220, 103:500:20] = 255
    assert lettering(np.asarray(cv2.GaussianBlur(picture, (0, 0), 4), np.uint8)) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_tiny_pictures_have_none(height, width, level):
    assert lettering(np.full((height, width, 3), level, np.uint8)) == []


# ---------------------------------------------------------------- pictures as wide as one likes


@pytest.fixture
def most_memory():
    """The most memory that arrays take in a call, in bytes, and what it gives."""

    def measure(function, *arguments):
        tracemalloc.start()
        try:
            result = function(*arguments)
            return tracemalloc.get_traced_memory()[1], result
        finally:
            tracemalloc.stop()

    return measure


def dots(height, width, pitch):
    picture = np.zeros((height, width), np.uint8)
    for row in range(6):
        for column in range(3):
            picture[row :: max(pitch, 8), column::pitch] = 255
    return picture


@pytest.mark.parametrize("strip", [300, 2000])
def test_strips_give_the_same_as_the_whole(strip, scene, monkeypatch):
    lines = (" ".join([LINE] * times) for times in (9, 4, 1))
    picture, _ = typeset(scene(3, 440, 5000), *lines, fill=WHITE, stroke_width=2, stroke_fill=BLACK)
    monkeypatch.setattr(module, "_STRIP", strip)
    found = lettering(picture)
    monkeypatch.setattr(module, "_STRIP", 10**6)
    assert found == lettering(picture)
    assert max(box.width for box in found) > 2000


@pytest.mark.parametrize("pitch", [5, 8])
def test_a_crowd_is_texture(pitch):
    assert lettering(dots(440, 4000, pitch)) == []


def test_text_beside_a_crowd_is_found():
    card = np.zeros((440, 2000), np.uint8)
    card, (box,) = typeset(np.dstack([card] * 3), LINE, foot=0.5, fill=WHITE)
    crowd = np.dstack([dots(440, 4000, 6)] * 3)
    (found,) = lettering(np.hstack([crowd, card, crowd]))
    moved = Box(box.top, box.left + 4000, box.height, box.width)
    assert overlap(found, moved) > 0.6


def test_memory_grows_no_faster_than_the_width(most_memory):
    one, other = (most_memory(lettering, dots(300, 4000 * times, 8))[0] for times in (1, 4))
    assert other <= 4.5 * one
    assert other <= 24 * 300 * 16_000


def test_pairs_are_looked_at_a_bounded_number_at_once(most_memory, monkeypatch):
    columns, rows = np.divmod(np.arange(4000), 100)
    left, top = 20.0 * columns, 10.0 * rows
    corners = np.stack([left, top, left + 8, top + 8], axis=1)
    whole = module._neighbours(corners, 2, 2)
    monkeypatch.setattr(module, "_AT_ONCE", 5000)
    peak, parts = most_memory(module._neighbours, corners, 2, 2)
    assert peak < 3 * 2**20
    for one, other in zip(whole, parts, strict=True):
        assert one.tolist() == other.tolist()
    # Each has one to its right: two steps are 32 away, which is farther than 2 times 8.
    assert len(parts[0]) == 39 * 100


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.integers(1, 55))
def test_alignment_is_as_the_definition_says(edges, body):
    near = [[abs(one - other) <= max(1, 0.07 * body) for other in edges] for one in edges]
    known = max(map(sum, near)) / len(edges)
    assert module._aligned(np.array(edges, float), body) == known


def test_alignment_of_a_long_line_takes_little_memory(most_memory):
    edges = np.arange(10_000.0) % 4
    peak, share = most_memory(module._aligned, edges, 10)
    assert share == 0.75
    assert peak < 10 * edges.nbytes


@pytest.mark.slow
def test_subtitles_of_a_film_are_found(shared):
    film = probe(shared / "data" / "films" / "anime_1080p_19s.mp4")
    subtitled = {12: True, 84: True, 120: True, 156: False, 204: True, 312: True, 432: False}
    found = {
        picture.index: [box.top / picture.rgb.shape[0] > 0.85 for box in lettering(picture.rgb)]
        for picture in pictures(film, Selection(only=tuple(subtitled)))
    }
    assert found == {index: [True] if wanted else [] for index, wanted in subtitled.items()}


@pytest.mark.slow
def test_drawings_have_none(shared):
    stills = sorted((shared / "data" / "anime_frames").glob("*.jpg"))[::6]
    found = [still.name for still in stills if lettering(read_rgb(still))]
    assert len(found) <= 1
