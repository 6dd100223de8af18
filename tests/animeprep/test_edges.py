# mypy: allow-untyped-calls
import cv2
import numpy as np
import pytest
import skimage.data

from animeprep.edges import EdgeSettings, edges, preview, preview_sheet, smooth_edges
from animeprep.errors import DatasetError
from animeprep.film import Selection, pictures, probe
from animeprep.images import list_images, read_rgb


def plain_smooth_edges(picture, *, low=100, high=200, dilate=5):
    """Pixel by pixel, as the scripts of CartoonGAN's followers do it."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    mask = cv2.dilate(cv2.Canny(gray, low, high), np.ones((dilate, dilate), np.uint8))
    line = cv2.getGaussianKernel(5, 0)
    kernel = line @ line.T
    padded = np.pad(picture, ((2, 2), (2, 2), (0, 0)), mode="reflect").astype(np.float64)
    result = picture.copy()
    for row, column in zip(*np.nonzero(mask), strict=True):
        window = padded[row : row + 5, column : column + 5]
        result[row, column] = (window * kernel[..., None]).sum(axis=(0, 1)).astype(np.uint8)
    return result


def cut(picture):
    top, left = (picture.shape[0] - 128) // 2, (picture.shape[1] - 128) // 2
    return np.ascontiguousarray(picture[top : top + 128, left : left + 128])


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_smoothed_as_by_the_plain_loop(seed):
    picture = np.random.default_rng(seed).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    assert (smooth_edges(picture, EdgeSettings()) == plain_smooth_edges(picture)).all()


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photos_are_smoothed_as_by_the_plain_loop(name):
    picture = cut(getattr(skimage.data, name)())
    smoothed = smooth_edges(picture, EdgeSettings())
    assert (smoothed == plain_smooth_edges(picture)).all()
    assert (smoothed != picture).any()


def test_films_are_smoothed_as_by_the_plain_loop(demo_film):
    for picture in pictures(probe(demo_film), Selection(only=(30, 130))):
        small = cut(picture.rgb)
        assert (smooth_edges(small, EdgeSettings()) == plain_smooth_edges(small)).all()


@pytest.mark.parametrize("values", [{"low": 20, "high": 60}, {"dilate": 1}, {"dilate": 9}])
def test_settings_reach_the_algorithm(scene, values):
    picture = scene(1, 80, 100)
    smoothed = smooth_edges(picture, EdgeSettings(**values))
    assert (smoothed == plain_smooth_edges(picture, **values)).all()
    assert (smoothed != smooth_edges(picture, EdgeSettings())).any()


def test_pictures_far_from_edges_stay_as_they_are():
    picture = np.full((64, 64, 3), 40, np.uint8)
    picture[:, 32:] = 220
    changed = (smooth_edges(picture, EdgeSettings()) != picture).any(axis=2)
    assert changed[:, 31:33].all()
    assert not changed[:, :28].any()
    assert not changed[:, 36:].any()


@pytest.mark.parametrize("number", range(3))
def test_the_reference_pairs_come_out(shared, number):
    folder = shared / "reference" / "edges"
    smoothed = smooth_edges(read_rgb(folder / f"{number}_anime.png"), EdgeSettings())
    assert (smoothed == read_rgb(folder / f"{number}_smooth.png")).all()


def test_the_verb_smooths_the_style_set_name_by_name(dataset, put, scene):
    put("style", a=scene(1), b=scene(2))
    assert edges(dataset, EdgeSettings()).counts == {"made": 2}
    made = list_images(dataset.root / "smooth")
    assert [path.name for path in made] == ["a.png", "b.png"]
    assert (read_rgb(made[1]) == smooth_edges(scene(2), EdgeSettings())).all()
    assert edges(dataset, EdgeSettings()).counts == {"unchanged": 2}


def test_without_style_the_verb_to_run_is_named(dataset):
    with pytest.raises(DatasetError, match="run `animeprep exposure` first"):
        edges(dataset, EdgeSettings())


def test_a_preview_shows_each_step(scene):
    picture = scene(1, 80, 100)
    row = preview(picture, EdgeSettings())
    anime, found, dilated, smoothed = np.split(row, 4, axis=1)
    assert (anime == picture).all()
    assert (found[..., 0] == cv2.Canny(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 100, 200)).all()
    assert (dilated == cv2.dilate(found, np.ones((5, 5), np.uint8))).all()
    assert (smoothed == plain_smooth_edges(picture)).all()


def test_the_sheet_holds_evenly_chosen_pictures_of_any_size(dataset, put, scene, times_of):
    put("style", **{f"s{number:02}": scene(number, 64, 64) for number in range(12)})
    put("style", s03=scene(3, 40, 90), s06=scene(6, 700, 600))
    before = times_of(dataset.root)
    path = preview_sheet(dataset, EdgeSettings(), count=4)
    sheet = read_rgb(path)
    assert path == dataset.root / "smooth-preview.png"
    assert sheet.shape[1] == 4 * 512
    rows = np.split(sheet[-4 * 512 :], 4)
    assert (rows[0][:64, :64] == scene(0, 64, 64)).all()
    assert (rows[1][:40, :90] == scene(3, 40, 90)).all()
    assert (rows[2] == preview(scene(6, 700, 600)[94:606, 44:556], EdgeSettings())).all()
    assert (sheet[: -4 * 512] < 128).any(), "labels"
    assert {p: t for p, t in times_of(dataset.root).items() if p != path} == before


def test_a_sheet_of_fewer_pictures_than_wanted(dataset, put, scene):
    put("style", one=scene(1, 64, 64), two=scene(2, 64, 64))
    assert read_rgb(preview_sheet(dataset, EdgeSettings())).shape == (2 * 64 + 28, 4 * 64, 3)


def test_without_style_there_is_no_sheet(dataset):
    with pytest.raises(DatasetError, match="run `animeprep exposure` first"):
        preview_sheet(dataset, EdgeSettings())
