"""Batches of faces: a function of seed and step, wrong words that are wrong."""

import operator
from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from animegan.errors import TrainingError
from animegan.faces.batches import FaceBatches
from animegan.faces.recipe import FaceRecipe
from animegan.faces.words import EYES, HAIR, UNSAID
from tests.animegan.faces.drawing import drawn_faces

CPU = torch.device("cpu")
NONE_CONTRADICT = "no two faces: differ in a colour told of both"


def batches(faces, start=0, **settings):
    return FaceBatches(faces, FaceRecipe(**{"batch": 4, **settings}), CPU, start)


def unsaid(faces, hair=(), eyes=()):
    """The same faces; nothing is said of the hair, and of the eyes, at some places."""
    changed = replace(faces, hair=faces.hair.copy(), eyes=faces.eyes.copy())
    changed.hair[list(hair)] = changed.eyes[list(eyes)] = UNSAID
    return changed


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


def others(faces, fits):
    """Five batches' faces and those drawn beside them, as places; and the same in a plain way.

    Faces are put in order of their words. The numbers that are drawn for a step say how far along
    those of them that fit the other face lies.
    """
    faces = replace(faces, pictures=faces.pictures * 0)
    faces.pictures[:] = np.arange(len(faces))[:, None, None, None]
    words = list(zip(faces.hair.tolist(), faces.eyes.tolist(), strict=True))
    order = sorted(range(len(faces)), key=words.__getitem__)
    for step, batch in enumerate(islice(batches(faces, batch=8, flip=False), 5)):
        real, other = (
            ((part.picture[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
            for part in (batch.real, batch.other)
        )
        draws = np.random.default_rng((0, step, 1)).random(8)
        for place, found, draw in zip(real, other, draws, strict=True):
            fitting = [one for one in order if fits(words[place], words[one])]
            yield words[place], found, fitting[int(draw * len(fitting))] if fitting else place


def test_where_all_is_said_the_other_is_any_whose_words_differ():
    """So runs go on as they began."""
    faces = drawn_faces(60, hair=HAIR[:4], eyes=EYES[:3])
    assert all(found == plain for _, found, plain in others(faces, operator.ne))


def test_the_other_contradicts_what_is_said_of_both():
    faces = unsaid(drawn_faces(60, hair=HAIR[:4], eyes=EYES[:3]), range(40), range(30, 55))

    def contradicts(one, other):
        return any(a != b and UNSAID not in (a, b) for a, b in zip(one, other, strict=True))

    drawn = list(others(faces, contradicts))
    assert all(found == plain for _, found, plain in drawn)
    assert {UNSAID in words for words, _, _ in drawn} == {True, False}


def test_a_face_that_none_contradicts_stands_for_itself():
    """D learns no words from it, for its right and its wrong ones are the same."""
    faces = unsaid(drawn_faces(12, hair=("red", "blue"), eyes=("green",)), hair=range(4))
    batch = next(batches(faces, batch=12, flip=False))
    alone = batch.real.hair == UNSAID
    assert int(alone.sum()) == 4
    assert torch.equal(batch.other.picture[alone], batch.real.picture[alone])
    assert torch.equal(batch.other.condition[alone], batch.real.condition[alone])
    assert (batch.other.hair[~alone] != batch.real.hair[~alone]).all()


@pytest.mark.parametrize(
    ("faces", "told"),
    [
        (drawn_faces(3), "3 faces: are fewer than a batch of 4"),
        (drawn_faces(6, hair=("red",), eyes=("blue",)), NONE_CONTRADICT),
        (unsaid(drawn_faces(6, eyes=("blue",)), hair=range(1, 6)), NONE_CONTRADICT),
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
