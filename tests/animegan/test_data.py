import numpy as np
import pytest
import torch

from animegan.data import batches, find_sets, steps_per_epoch
from animegan.errors import TrainingError
from animegan.tensors import to_tensor
from animeprep.dataset import Dataset
from animeprep.errors import DatasetError
from animeprep.images import to_gray, write_png


def take(stream, count):
    return [next(stream) for _ in range(count)]


def test_sets_are_named_and_paired(small_dataset):
    sets = find_sets(small_dataset)
    assert (len(sets.photo), len(sets.style), len(sets.smooth_gray)) == (5, 7, 7)
    assert all(style.name == gray.name for style, gray in sets.style)


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
        find_sets(small_dataset)


def test_a_style_picture_without_its_partners_names_the_verb(small_dataset):
    write_png(small_dataset.root / "style" / "dropped.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(DatasetError, match="animeprep gray"):
        find_sets(small_dataset)


def test_an_epoch_is_the_larger_set_by_the_batch(small_dataset):
    sets = find_sets(small_dataset)
    assert steps_per_epoch(sets, 2) == 7 // 2
    with pytest.raises(TrainingError, match="5 pictures are fewer than a batch of 6"):
        steps_per_epoch(sets, 6)


def test_x_is_the_gray_of_the_very_a_also_when_cropped(small_dataset):
    for batch in take(batches(find_sets(small_dataset), 2, 40, seed=3), 6):
        for anime, gray in zip(batch.anime, batch.gray, strict=True):
            rgb = ((anime + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            torch.testing.assert_close(gray[None], to_tensor(to_gray(rgb)))


def test_y_is_truly_gray_and_has_its_own_order(small_dataset):
    stream = take(batches(find_sets(small_dataset), 2, 64, seed=0), 3)
    for batch in stream:
        assert float((batch.smooth_gray - batch.smooth_gray[:, :1]).abs().max()) == 0
    # smooth/ holds inverted style pictures here: equal orders would pair a with its own inverse.
    pairs = [(-b.gray - b.smooth_gray).abs().mean() < 0.02 for b in stream]
    assert not all(pairs)


def test_each_picture_comes_once_in_a_round(small_dataset):
    seven = take(batches(find_sets(small_dataset), 1, 64, seed=0), 7)
    assert len({batch.anime.mean().item() for batch in seven}) == 7


def test_the_stream_depends_on_seed_and_step_alone(small_dataset):
    sets = find_sets(small_dataset)
    whole = take(batches(sets, 2, 48, seed=5), 6)
    rest = take(batches(sets, 2, 48, seed=5, start=4), 2)
    for expected, answer in zip(whole[4:], rest, strict=True):
        assert torch.equal(expected.photo, answer.photo)
        assert torch.equal(expected.smooth_gray, answer.smooth_gray)
    other = next(batches(sets, 2, 48, seed=6))
    assert not torch.equal(other.photo, whole[0].photo)


def test_pictures_smaller_than_the_crop_are_enlarged(small_dataset):
    assert next(batches(find_sets(small_dataset), 1, 96, seed=0)).photo.shape == (1, 3, 96, 96)


def test_a_dataset_without_anything_says_so(tmp_path):
    with pytest.raises(DatasetError, match="animeprep exposure"):
        find_sets(Dataset(tmp_path))
