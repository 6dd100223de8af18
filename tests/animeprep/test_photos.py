# mypy: allow-untyped-calls
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animeprep.errors import InputError
from animeprep.images import list_images, read_rgb, scale_short_side, write_png
from animeprep.photos import PhotoSettings, held_out, photos


def small(**values):
    """Small crops, to be quick."""
    return PhotoSettings(**{"size": 48, "short_side": 64, **values})


NAMES = st.sets(st.integers(0, 2**32 - 1).map(lambda n: f"photo-{n:08x}"), max_size=60)


@given(NAMES, st.floats(0.01, 0.9))
def test_some_photos_are_held_out_and_some_are_left(names, share):
    held = held_out(names, share)
    assert held <= names
    if len(names) > 1:
        assert 1 <= len(held) < len(names)
    if len(names) == 1:
        assert not held, "a single photo is for training"


@given(NAMES)
def test_nothing_is_held_out_at_share_zero(names):
    assert held_out(names, 0) == set()


def test_the_share_is_met_by_many_photos():
    rng = np.random.default_rng(0)
    names = {f"p-{n:08x}" for n in rng.integers(0, 2**32, 5000)}
    assert len(held_out(names, 0.1)) / len(names) == pytest.approx(0.1, abs=0.02)


@given(NAMES, NAMES)
def test_adding_photos_moves_none_where_both_sides_are_filled(names, more):
    certain = {"low-00000001", "high-ffffffff"}
    held = held_out(names | certain, 0.3)
    assert held_out(names | certain | more, 0.3) & (names | certain) == held


@pytest.fixture
def album(tmp_path, scene):
    """Puts photos into a folder, by their seeds."""

    def add(*seeds):
        for seed in seeds:
            write_png(tmp_path / "album" / f"photo {seed}.png", scene(seed, 80, 200))
        return tmp_path / "album"

    return add


def sides(dataset):
    """The photos of training, and those that are held out."""
    training = {path.stem.rpartition("_")[0] for path in list_images(dataset.root / "photo")}
    return training, {path.stem for path in list_images(dataset.root / "val")}


def test_photos_are_cropped_and_some_held_out(dataset, album):
    summary = photos(dataset, [album(*range(6))], small(held_out=0.4))
    training, held = sides(dataset)
    assert training
    assert held
    assert not training & held
    assert len(training | held) == 6
    assert summary.counts["made"] == len(list_images(dataset.root / "photo")) + len(held)
    assert {read_rgb(p).shape for p in list_images(dataset.root / "photo")} == {(48, 48, 3)}


def test_names_tell_the_photo_and_its_content(dataset, album):
    photos(dataset, [album(1, 2)], small())
    training, held = sides(dataset)
    for name in training | held:
        photo, _, digest = name.rpartition("-")
        assert photo in {"photo_1", "photo_2"}
        assert len(digest) == 8
        assert int(digest, 16) >= 0


def test_held_out_photos_are_whole_and_scaled_down_only(dataset, tmp_path, scene):
    sizes = {0: (600, 900), 1: (600, 900), 2: (100, 200), 3: (100, 200)}
    for seed, size in sizes.items():
        write_png(tmp_path / "album" / f"{seed}.png", scene(seed, *size))
    photos(dataset, [tmp_path / "album"], small(held_out=0.7))
    held = list_images(dataset.root / "val")
    assert held
    for path in held:
        seed = int(path.stem.split("-")[0])
        whole = scene(seed, *sizes[seed])
        expected = scale_short_side(whole, 512) if seed < 2 else whole
        assert (read_rgb(path) == expected).all()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_adding_photos_one_by_one_never_moves_one(dataset, album, share):
    before: tuple[set[str], set[str]] = (set(), set())
    for seed in range(1, 9):
        folder = album(seed)
        if seed < 2:
            continue
        photos(dataset, [folder], small(held_out=share))
        after = sides(dataset)
        assert before[0] <= after[0]
        assert before[1] <= after[1]
        assert len(after[0] | after[1]) == seed
        before = after


def test_photos_of_two_folders_add_up(dataset, tmp_path, scene):
    for seed in range(6):
        write_png(tmp_path / f"album{seed % 2}" / "same name.png", scene(seed, 80, 200))
        photos(dataset, [tmp_path / f"album{seed % 2}"], small())
    training, held = sides(dataset)
    assert len(training | held) == 6


def test_subfolders_are_searched_and_single_photos_taken(dataset, tmp_path, scene):
    write_png(tmp_path / "album" / "sub" / "a.png", scene(1, 80, 200))
    write_png(tmp_path / "b.png", scene(2, 80, 200))
    photos(dataset, [tmp_path / "album", tmp_path / "b.png"], small())
    training, held = sides(dataset)
    assert {name[0] for name in training | held} == {"a", "b"}


def test_a_broken_photo_is_told_and_the_others_go_on(dataset, album):
    folder = album(1, 2, 3)
    (folder / "broken.jpg").write_text("no photo")
    (folder / "empty.jpg").touch()
    summary = photos(dataset, [folder], small())
    training, held = sides(dataset)
    assert len(training | held) == 3
    assert summary.counts["failed"] == 2
    assert len(summary.problems) == 2


def test_a_rerun_changes_no_file(dataset, album, times_of):
    photos(dataset, [album(1, 2, 3)], small())
    before = times_of(dataset.root)
    summary = photos(dataset, [album()], small())
    assert set(summary.counts) == {"unchanged"}
    assert times_of(dataset.root) == before


def test_missing_and_empty_folders_are_refused(dataset, tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        photos(dataset, [tmp_path / "nowhere"], small())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there are no pictures in this folder"):
        photos(dataset, [tmp_path / "empty"], small())
