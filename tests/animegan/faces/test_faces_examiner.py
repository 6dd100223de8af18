"""The network that judges generated faces."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from animegan.augment import generator_of
from animegan.faces.classifiers import ColourClassifiers
from animegan.faces.examiner import WIDTH, Examiner, train_examiner, varied
from animegan.faces.learning import CPU, Schedule, new
from animegan.faces.words import EYES, HAIR, UNSAID
from animegan.tensors import to_batch
from tests.animegan.faces.drawing import drawn_faces

SHORT = Schedule(passes=2, batch=16, rate=3e-3, decay=0.05)
FEW = ("red", "blue", "green")


@pytest.fixture(scope="module")
def taught():
    schedule = Schedule(passes=5, batch=16, rate=6e-3, decay=0.05)
    return train_examiner(drawn_faces(64, hair=FEW, eyes=FEW), schedule=schedule)


@pytest.fixture(scope="module")
def unseen():
    return drawn_faces(64, seed=1, hair=FEW, eyes=FEW)


def test_it_learns_hair_in_seconds(taught, unseen):
    """One in three is chance."""
    hair, eyes = taught(to_batch(torch.from_numpy(unseen.pictures), CPU))
    assert (hair.shape, eyes.shape) == ((64, len(HAIR)), (64, len(EYES)))
    assert (hair.argmax(1).numpy() == unseen.hair).mean() > 0.8


@pytest.mark.slow
def test_it_learns_small_things_too(unseen):
    """Eyes are a fiftieth of a face; one in three is chance."""
    schedule = Schedule(passes=16, batch=16, rate=6e-3, decay=0.05)
    network = train_examiner(drawn_faces(256, hair=FEW, eyes=FEW), schedule=schedule)
    hair, eyes = network(to_batch(torch.from_numpy(unseen.pictures), CPU))
    assert (hair.argmax(1).numpy() == unseen.hair).mean() > 0.95
    assert (eyes.argmax(1).numpy() == unseen.eyes).mean() > 0.9


def test_features_are_standardised_and_bounded(taught, unseen):
    pictures = to_batch(torch.from_numpy(unseen.pictures), CPU)
    hair, eyes, features = taught.see(pictures)
    torch.testing.assert_close((hair, eyes), taught(pictures))
    assert features.shape == (64, WIDTH)
    assert features.abs().max() <= 4
    assert features.mean(0).abs().max() < 1
    assert 0.5 < features.std(0).median() < 1.5


def test_a_face_is_judged_by_itself(taught, unseen):
    pictures = to_batch(torch.from_numpy(unseen.pictures[:4]), CPU)
    together, alone = taught(pictures)[0][:1], taught(pictures[:1])[0]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_it_shares_no_tensor_with_those_that_teach():
    """Other shapes throughout but for biases: it is another network."""
    shapes = {tuple(p.shape) for p in ColourClassifiers().parameters() if p.ndim > 1}
    assert not shapes & {tuple(p.shape) for p in Examiner().parameters()}


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_randomness():
    faces = drawn_faces(24)
    before = torch.get_rng_state()
    one, again = (train_examiner(faces, 3, schedule=SHORT).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], again[name]) for name in one)


def test_what_is_unsaid_and_colours_without_faces_do_no_harm():
    faces = drawn_faces(24, eyes=("red",))
    network = train_examiner(replace(faces, hair=np.full(24, UNSAID)), schedule=SHORT)
    assert all(value.isfinite().all() for value in network.state_dict().values())
    _, eyes = network(to_batch(torch.from_numpy(faces.pictures), CPU))
    assert (eyes.argmax(1) == EYES.index("red")).all()


def test_a_rare_colour_counts_as_much_as_a_common_one():
    """One picture under two names, one 23 times as often: both gain at once, all others lose.

    Where all faces counted alike the rare name would lose: a 24th is less than its first share.
    """
    faces = drawn_faces(1).take(np.zeros(24, np.int64))
    rare = np.array([0] * 23 + [1])
    schedule = Schedule(passes=2, batch=24, rate=1e-3, decay=0.05)
    taught = train_examiner(replace(faces, hair=rare, eyes=1 - rare), schedule=schedule)
    first = new(Examiner, 0, CPU).state_dict()
    for name in ("heads.0.bias", "heads.1.bias"):
        gains = taught.state_dict()[name] > first[name]
        assert gains.nonzero().flatten().tolist() == [0, 1]


def test_faces_vary_in_place_and_not_in_colour():
    """A plain face stays plain but for its holes, which are mid-gray."""
    plain = torch.full((16, 3, 64, 64), 0.5)
    seen = varied(plain, generator_of(0))
    assert set(seen.unique().tolist()) == {0.0, 0.5}
    holes = (seen == 0).flatten(1).sum(1)
    assert set(holes.tolist()) == {0, 3 * 12 * 12}


def test_shifts_are_small():
    dot = torch.zeros(64, 3, 64, 64)
    dot[:, :, 32, 20] = 1
    seen = varied(dot, generator_of(0))
    rows, columns = seen[:, 0].nonzero()[:, 1:].T
    assert rows.min() >= 28 and rows.max() <= 36  # noqa: PT018 - one range
    mirrored = 63 - 20
    assert all(abs(column - 20) <= 4 or abs(column - mirrored) <= 4 for column in columns.tolist())
