import dataclasses
import re
import shutil
import struct
import threading
import zlib

import numpy as np
import pytest
import torch

from animegan import data
from animegan.data import Batch, Batches, find_sets, steps_per_epoch
from animegan.errors import TrainingError
from animegan.pictures import random_square
from animegan.recipes import Recipe, make_recipe
from animegan.tensors import to_tensor
from animeprep.dataset import Dataset
from animeprep.errors import DatasetError
from animeprep.images import read_rgb, to_gray, write_png

CPU = torch.device("cpu")
KINDS = ("photo", "anime", "gray", "smooth")


@pytest.fixture
def sets(small_dataset):
    return find_sets(small_dataset, Recipe())


@pytest.fixture
def take(sets):
    """So many batches of the small sets."""

    def some(count, of=sets, start=0, rank=0, world=1, **recipe):
        settings = Recipe(**{"batch": 2, "size": 64, **recipe})
        with Batches(of, settings, CPU, start=start, rank=rank, world=world) as batches:
            return [next(batches) for _ in range(count)]

    return some


@pytest.fixture
def one_each(tmp_path):
    """Sets of a single picture each."""

    def write(**pictures):
        for folder, picture in pictures.items():
            write_png(tmp_path / "own" / folder / "one.png", picture)
        return find_sets(Dataset(tmp_path / "own"), Recipe())

    return write


def same(one, other):
    return all(torch.equal(getattr(one, kind), getattr(other, kind)) for kind in KINDS)


def to_rgb(tensor):
    return ((tensor + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def test_sets_are_named_and_paired(sets):
    assert (len(sets.photo), len(sets.style), len(sets.smooth)) == (5, 7, 7)
    assert all(style.name == gray.name for style, gray in sets.style)
    assert {path.parent.name for path in sets.smooth} == {"smooth_gray"}
    assert [path.name for path in sets.val] == ["v.png"]
    assert sets.style_val == []


def test_a_recipe_without_gray_terms_asks_for_no_gray_pictures(small_dataset, take):
    recipe = make_recipe("cartoongan")
    for folder in ("gray", "smooth_gray"):
        shutil.rmtree(small_dataset.root / folder)
    sets = find_sets(small_dataset, recipe)
    assert {path.parent.name for path in sets.smooth} == {"smooth"}
    assert {gray for _, gray in sets.style} == {None}
    (batch,) = take(1, of=sets, smooth_set="colour")
    assert batch.gray is None
    assert batch.smooth.std(1).max() > 0  # e, in colour
    assert [part.gray for part in batch.parts(2)] == [None, None]


@pytest.mark.parametrize("left_out", ["smooth", "adversarial"])
def test_a_recipe_without_smooth_terms_asks_for_no_smooth_pictures(
    small_dataset, sets, take, left_out
):
    for folder in ("smooth", "smooth_gray"):
        shutil.rmtree(small_dataset.root / folder)
    some = find_sets(small_dataset, make_recipe(without=[left_out]))
    assert some.smooth == []
    assert some.style == sets.style  # gray is what L_gra needs
    (batch,), (whole,) = take(1, of=some), take(1, of=dataclasses.replace(sets, smooth=some.photo))
    assert batch.smooth is None
    assert all(torch.equal(getattr(batch, kind), getattr(whole, kind)) for kind in KINDS[:3])
    assert [(len(part.photo), part.smooth) for part in batch.parts(2)] == [(1, None)] * 2


def test_a_recipe_of_photos_alone_asks_for_no_gray_pictures(small_dataset, take):
    for folder in ("gray", "smooth", "smooth_gray"):
        shutil.rmtree(small_dataset.root / folder)
    some = find_sets(small_dataset, make_recipe(without=["adversarial", "gram"]))
    (batch,) = take(1, of=some)
    assert (batch.gray, batch.smooth) == (None, None)
    assert batch.photo.shape == batch.anime.shape == (2, 3, 64, 64)


@pytest.mark.parametrize(
    ("folder", "verb"),
    [
        ("style", "exposure"),
        ("smooth", "smooth-edges"),
        ("gray", "gray"),
        ("smooth_gray", "gray"),
        ("photo", "photos"),
    ],
)
def test_a_missing_set_names_its_verb(small_dataset, folder, verb):
    for path in small_dataset.pictures(folder):
        path.unlink()
    with pytest.raises(DatasetError, match=f"animeprep {verb}"):
        find_sets(small_dataset, Recipe())


def test_a_style_picture_without_its_partners_names_the_verb(small_dataset):
    write_png(small_dataset.root / "style" / "dropped.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(DatasetError, match="animeprep smooth-edges"):
        find_sets(small_dataset, Recipe())


def test_a_dataset_without_anything_says_so(tmp_path):
    with pytest.raises(DatasetError, match="animeprep exposure"):
        find_sets(Dataset(tmp_path), Recipe())


def test_the_fingerprint_knows_names_and_sizes_and_no_place(small_dataset, sets, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(small_dataset.root, moved)

    def fingerprint(root=moved):
        return find_sets(Dataset(root), Recipe()).fingerprint()

    first = sets.fingerprint()
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert fingerprint() == first
    held_out = moved / "val" / "v.png"
    held_out.rename(moved / "v.png")
    without = fingerprint()
    (moved / "style_val").mkdir()
    (moved / "v.png").rename(moved / "style_val" / "v.png")
    style = fingerprint()
    (moved / "style_val" / "v.png").rename(held_out)
    assert fingerprint() == first
    photo = moved / "photo" / "p0.png"
    photo.rename(photo.with_name("q0.png"))
    renamed = fingerprint()
    photo.with_name("q0.png").rename(photo)
    photo.write_bytes(photo.read_bytes() + b" ")
    longer = fingerprint()
    photo.unlink()
    assert len({first, without, style, renamed, longer, fingerprint()}) == 6


def test_an_epoch_is_the_larger_set_by_the_batch(sets):
    assert steps_per_epoch(sets, 2) == 7 // 2
    with pytest.raises(TrainingError, match="5 pictures are fewer than a batch of 6"):
        steps_per_epoch(sets, 6)


def test_batches_are_floats_in_channels_last(take):
    (batch,) = take(1)
    for kind in KINDS:
        tensor = getattr(batch, kind)
        assert tensor.shape == (2, 3, 64, 64)
        assert tensor.is_contiguous(memory_format=torch.channels_last)
        assert -1 <= tensor.min() <= tensor.max() <= 1


def test_values_are_those_of_the_files(sets, take):
    files = {read_rgb(path).tobytes() for path in sets.photo}
    drawn = {to_rgb(one).tobytes() for batch in take(5) for one in batch.photo}
    assert drawn == files


def test_parts_make_up_the_batch(take):
    (batch,) = take(1, batch=5)
    parts = batch.parts(2)
    assert [len(part.photo) for part in parts] == [3, 2]
    joined = (torch.cat([getattr(part, kind) for part in parts]) for kind in KINDS)
    assert same(Batch(*joined), batch)
    assert len(batch.parts(9)) == 5


@pytest.mark.parametrize("recipe", [{}, {"flip": True}, {"size": 40}])
def test_x_is_the_gray_of_the_very_a_cut_alike(take, recipe):
    for batch in take(6, **recipe):
        for anime, gray in zip(batch.anime, batch.gray, strict=True):
            torch.testing.assert_close(gray[None], to_tensor(to_gray(to_rgb(anime))))


def test_jitter_scales_a_and_x_alike(take):
    # Scaled for themselves, their rounding differs a little; another cut would differ by far more.
    for batch in take(6, size=48, jitter=0.3, flip=True):
        for anime, gray in zip(batch.anime, batch.gray, strict=True):
            expected = to_tensor(to_gray(to_rgb(anime)))[0]
            assert (gray - expected).abs().mean() < 0.02


def test_y_is_gray_whatever_the_files_hold(small_dataset, sets, take):
    for _, path in sets.style:
        write_png(path, read_rgb(small_dataset.root / "style" / path.name))  # in colour
    for batch in take(4):
        for tensor in (batch.smooth, batch.gray):
            assert float((tensor - tensor[:, :1]).abs().max()) == 0


def test_y_has_its_own_order(take):
    # smooth/ holds inverted style pictures here: equal orders would pair a with its own inverse.
    pairs = [(-batch.gray - batch.smooth).abs().mean() < 0.02 for batch in take(3)]
    assert not all(pairs)


def test_each_picture_comes_once_in_a_round_of_its_own_set(take):
    batches = take(35, batch=1)
    for first in range(0, 35, 7):
        assert len({batch.anime.mean().item() for batch in batches[first : first + 7]}) == 7
    for first in range(0, 35, 5):
        assert len({batch.photo.mean().item() for batch in batches[first : first + 5]}) == 5


def test_flip_mirrors_about_half_and_nothing_else_changes(take):
    plain, flipped = (take(40, batch=1, flip=flip) for flip in (False, True))
    mirrored = 0
    for one, other in zip(plain, flipped, strict=True):
        if not torch.equal(one.photo, other.photo):
            assert torch.equal(one.photo, other.photo.flip(3))
            mirrored += 1
    assert 10 < mirrored < 30


def test_jitter_takes_larger_and_smaller_views():
    # A ramp of one step a pixel: the span of the square tells how much of the picture it shows.
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 200, 0).repeat(3, 2)
    recipe = Recipe(size=96, jitter=0.25)
    draws = np.random.default_rng(0).random((200, 4))
    squares = (random_square(ramp, recipe, one) for one in draws)
    spans = [int(square.max()) - int(square.min()) + 1 for square in squares]
    assert 96 / 1.25 - 2 <= min(spans) < 80
    assert 120 < max(spans) <= 96 / 0.75 + 2


def test_the_stream_depends_on_seed_and_step_alone(take):
    augmented = {"size": 48, "flip": True, "jitter": 0.2, "seed": 5}
    whole = take(6, **augmented)
    for expected, answer in zip(whole[4:], take(2, start=4, **augmented), strict=True):
        assert same(expected, answer)
    (other,) = take(1, **{**augmented, "seed": 6})
    assert not torch.equal(other.photo, whole[0].photo)


def test_neither_threads_nor_cache_change_it(take, monkeypatch):
    expected = take(9, size=48, jitter=0.2)
    monkeypatch.setattr(data, "_cores", lambda: 5)
    monkeypatch.setattr(data, "room_for_pictures", lambda: 20_000)  # one picture and a half
    assert all(map(same, take(9, size=48, jitter=0.2), expected))


def test_processes_share_a_batch(take):
    whole = take(3, batch=4)
    ranks = [take(3, batch=4, rank=rank, world=2) for rank in range(2)]
    for step, batch in enumerate(whole):
        joined = (torch.cat([getattr(rank[step], kind) for rank in ranks]) for kind in KINDS)
        assert same(Batch(*joined), batch)
    with pytest.raises(TrainingError, match="4 cannot be shared by 3 processes"):
        take(1, batch=4, world=3)


def test_after_the_first_round_nothing_is_decoded(sets, monkeypatch):
    decoded = []

    def read(path):
        decoded.append(path)
        return read_rgb(path)

    monkeypatch.setattr("animegan.pictures.read_rgb", read)
    with Batches(sets, Recipe(batch=1, size=64), CPU) as batches:
        for _ in range(30):
            next(batches)
    assert set(decoded) == {*sets.photo, *sets.smooth, *(p for pair in sets.style for p in pair)}
    # Two threads may want the same picture at once, at the beginning.
    assert len(decoded) < 2 * len(set(decoded))


def test_what_does_not_fit_in_memory_is_not_kept(sets, monkeypatch):
    monkeypatch.setattr(data, "room_for_pictures", lambda: 50_000)
    with Batches(sets, Recipe(batch=1, size=64), CPU) as batches:
        for _ in range(20):
            next(batches)
        kept = batches._store._kept.values()
    assert 37_000 < sum(picture.nbytes for picture in kept) <= 50_000


def test_its_threads_end(sets):
    with Batches(sets, Recipe(batch=1, size=64), CPU) as batches:
        next(batches)
        assert any(thread.name.startswith("batch") for thread in threading.enumerate())
        assert batches.waited > 0
    assert not any(thread.name.startswith("batch") for thread in threading.enumerate())


@pytest.mark.parametrize("shape", [(64, 64), (100, 70), (40, 90), (33, 32), (8, 3000)])
def test_pictures_of_any_shape_come_at_the_training_size(one_each, take, shape):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    folders = ("photo", "style", "smooth", "gray", "smooth_gray")
    sets = one_each(**dict.fromkeys(folders, picture))
    for batch in take(3, of=sets, size=64, batch=1, jitter=0.5):
        assert batch.photo.shape == (1, 3, 64, 64)


def test_a_broken_picture_is_named_once_and_the_next_takes_its_place(sets, take):
    expected = take(10, batch=1)
    broken = sets.photo[2]
    victim = to_tensor(read_rgb(broken))
    order = [batch.photo for batch in expected]
    place = next(i for i, photo in enumerate(order[:4]) if torch.equal(photo, victim))
    broken.write_bytes(broken.read_bytes()[:200])
    with Batches(sets, Recipe(batch=1, size=64), CPU) as batches:
        found = [next(batches) for _ in range(10)]
        assert len(batches.problems) == 1
        assert batches.problems[0].startswith(str(broken))
    order[place] = order[place + 1]
    assert all(map(torch.equal, (batch.photo for batch in found[:5]), order[:5]))
    # The other sets go on as before.
    assert all(torch.equal(a.anime, b.anime) for a, b in zip(found, expected, strict=True))


def test_a_broken_gray_leaves_its_style_picture_out(sets, take):
    anime, gray = sets.style[3]
    victim = to_tensor(read_rgb(anime))
    gray.write_bytes(b"")
    for batch in take(14, batch=1):
        assert not torch.equal(batch.anime, victim)
        torch.testing.assert_close(batch.gray, to_tensor(to_gray(to_rgb(batch.anime[0]))))


def test_a_broken_file_changes_nothing_for_threads_or_start(sets, take, monkeypatch):
    for path in (sets.photo[1], sets.style[0][0], sets.smooth[6]):
        path.write_bytes(b"GIF89a, or so it says")
    expected = take(8)
    monkeypatch.setattr(data, "_cores", lambda: 6)
    assert all(map(same, take(3, start=5), expected[5:]))


def test_a_set_of_broken_pictures_ends_training(sets, take):
    for path in sets.smooth:
        path.write_bytes(b"broken")
    with pytest.raises(TrainingError, match="smooth: none of its pictures can be read"):
        take(1)


def test_a_picture_of_absurd_size_is_one_of_the_broken(sets):
    data = bytearray(sets.photo[0].read_bytes())
    data[16:24] = struct.pack(">II", 40_000, 40_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    sets.photo[0].write_bytes(data)
    with Batches(sets, Recipe(batch=5, size=64), CPU) as batches:
        next(batches)
        assert "too large" in batches.problems[0]


def test_flat_pictures_are_pictures_too(one_each, take):
    values = {"photo": 0, "style": 255, "smooth": 128, "gray": 255, "smooth_gray": 128}
    sets = one_each(
        **{name: np.full((64, 64, 3), value, np.uint8) for name, value in values.items()}
    )
    (batch,) = take(1, of=sets, batch=1, jitter=0.4)
    means = {kind: round(float(getattr(batch, kind).mean()), 3) for kind in KINDS}
    assert means == {"photo": -1, "anime": 1, "gray": 1, "smooth": 0.004}
    assert all(float(getattr(batch, kind).std()) == 0 for kind in KINDS)
