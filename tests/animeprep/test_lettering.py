import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

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
