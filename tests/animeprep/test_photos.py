# mypy: allow-untyped-calls
from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animeprep.errors import InputError
from animeprep.files import write_atomic
from animeprep.images import (
    encode_jpeg,
    encode_png,
    list_images,
    read_rgb,
    scale_short_side,
    write_png,
)
from animeprep.photos import NEAR, PhotoSettings, _clusters, photos, sides


def small(**values):
    """Small crops, to be quick."""
    return PhotoSettings(**{"size": 48, "short_side": 64, **values})


FAR = [np.random.default_rng(number).integers(0, 256, 32, np.uint8) for number in range(80)]
DIGESTS = st.sets(st.integers(0, 2**32 - 1), max_size=38)


def alone(digests):
    """Photos that are near to no other."""
    return {f"photo-{digest:08x}": FAR[n] for n, digest in enumerate(sorted(digests))}


def held_of(answers):
    return {name for name, held in answers.items() if held}


def moved(one, bits, seed):
    """A hash that differs from another in that many bits."""
    flips = np.zeros(256, bool)
    flips[np.random.default_rng(seed).choice(256, bits, replace=False)] = True
    return one ^ np.packbits(flips)


@given(DIGESTS, st.floats(0.01, 0.9))
def test_some_photos_are_held_out_and_some_are_left(digests, share):
    held = held_of(sides(alone(digests), share))
    if len(digests) > 1:
        assert 1 <= len(held) < len(digests)
    if len(digests) == 1:
        assert not held, "a single photo is for training"


@given(DIGESTS)
def test_nothing_is_held_out_at_share_zero(digests):
    assert held_of(sides(alone(digests), 0)) == set()


def test_the_share_is_met_by_many_photos():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (2000, 32), np.uint8)
    names = [f"p-{n:08x}" for n in rng.integers(0, 2**32, 2000)]
    held = held_of(sides(dict(zip(names, hashes, strict=True)), 0.1))
    assert len(held) / len(names) == pytest.approx(0.1, abs=0.02)


def test_clusters_are_held_out_as_often_as_single_photos():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (600, 32), np.uint8)
    digests = rng.integers(0, 2**32, 1800)
    burst = {f"p-{n:08x}": hashes[number // 3] for number, n in enumerate(digests)}
    assert len(held_of(sides(burst, 0.2))) / 1800 == pytest.approx(0.2, abs=0.05)


@given(st.data())
def test_near_photos_never_straddle_and_decisions_stay(data):
    """Slow plain reference: all pairs of photos that arrive in three runs."""
    number = data.draw(st.integers(1, 18))
    hashes = {}
    for seed in range(number):
        centre = FAR[data.draw(st.integers(0, 4))]
        digest = data.draw(st.integers(0, 2**32 - 1))
        hashes[f"p-{digest:08x}"] = moved(centre, data.draw(st.integers(0, 30)), seed)
    share = data.draw(st.floats(0.05, 0.9))
    runs = {name: data.draw(st.integers(0, 2)) for name in hashes}
    decided: dict[str, bool] = {}
    for run in range(3):
        present = {name: hashes[name] for name in hashes if runs[name] <= run}
        answers = sides(present, share, decided)
        assert answers.keys() == present.keys()
        assert all(answers[name] == side for name, side in decided.items())
        decided = {name: side for name, side in answers.items() if side is not None}
        for one, other in combinations(decided, 2):
            if np.bitwise_count(hashes[one] ^ hashes[other]).sum() <= NEAR:
                assert decided[one] == decided[other]


def plain_clusters(free, before, hashes):
    """Each photo with each, growing clusters by what is near to any of them."""

    def near(one, other):
        return np.bitwise_count(hashes[one] ^ hashes[other]).sum() <= NEAR

    left = list(free)
    while left:
        cluster = [left.pop(0)]
        for one in cluster:
            found = [other for other in left if near(one, other)]
            cluster += found
            left = [other for other in left if other not in found]
        sides_near = {before[name] for name in before for one in cluster if near(one, name)}
        yield sorted(cluster), sides_near


@pytest.mark.parametrize("looking", [True, False])
@pytest.mark.parametrize(("centres", "most"), [(1, 60), (12, 24), (40, 14), (60, 30)])
@pytest.mark.parametrize("decided", [0, 40])
def test_clusters_are_those_of_the_plain_loop(monkeypatch, looking, centres, most, decided):
    # Either way of finding near pairs is made to seem the cheaper one.
    monkeypatch.setattr("animeprep.hamming._COMPARE", 1e9 if looking else 0.0)
    rng = np.random.default_rng(centres)
    around = rng.integers(0, 256, (centres, 32), np.uint8)
    hashes = {
        f"p{seed:03}": moved(around[seed % centres], int(bits), seed)
        for seed, bits in enumerate(rng.integers(0, most, 150))
    }
    names = rng.permutation(list(hashes)).tolist()
    before = {name: bool(rng.integers(0, 2)) for name in names[:decided]}
    free = sorted(names[decided:])
    expected = list(plain_clusters(free, before, hashes))
    assert 1 <= len(expected) < 150
    assert _clusters(free, before, hashes) == expected


def test_photos_that_are_all_alike_are_one_cluster():
    alike = {f"p{number:04}": FAR[0] for number in range(2000)}
    [(cluster, near)] = _clusters(sorted(alike)[1:], {"p0000": True}, alike)
    assert (len(cluster), near) == (1999, {True})


def test_a_new_photo_joins_the_side_of_its_cluster_whatever_its_digest():
    photos = {"a-00000000": FAR[0], "b-ffffffff": FAR[1]}
    before = {"a-00000000": True, "b-ffffffff": False}
    more = {"x-ffffffff": moved(FAR[0], NEAR, 1), "y-00000000": moved(FAR[1], NEAR, 2)}
    answers = sides({**photos, **more}, 0.5, before)
    assert answers == {**before, "x-ffffffff": True, "y-00000000": False}
    far = {"x-ffffffff": moved(FAR[0], NEAR + 1, 1)}
    assert sides({**photos, **far}, 0.5, before)["x-ffffffff"] is False


def test_what_links_both_sides_is_on_neither():
    one, other = FAR[0], moved(FAR[0], 2 * NEAR, 0)
    flips = np.unpackbits(one ^ other)
    flips[np.flatnonzero(flips)[NEAR:]] = 0
    between = one ^ np.packbits(flips)
    hashes = {"a-00000000": one, "b-ffffffff": other, "c-11111111": between}
    before = {"a-00000000": True, "b-ffffffff": False}
    assert sides(hashes, 0.5, before)["c-11111111"] is None
    assert len(set(sides(hashes, 0.5).values())) == 1, "undecided, all three are one cluster"


@given(DIGESTS, DIGESTS)
def test_adding_photos_moves_none_where_both_sides_are_filled(digests, more):
    both = alone((digests | more) - {1, 2**32 - 1})
    certain = {"low-00000001": FAR[-1], "high-ffffffff": FAR[-2]}
    few = {name: one for name, one in both.items() if int(name[-8:], 16) in digests}
    first = sides({**few, **certain}, 0.3)
    after = sides({**both, **certain}, 0.3)
    assert {name: after[name] for name in first} == first


@pytest.fixture
def album(tmp_path, scene):
    """Puts photos into a folder, by their seeds."""

    def add(*seeds):
        for seed in seeds:
            write_png(tmp_path / "album" / f"photo {seed}.png", scene(seed, 80, 200))
        return tmp_path / "album"

    return add


def kept_apart(dataset):
    """The photos of training, and those that are held out."""
    training = {path.stem.rpartition("_")[0] for path in list_images(dataset.root / "photo")}
    return training, {path.stem for path in list_images(dataset.root / "val")}


def test_photos_are_cropped_and_some_held_out(dataset, album):
    summary = photos(dataset, [album(*range(6))], small(held_out=0.4))
    training, held = kept_apart(dataset)
    assert training
    assert held
    assert not training & held
    assert len(training | held) == 6
    assert summary.counts["made"] == len(list_images(dataset.root / "photo")) + len(held)
    assert {read_rgb(p).shape for p in list_images(dataset.root / "photo")} == {(48, 48, 3)}


def test_names_tell_the_photo_and_its_content(dataset, album):
    photos(dataset, [album(1, 2)], small())
    training, held = kept_apart(dataset)
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
        after = kept_apart(dataset)
        assert before[0] <= after[0]
        assert before[1] <= after[1]
        assert len(after[0] | after[1]) == seed
        before = after


def test_photos_of_two_folders_add_up(dataset, tmp_path, scene):
    for seed in range(6):
        write_png(tmp_path / f"album{seed % 2}" / "same name.png", scene(seed, 80, 200))
        photos(dataset, [tmp_path / f"album{seed % 2}"], small())
    training, held = kept_apart(dataset)
    assert len(training | held) == 6


def test_subfolders_are_searched_and_single_photos_taken(dataset, tmp_path, scene):
    write_png(tmp_path / "album" / "sub" / "a.png", scene(1, 80, 200))
    write_png(tmp_path / "b.png", scene(2, 80, 200))
    photos(dataset, [tmp_path / "album", tmp_path / "b.png"], small())
    training, held = kept_apart(dataset)
    assert {name[0] for name in training | held} == {"a", "b"}


def test_a_broken_photo_is_told_and_the_others_go_on(dataset, album):
    folder = album(1, 2, 3)
    (folder / "broken.jpg").write_text("no photo")
    (folder / "empty.jpg").touch()
    summary = photos(dataset, [folder], small())
    training, held = kept_apart(dataset)
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


def copies_of(picture):
    """One photo as it is met in folders: as it is, recompressed, smaller, brighter."""
    yield ".png", encode_png(picture)
    yield ".jpg", encode_jpeg(picture, 80)
    yield "-small.png", encode_png(scale_short_side(picture, 100))
    yield "-light.png", encode_png(cv2.convertScaleAbs(picture, alpha=1.05, beta=3))


def test_copies_and_bursts_fall_on_one_side_also_in_later_runs(dataset, tmp_path, scene):
    folder = tmp_path / "album"
    copies = {seed: list(copies_of(scene(seed, 160, 240))) for seed in range(8)}
    for turn in range(4):
        for seed, some in copies.items():
            suffix, data = some[(turn + seed) % 4]
            write_atomic(folder / f"photo {seed}{suffix}", data)
        photos(dataset, [folder], small(held_out=0.5))
    training, held = kept_apart(dataset)
    assert len(training) + len(held) == 32
    seeds = [{name.split("_")[1].split("-")[0] for name in side} for side in (training, held)]
    assert seeds[0] | seeds[1] == set("01234567")
    assert seeds[0] & seeds[1] == set()


def test_records_hold_hash_and_side_and_a_rerun_hashes_nothing(dataset, album, monkeypatch):
    photos(dataset, [album(*range(4))], small(held_out=0.5))
    for record in dataset.records("photos"):
        assert len(record["hash"]) == 64
        assert record["held_out"] == record["file_name"].startswith("val/")

    def refuse(*given):
        raise AssertionError("hashed again")

    monkeypatch.setattr("animeprep.photos.hash_file", refuse)
    assert set(photos(dataset, [album()], small(held_out=0.5)).counts) == {"unchanged"}


def test_other_crops_move_no_photo(dataset, album):
    photos(dataset, [album(*range(8))], small(held_out=0.3))
    before = kept_apart(dataset)
    photos(dataset, [album()], small(held_out=0.3, count=1, size=32))
    assert kept_apart(dataset) == before


def test_a_photo_between_both_sides_is_left_out_with_the_reason(dataset, album, monkeypatch):
    one, other = FAR[0], moved(FAR[0], 2 * NEAR, 0)
    flips = np.unpackbits(one ^ other)
    flips[np.flatnonzero(flips)[NEAR:]] = 0
    hashes = {"photo 1": one, "photo 2": other, "photo 3": one ^ np.packbits(flips)}
    monkeypatch.setattr("animeprep.photos.hash_file", lambda path, *_: hashes[path.stem])
    photos(dataset, [album(1, 2)], small(held_out=0.5))
    summary = photos(dataset, [album(3)], small(held_out=0.5))
    assert summary.counts["skipped"] == 1
    assert summary.reasons == {"near to photos in training and to held-out ones": 1}
    assert photos(dataset, [album()], small(held_out=0.5)).counts["skipped"] == 0


def test_names_in_other_case_are_other_photos_and_the_same_photo_is_taken_once(
    dataset, tmp_path, scene
):
    for folder, name, seed in (("a", "IMG", 1), ("b", "img", 2), ("c", "Img", 1), ("d", "x", 3)):
        write_png(tmp_path / "album" / folder / f"{name}.png", scene(seed, 80, 200))
    twice = [tmp_path / "album", tmp_path / "album" / "a", tmp_path / "album" / "d" / "x.png"]
    photos(dataset, twice, small())
    training, held = kept_apart(dataset)
    assert len(training | held) == 3
    assert len({name.lower() for name in training | held}) == 3


def test_photos_behind_links_and_with_odd_names_are_taken(dataset, tmp_path, scene):
    write_png(tmp_path / "elsewhere" / "far.png", scene(1, 80, 200))
    write_png(tmp_path / "album" / f"{'ü' * 90}.png", scene(2, 80, 200))
    (tmp_path / "album" / "link.png").symlink_to(tmp_path / "elsewhere" / "far.png")
    photos(dataset, [tmp_path / "album"], small())
    training, held = kept_apart(dataset)
    assert {name.split("-")[0] for name in training | held} == {"link", "ü" * 40}


def test_a_link_to_nothing_is_told(dataset, album):
    folder = album(1, 2)
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    summary = photos(dataset, [folder], small())
    assert summary.counts["failed"] == 1
    assert "gone.jpg: cannot be opened" in summary.problems[0]


def test_photos_of_a_few_pixels_are_skipped_with_the_reason(dataset, tmp_path, scene):
    write_png(tmp_path / "album" / "strip.png", scene(1, 80, 300)[:1])
    for seed in (2, 3):
        write_png(tmp_path / "album" / f"{seed}.png", scene(seed, 80, 200))
    summary = photos(dataset, [tmp_path / "album"], small(held_out=0))
    assert summary.counts["skipped"] == 1
    assert "too small" in str(summary.reasons)


def test_real_photos_have_no_near_copies_on_both_sides(shared, dataset):
    photos(dataset, [shared / "data/photos"], small(held_out=0.3, count=1))
    by_side: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for record in dataset.records("photos"):
        by_side[record["held_out"]].append(np.frombuffer(bytes.fromhex(record["hash"]), np.uint8))
    apart = [np.bitwise_count(np.array(by_side[0]) ^ one).sum(axis=1).min() for one in by_side[1]]
    assert min(apart) > NEAR
