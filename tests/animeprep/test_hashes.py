# mypy: allow-untyped-calls
import imagehash
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from animeprep.film import Selection, pictures, probe
from animeprep.hashes import BITS, distances, leaders, phash


def peer_phash(picture):
    return imagehash.phash(Image.fromarray(picture), hash_size=16).hash


def same(picture):
    return (np.unpackbits(phash(picture)).reshape(16, 16) == peer_phash(picture)).all()


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field"])
def test_phash_of_photos_is_that_of_imagehash(name):
    assert same(getattr(skimage.data, name)())


def test_phash_of_a_film_is_that_of_imagehash(demo_film):
    frames = list(pictures(probe(demo_film), Selection(every=79)))
    assert len(frames) == 10
    assert all(same(frame.rgb) for frame in frames)


@pytest.mark.parametrize("shape", [(64, 64), (65, 63), (9, 200), (300, 200), (1, 1)])
def test_phash_of_noise_is_that_of_imagehash(shape):
    rng = np.random.default_rng(shape[0])
    for _ in range(20):
        assert same(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))


def test_phash_of_drawings_is_that_of_imagehash(scene):
    assert all(same(scene(seed)) for seed in range(20))


def test_softer_and_smaller_copies_are_near_and_other_drawings_far(scene, soften):
    drawings = [phash(scene(seed)) for seed in range(12)]
    copies = [phash(soften(scene(seed))) for seed in range(12)]
    assert all(
        distances(one, copy[None])[0] <= 26 for one, copy in zip(drawings, copies, strict=True)
    )
    for number, one in enumerate(drawings):
        others = np.array(drawings[:number] + drawings[number + 1 :])
        assert distances(one, others).min() > 60


@given(
    st.binary(min_size=32, max_size=32), st.lists(st.binary(min_size=32, max_size=32), min_size=1)
)
def test_distances_count_differing_bits(one, others):
    plain = [(int.from_bytes(one) ^ int.from_bytes(other)).bit_count() for other in others]
    table = np.frombuffer(b"".join(others), np.uint8).reshape(-1, 32)
    assert distances(np.frombuffer(one, np.uint8), table).tolist() == plain


def plain_leaders(hashes, threshold):
    """By the definition, pair by pair."""
    leading: list[int] = []
    answers: list[tuple[int, int]] = []
    for position, one in enumerate(hashes):
        near = [
            (bits, leader)
            for leader in leading
            if (bits := (int.from_bytes(one) ^ int.from_bytes(hashes[leader])).bit_count())
            <= threshold
        ]
        if near:
            bits, leader = min(near)
            answers.append((leader, bits))
        else:
            leading.append(position)
            answers.append((position, 0))
    return answers


def arrays(hashes):
    return [np.frombuffer(one, np.uint8) for one in hashes]


# Two bytes: few enough bits that chance brings hashes near each other.
SHORT = st.lists(st.binary(min_size=2, max_size=2), max_size=40)


@given(SHORT, st.integers(0, 16))
def test_leaders_are_those_of_the_plain_definition(hashes, threshold):
    assert leaders(arrays(hashes), threshold) == plain_leaders(hashes, threshold)


@given(SHORT, st.integers(0, 16))
def test_members_are_near_and_leaders_far_apart(hashes, threshold):
    table = arrays(hashes)
    answers = leaders(table, threshold)
    for one, (leader, bits) in zip(table, answers, strict=True):
        assert distances(one, table[leader][None])[0] == bits <= threshold
        assert answers[leader] == (leader, 0)
    leading = sorted({leader for leader, _ in answers})
    for place, one in enumerate(leading):
        for other in leading[:place]:
            assert distances(table[one], table[other][None])[0] > threshold


@given(SHORT, st.integers(0, 16), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter_once_sorted(hashes, threshold, chance):
    preferred = sorted(enumerate(hashes), key=lambda pair: (pair[1], pair[0]))
    shuffled = list(enumerate(hashes))
    chance.shuffle(shuffled)
    shuffled.sort(key=lambda pair: (pair[1], pair[0]))
    answers = [leaders(arrays(h for _, h in order), threshold) for order in (preferred, shuffled)]
    assert answers[0] == answers[1]


def test_no_hashes_have_no_leaders():
    assert leaders([], 26) == []


def test_a_threshold_of_all_bits_makes_one_cluster():
    hashes = list(np.random.default_rng(0).integers(0, 256, (50, 32), dtype=np.uint8))
    assert {leader for leader, _ in leaders(hashes, BITS)} == {0}
