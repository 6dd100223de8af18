import numpy as np
import pytest

from animeprep import alike
from animeprep.alike import NEAR, VERY_NEAR, groups_of
from animeprep.descriptor import describe, hellinger, squared


def turned(*angles):
    """Points on a circle, so that the distance is that of the angles."""
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.rint(255 * points).astype(np.uint8)


def film(name, *indexes, shots=None):
    known = [{"film_id": name, "index": index} for index in indexes]
    for record, shot in zip(known, shots or [], strict=False):
        record["shot"] = shot
    return known


BETWEEN = (NEAR + VERY_NEAR) / 2 * np.sqrt(2)
BEYOND = 1.1 * NEAR * np.sqrt(2)


def test_consecutive_samples_of_a_film_may_be_farther_apart_than_any_two():
    points = turned(0, BETWEEN)
    assert VERY_NEAR < hellinger(squared(points, points))[0, 1] < NEAR
    assert groups_of(film("a", 0, 50), points) == [0, 0]
    assert groups_of([*film("a", 0), *film("b", 50)], points) == [0, 1]
    assert groups_of([{}, {}], points) == [0, 1]
    assert groups_of(film("a", 0, 50, 100), turned(0, 3 * BETWEEN, BETWEEN)) == [0, 1, 2]


def test_known_shots_hold_together_whatever_they_look_like():
    points = turned(0, 1.5, BETWEEN)
    assert groups_of(film("a", 0, 50, 100, shots=[0, 0, 1]), points) == [0, 0, 1]
    assert groups_of([*film("a", 0, shots=[0]), *film("b", 0, shots=[0])], points[:2]) == [0, 1]


def test_a_drawing_that_returns_is_one_group():
    points = turned(0, BEYOND, 0, BEYOND)
    assert groups_of(film("a", 0, 50, 100, 150, shots=[0, 1, 2, 3]), points) == [0, 1, 0, 1]


def test_chains_are_one_group():
    step = VERY_NEAR * np.sqrt(2) * 0.9
    assert groups_of([{}] * 4, turned(0, step, 2 * step, 3 * step)) == [0, 0, 0, 0]


@pytest.mark.parametrize("block", [1, 7, 256])
def test_groups_are_the_components_that_a_plain_search_finds(monkeypatch, block):
    monkeypatch.setattr(alike, "_BLOCK", block)
    draws = np.random.default_rng(block)
    points = turned(*draws.uniform(0, 1.57, 24))
    labels = list(range(24))
    for one in range(24):
        for other in range(24):
            if hellinger(squared(points[[one]], points[[other]]))[0, 0] <= VERY_NEAR:
                old, new = labels[other], labels[one]
                labels = [new if label == old else label for label in labels]
    first = list(dict.fromkeys(labels))
    assert groups_of([{}] * 24, points) == [first.index(label) for label in labels]


def test_pan_steps_are_one_group_and_other_paintings_are_not(scene):
    wide = scene(1, 270, 620)
    pans = [wide[:, left : left + 480] for left in range(0, 140, 24)]
    pictures = [*pans, scene(2), scene(3)]
    descriptors = np.stack([describe(picture) for picture in pictures])
    assert groups_of(film("a", *range(0, 400, 50)), descriptors) == [0] * 6 + [1, 2]
