# mypy: allow-untyped-calls
import math

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydantic import ValidationError
from skimage.measure import blur_effect

from animeprep.film import Selection, pictures, probe
from animeprep.gates import (
    GATES,
    GateSettings,
    blur,
    entropy,
    judge,
    measure,
    plainness,
    text_share,
)
from animeprep.images import read_rgb, to_gray
from animeprep.light import log_average

OFF = {"black": 0, "white": 255, "plain": 1, "flat": 0}
OFF |= {"entropy": 0, "text": 1, "blurred": 1, "night": 0}


def gate(picture, **bounds):
    return judge(measure(picture), GateSettings(**bounds))


def alone(name, picture):
    """The verdict of one gate with its own bound, the others off."""
    return gate(picture, **{other: bound for other, bound in OFF.items() if other != name})


def columns(*levels):
    """Equal columns of gray levels, 100 rows."""
    row = np.repeat(np.array(levels, np.uint8), 12)
    return np.repeat(np.broadcast_to(row, (100, row.size))[..., None], 3, axis=2)


def test_ordinary_drawings_pass(scene):
    assert [gate(scene(seed)) for seed in range(10)] == [None] * 10


@pytest.mark.parametrize(("brightest", "verdict"), [(39, "black"), (40, None)])
def test_black(brightest, verdict):
    assert alone("black", columns(*range(brightest - 19, brightest + 1))) == verdict


def test_a_few_bright_specks_do_not_hide_black():
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[:1] = 255
    assert gate(picture) == "black"
    picture[:3] = 255
    assert gate(picture) != "black"


@pytest.mark.parametrize(("darkest", "verdict"), [(226, "white"), (225, None)])
def test_white(darkest, verdict):
    assert alone("white", columns(*range(darkest, darkest + 20))) == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.74, None), (0.75, None), (0.76, "plain")])
def test_plain(share, verdict):
    picture = np.full((100, 100, 3), 100, np.uint8)
    rest = round(100 * (1 - share))
    picture[:rest] = np.linspace(120, 255, 100).astype(np.uint8)[None, :, None]
    assert alone("plain", picture) == verdict


def test_plain_counts_levels_near_the_commonest():
    assert measure(columns(100, 100, 104, 96, 105, 95))["plain"] == pytest.approx(4 / 6, abs=1e-4)


@pytest.mark.parametrize(("contrast", "verdict"), [(11, "flat"), (12, None)])
def test_flat(contrast, verdict):
    picture = columns(*[120 - contrast, 120 + contrast] * 5)
    assert measure(picture)["flat"] == pytest.approx(contrast)
    assert alone("flat", picture) == verdict


@pytest.mark.parametrize(("share_of_bound", "verdict"), [(0.9, "night"), (1.1, None)])
def test_night(share_of_bound, verdict):
    dark, light = 10, 70
    lights = [
        (level / 255 / 12.92, ((level / 255 + 0.055) / 1.055) ** 2.4) for level in (dark, light)
    ]
    low, high = lights[0][0], lights[1][1]
    average = math.exp((math.log(low + 1e-4) + math.log(high + 1e-4)) / 2)
    picture = columns(*[dark, light] * 5)
    assert measure(picture)["night"] == pytest.approx(average, abs=1e-5)
    assert gate(picture, **OFF | {"night": average / share_of_bound}) == verdict


@pytest.mark.parametrize("tones", [1, 2, 8, 64, 256])
def test_entropy_of_equally_frequent_levels_is_their_logarithm(tones):
    levels = (np.arange(256) * tones // 256).astype(np.uint8)
    assert entropy(levels.reshape(16, 16)) == pytest.approx(math.log2(tones))


def test_entropy_of_noise_is_that_of_its_distribution():
    shares = np.array([0.5, 0.25, 0.125, 0.125])
    noise = np.random.default_rng(0).choice(4, (600, 600), p=shares).astype(np.uint8)
    assert entropy(noise) == pytest.approx(1.75, abs=0.01)


@pytest.mark.parametrize(("tones", "verdict"), [(7, "entropy"), (8, None)])
def test_entropy_gate(tones, verdict):
    picture = columns(*np.linspace(20, 230, tones).astype(int))
    assert alone("entropy", picture) == verdict


def test_blur_grows_with_blur(scene, soften):
    luma = to_gray(scene(2, 440, 780))
    values = [blur(luma)] + [blur(soften(luma, sigma)) for sigma in (0.7, 1, 1.5, 2, 2.5, 3)]
    assert values == sorted(values)
    assert values[0] < 0.1
    assert values[-1] > 0.5
    # When lines have dissolved it stays where it is.
    assert blur(soften(luma, 8)) > 0.5


def test_blur_of_closed_forms():
    ramp = np.arange(200, dtype=np.uint8)[None].repeat(200, axis=0)
    assert blur(np.full((90, 160), 70, np.uint8)) == 0
    assert blur(ramp) > 0.9


@pytest.mark.parametrize("contrast", [9, 90, 180])
def test_blur_of_an_edge_does_not_depend_on_its_contrast(contrast):
    edge = np.zeros((200, 200), np.uint8)
    edge[:, 100:] = contrast
    # The nine-tap mean leaves a ninth of the step at each of nine pixels.
    assert blur(edge) == pytest.approx(1 / 81, abs=1e-4)
    assert blur(edge.T) == pytest.approx(1 / 81, abs=1e-4)


def test_blur_orders_pictures_as_the_peer_does(scene, soften):
    lumas = [soften(to_gray(scene(3, 300, 400)), sigma) for sigma in (0.5, 1, 2, 3)]
    peer = [blur_effect(luma, h_size=9) for luma in lumas]
    assert np.argsort(peer).tolist() == np.argsort([blur(luma) for luma in lumas]).tolist()


def test_motion_blur_is_seen_in_either_direction(scene):
    drawing = to_gray(scene(4, 440, 780))
    for kernel in ((25, 1), (1, 25)):
        assert blur(np.asarray(cv2.blur(drawing, kernel), np.uint8)) > 20 * blur(drawing)


@pytest.mark.parametrize(("sigma", "verdict"), [(0, None), (1.5, None), (5, "blurred")])
def test_blur_gate(scene, soften, sigma, verdict):
    drawing = scene(5, 440, 780)
    assert alone("blurred", soften(drawing, sigma) if sigma else drawing) == verdict


def written(picture, lines, size=0.055):
    """Lines of white type with dark rims, by the share of the height where each stands."""
    image = Image.fromarray(picture)
    font = ImageFont.load_default(round(size * image.height))
    for line, foot in lines:
        place = (image.width / 2, foot * image.height)
        ImageDraw.Draw(image).text(
            place, line, "white", font, "ms", stroke_width=2, stroke_fill="black"
        )
    return np.array(image)


def test_subtitles_pass_and_credits_do_not(scene):
    drawing = scene(6, 480, 854)
    subtitles = [("I never said that I would go.", 0.86), ("Not before the rain.", 0.94)]
    assert gate(written(drawing, subtitles)) is None
    roll = [(subtitles[0][0], foot) for foot in (0.2, 0.35, 0.5, 0.65)]
    assert gate(written(drawing, roll)) == "text"
    assert gate(written(drawing, [("THE LONG WAY HOME", 0.5)], 0.08)) == "text"


def test_text_share_is_the_area_of_its_boxes():
    card = np.zeros((400, 600, 3), np.uint8)
    for left in range(100, 220, 15):
        card[80:84, left : left + 12] = card[84:100, left + 4 : left + 8] = 255
    assert text_share(card) == pytest.approx(20 * 117 / (0.7 * 400 * 600))
    assert text_share(np.roll(card, 250, axis=0)) == 0


def test_every_gate_has_a_bound_a_value_and_a_way_to_turn_it_off():
    measured = measure(np.zeros((90, 160, 3), np.uint8))
    assert set(GATES) == set(measured) == set(GateSettings.model_fields) == set(OFF)
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    for picture in (np.zeros_like(noise), np.full_like(noise, 255), noise):
        assert gate(picture, **OFF) is None


@pytest.mark.parametrize(("name", "rule"), GATES.items())
def test_a_value_at_the_bound_passes(name, rule):
    settings = GateSettings(**OFF | {name: GateSettings.model_fields[name].default})
    bound = getattr(settings, name)
    others = {other: float(value) for other, value in OFF.items()}
    beyond = bound - 1e-3 if rule.least else bound + 1e-3
    assert judge(others | {name: bound}, settings) is None
    assert judge(others | {name: beyond}, settings) == name


def test_plainness_of_half_and_half():
    assert plainness(np.repeat(np.array([[10, 200]], np.uint8), 8, axis=0)) == 0.5


def test_log_average_leaves_out_the_extremes():
    levels = np.full((100, 100, 3), 128, np.uint8)
    plain = log_average(levels)
    levels[0], levels[1] = 0, 255
    assert log_average(levels) == pytest.approx(plain)
    levels[2] = 0
    assert log_average(levels) < 0.96 * plain


def test_log_average_weighs_channels_as_bt709():
    def of(colour):
        return log_average(np.full((8, 8, 3), colour, np.uint8))

    assert of((255, 0, 0)) == pytest.approx(0.2126, abs=2e-4)
    assert of((0, 255, 0)) == pytest.approx(0.7152, abs=2e-4)
    assert of((0, 0, 255)) == pytest.approx(0.0722, abs=2e-4)


def test_measures_do_not_depend_on_the_size_of_the_film(scene):
    large = measure(scene(1, 1080, 1920))
    small = measure(
        scene(1, 1080, 1920).reshape(540, 2, 960, 2, 3).mean(axis=(1, 3)).astype(np.uint8)
    )
    for name, value in large.items():
        # Halves of halves are a little softer than one step of the area filter.
        assert small[name] == pytest.approx(value, rel=0.25 if name == "blurred" else 0.02)


def test_the_first_gate_not_passed_is_told():
    assert gate(np.zeros((90, 160, 3), np.uint8)) == "black"
    assert gate(np.full((90, 160, 3), 255, np.uint8)) == "white"
    assert gate(np.full((90, 160, 3), 128, np.uint8)) == "plain"


@pytest.mark.parametrize("bounds", [{"black": 300}, {"plain": 1.5}, {"night": -1}])
def test_bounds_out_of_range_are_refused(bounds):
    with pytest.raises(ValidationError):
        GateSettings(**bounds)


@pytest.mark.slow
def test_the_demo_film_is_judged_as_it_was_made(demo_film):
    wanted = {30: None, 150: None, 245: "black", 246: "black", 440: "night", 765: "plain"}
    selection = Selection(only=tuple(wanted))
    found = {p.index: gate(p.rgb) for p in pictures(probe(demo_film), selection)}
    assert found == wanted


@pytest.mark.slow
def test_real_pictures_are_judged_as_by_eye(shared):
    film = probe(shared / "data" / "films" / "sintel_trailer.mp4")
    wanted: dict[int, str | None] = {
        0: "black",
        130: "flat",
        240: "black",
        320: "night",
        660: "blurred",
    }
    wanted |= {160: None, 600: None, 900: None, 1000: "text", 1180: "plain"}
    found = {p.index: gate(p.rgb) for p in pictures(film, Selection(only=tuple(wanted)))}
    assert found == wanted
    stills = {"studio_0001": None, "studio_0205": None, "studio_1340": None, "studio_1421": "night"}
    folder = shared / "data" / "anime_frames"
    assert {name: gate(read_rgb(folder / f"{name}.jpg")) for name in stills} == stills
