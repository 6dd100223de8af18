"""Copies are found and kept together; every colour is on both sides."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animegan.faces.collection import Faces
from animegan.faces.split import near_duplicates, repeated, split
from animegan.faces.words import EYES, HAIR
from animeprep.hashes import hash_pictures
from animeprep.images import decode_rgb, encode_jpeg
from tests.animegan.faces.drawing import drawn_faces


def noise(count, seed=0):
    """Pictures that are unlike one another."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), np.uint8)
    return np.stack([cv2.resize(one, (64, 64), interpolation=cv2.INTER_CUBIC) for one in coarse])


def groups_of(numbers):
    return {tuple(np.flatnonzero(numbers == n).tolist()) for n in set(numbers.tolist())}


def unsaid(count, colours=3):
    """Faces without pictures that matter, of a few colours in turn."""
    places = np.arange(count, dtype=np.int64)
    pictures = np.zeros((count, 64, 64, 3), np.uint8)
    return Faces(tuple(map(str, range(count))), pictures, places % colours, places % 2)


def test_copies_saved_again_mirrored_or_in_other_colours_are_one_group(tmp_path):
    pictures = noise(12)
    again = decode_rgb(encode_jpeg(pictures[3], 60), tmp_path)
    mirrored = decode_rgb(encode_jpeg(pictures[5][:, ::-1].copy(), 80), tmp_path)
    lighter = cv2.convertScaleAbs(pictures[7], alpha=0.8, beta=40)
    numbers = near_duplicates(np.stack([*pictures, again, mirrored, lighter]))
    expected = {(n,) for n in range(12) if n not in {3, 5, 7}} | {(3, 12), (5, 13), (7, 14)}
    assert groups_of(numbers) == expected
    assert [part.tolist() for part in repeated(numbers)] == [[3, 12], [5, 13], [7, 14]]


def test_groups_are_those_of_a_plain_search(monkeypatch):
    rng = np.random.default_rng(1)
    basis = noise(8, 2)
    pictures = np.stack(
        [
            cv2.addWeighted(basis[rng.integers(8)], 0.8, noise(1, int(seed))[0], 0.2, 0)
            for seed in rng.integers(0, 1000, 60)
        ]
    )
    flipped = [np.ascontiguousarray(one[:, ::-1]) for one in pictures]
    hashes, mirrored = (
        np.unpackbits(hash_pictures(list(some), "phash-256", "fast"), axis=1)
        for some in (pictures, flipped)
    )
    expected = np.arange(60)
    for one in range(60):
        for other in range(60):
            apart = min((hashes[one] != some[other]).sum() for some in (hashes, mirrored))
            if apart <= 26:
                expected[expected == expected[other]] = expected[one]
    assert 8 <= len(groups_of(expected)) < 60
    assert groups_of(near_duplicates(pictures)) == groups_of(expected)
    monkeypatch.setattr("animegan.faces.split._WAITING", 3)
    assert groups_of(near_duplicates(pictures)) == groups_of(expected)


def test_no_faces_have_no_groups():
    assert near_duplicates(np.zeros((0, 64, 64, 3), np.uint8)).shape == (0,)
    assert list(repeated(np.zeros(0, np.int64))) == []


def test_each_colour_has_its_share_on_both_sides():
    faces = drawn_faces(400, seed=3)
    train, held_out = (faces.take(places) for places in split(faces, np.arange(400), 0.1, 0))
    assert set(train.names) | set(held_out.names) == set(faces.names)
    assert len(train) + len(held_out) == 400
    assert 38 <= len(held_out) <= 48
    for attribute, counts in held_out.balance().items():
        for colour, number in counts.items():
            every = faces.balance()[attribute][colour]
            assert 1 <= number <= 0.1 * every + 2, (attribute, colour)


def test_a_group_is_on_one_side_and_its_order_does_not_matter():
    faces, numbers = unsaid(90), np.arange(90) // 3
    train, held_out = split(faces, numbers, 0.2, 5)
    assert not set(numbers[train]) & set(numbers[held_out])
    assert len(held_out) == 18
    order = np.random.default_rng(0).permutation(90)
    shuffled = split(faces.take(order), 29 - numbers[order], 0.2, 5)
    assert {order[place] for place in shuffled[1]} == set(held_out.tolist())


def test_other_seeds_hold_out_others_and_a_share_of_nothing_none():
    faces, numbers = unsaid(90), np.arange(90)
    first, again, other = (split(faces, numbers, 0.1, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other
    train, held_out = split(faces, numbers, 0, 0)
    assert (len(train), len(held_out)) == (90, 0)


def test_a_colour_with_one_group_is_learned_from():
    faces, numbers = unsaid(40), np.arange(40)
    faces.hair[:] = 0
    faces.hair[7] = 5
    faces.hair[[8, 9]] = 6
    numbers[[8, 9]] = 8
    faces.hair[[1, 2]] = 7
    train, held_out = (faces.take(places) for places in split(faces, numbers, 0.1, 0))
    assert {5, 6, 7} <= set(train.hair)
    assert not {5, 6} & set(held_out.hair)
    assert 7 in held_out.hair


@pytest.mark.parametrize("count", [1, 2])
def test_the_fewest_faces(count):
    train, held_out = split(unsaid(count, 1), np.arange(count), 0.1, 0)
    assert len(train) + len(held_out) == count
    assert len(train) >= 1


@given(st.integers(0, 10**6), st.floats(0.01, 0.5), st.integers(3, 60))
def test_promises_hold_for_any_set(seed, share, count):
    rng = np.random.default_rng(seed)
    hair, eyes = (rng.integers(-1, len(colours), count) for colours in (HAIR[:4], EYES[:3]))
    names = tuple(map(str, rng.permutation(count)))
    faces = Faces(names, np.zeros((count, 64, 64, 3), np.uint8), hair, eyes)
    numbers = rng.integers(0, count, count)
    numbers = np.unique(numbers, return_inverse=True)[1]
    train, held_out = split(faces, numbers, share, seed)
    assert sorted([*train, *held_out]) == list(range(count))
    assert not set(numbers[train]) & set(numbers[held_out])
    both = np.stack([faces.hair, faces.eyes + 100], axis=1)
    assert set(both[train].ravel()) == set(both.ravel())
    # What is not held out has nowhere a group without the last that is left of some colour.
    left = {one: len(set(numbers[train][(both[train] == one).any(1)])) for one in set(both.ravel())}
    for missing in set(both.ravel()) - set(both[held_out].ravel()):
        for group in set(numbers[(both == missing).any(1)]):
            assert min(left[one] for one in both[numbers == group].ravel()) == 1
