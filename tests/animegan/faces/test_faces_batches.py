"""Batches of faces: a function of seed and step, wrong words that are wrong."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from animegan.errors import TrainingError
from animegan.faces.batches import FaceBatches
from animegan.faces.recipe import FaceRecipe
from tests.animegan.faces.drawing import drawn_faces

CPU = torch.device("cpu")


def batches(faces, start=0, **settings):
    return FaceBatches(faces, FaceRecipe(**{"batch": 4, **settings}), CPU, start)


def same(one, other):
    return all(
        torch.equal(getattr(getattr(one, part), name), getattr(getattr(other, part), name))
        for part in ("real", "other")
        for name in ("picture", "condition", "hair", "eyes")
    )


def test_an_epoch_shows_every_face_once():
    faces = drawn_faces(12)
    shown = torch.cat([b.real.picture for b in islice(batches(faces, flip=False), 3)])
    wanted = torch.from_numpy(faces.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    matches = (shown[:, None] == wanted[None]).all((2, 3, 4))
    assert (matches.sum(0) == 1).all()


def test_batches_are_a_function_of_seed_and_step():
    faces = drawn_faces(10)
    whole = list(islice(batches(faces), 5))
    resumed = list(islice(batches(faces, start=3), 2))
    assert all(same(*pair) for pair in zip(whole[3:], resumed, strict=True))
    assert not same(whole[0], next(batches(faces, seed=1)))


def test_half_of_the_faces_are_mirrored_with_their_words():
    faces = drawn_faces(60)
    plain, mirrored = (next(batches(faces, batch=60, flip=flip)) for flip in (False, True))
    assert torch.equal(plain.real.condition, mirrored.real.condition)
    same_way = (plain.real.picture == mirrored.real.picture).all((1, 2, 3))
    turned = (plain.real.picture.flip(3) == mirrored.real.picture).all((1, 2, 3))
    assert (same_way ^ turned).all()
    assert 18 < int(turned.sum()) < 42


def test_others_have_other_words_and_each_such_face_is_drawn_alike():
    faces = drawn_faces(9, hair=("red", "blue"), eyes=("green", "gray"))
    words = list(zip(faces.hair.tolist(), faces.eyes.tolist(), strict=True))
    drawn: Counter[tuple[int, int]] = Counter()
    for batch in islice(batches(faces, batch=9, flip=False), 400):
        assert (batch.real.condition != batch.other.condition).any(1).all()
        drawn.update(zip(batch.other.hair.tolist(), batch.other.eyes.tolist(), strict=True))
    for word, count in Counter(words).items():
        others = [other for other in words if other != word]
        assert others
        expected = sum(count / (9 - Counter(words)[real]) for real in words if real != word)
        assert drawn[word] / 400 == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("faces", "told"),
    [
        (drawn_faces(3), "3 faces: are fewer than a batch of 4"),
        (drawn_faces(6, hair=("red",), eyes=("blue",)), "all faces: have the same words"),
    ],
)
def test_faces_that_cannot_teach_are_refused(faces, told):
    with pytest.raises(TrainingError, match=told):
        batches(faces)


def test_pictures_are_not_changed():
    faces = drawn_faces(8)
    before = faces.pictures.copy()
    next(batches(faces))
    assert np.array_equal(before, faces.pictures)
