import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animeprep import hamming
from animeprep.hamming import as_words, distances, near


def plain_pairs(some, others, threshold):
    return {
        (one, other, bits)
        for one, a in enumerate(some)
        for other, b in enumerate(others)
        if (bits := sum(int(x ^ y).bit_count() for x, y in zip(a, b, strict=True))) <= threshold
    }


def found_pairs(some, others, threshold):
    pairs = near(as_words(some), as_words(others), 8 * some.shape[1], threshold)
    return {pair for part in pairs for pair in zip(*(side.tolist() for side in part), strict=True)}


def relatives(seed, number, width, flipped):
    """Strings around a few others, so that some pairs are near."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (5, width), dtype=np.uint8)
    strings = centres[rng.integers(0, 5, number)]
    for row in strings:
        for _ in range(int(rng.integers(0, flipped + 1))):
            row[rng.integers(0, width)] ^= np.uint8(1 << rng.integers(0, 8))
    return strings


@given(
    st.binary(min_size=32, max_size=32), st.lists(st.binary(min_size=32, max_size=32), min_size=1)
)
def test_distances_count_differing_bits(one, others):
    plain = [(int.from_bytes(one) ^ int.from_bytes(other)).bit_count() for other in others]
    table = np.frombuffer(b"".join(others), np.uint8).reshape(-1, 32)
    assert distances(np.frombuffer(one, np.uint8), table).tolist() == plain


@pytest.mark.parametrize("looking", [True, False])
@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 99),
    width=st.sampled_from([1, 2, 8, 9, 16, 32]),
    threshold=st.integers(0, 30),
)
def test_all_near_pairs_are_found(looking, seed, width, threshold):
    some, others = (relatives(seed + part, 20, width, 12) for part in (0, 100))
    with pytest.MonkeyPatch.context() as patch:
        # Either way of looking is made to seem the cheaper one.
        patch.setattr(hamming, "_COMPARE", 1e9 if looking else 0.0)
        assert found_pairs(some, others, threshold) == plain_pairs(some, others, threshold)


def test_the_opposite_of_a_string_is_far():
    string = np.zeros((1, 32), np.uint8)
    assert not found_pairs(string, ~string, 255)
    assert found_pairs(string, ~string, 256) == {(0, 0, 256)}


def test_pieces_leave_no_near_pair_out():
    for bits, threshold in ((256, 26), (256, 40), (64, 8), (16, 3)):
        for number in range(1, threshold + 2):
            pieces = hamming._cut(bits, number, threshold)
            assert sum(piece.width for piece in pieces) == bits
            # A pair that no piece finds differs in radius + 1 bits of each.
            assert sum(piece.radius + 1 for piece in pieces) == threshold + 1


def test_parts_of_many_pairs_are_put_together(monkeypatch):
    monkeypatch.setattr(hamming, "_FOUND", 7)
    monkeypatch.setattr(hamming, "_LOOKS", 50)
    monkeypatch.setattr(hamming, "_COMPARE", 1e9)
    some, others = (relatives(seed, 60, 4, 6) for seed in (1, 1))
    assert found_pairs(some, others, 6) == plain_pairs(some, others, 6)


def test_nothing_is_near_nothing():
    strings = relatives(0, 3, 4, 2)
    assert not found_pairs(strings[:0], strings, 4)
    assert not found_pairs(strings, strings[:0], 4)
