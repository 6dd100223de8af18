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


@pytest.mark.parametrize("width", [0, 1, 2, 7, 8, 9, 16, 24, 32, 40])
@pytest.mark.parametrize("number", [0, 1, 50])
def test_distances_of_any_width_and_layout(width, number):
    table = np.random.default_rng(width).integers(0, 256, (number, 2 * width + 1), dtype=np.uint8)
    one = np.random.default_rng(99).integers(0, 256, 2 * width, dtype=np.uint8)[::2]
    layouts = (table[:, 1 : width + 1], table[:, 1::2], np.asfortranarray(table[:, 1::2]))
    for others in (*layouts, layouts[0][::-2]):
        found = distances(one, others)
        assert found.dtype == np.int64
        plain = [sum(int(x ^ y).bit_count() for x, y in zip(one, row)) for row in others]  # noqa: B905 - of no width
        assert found.tolist() == plain


def test_distances_count_whole_words(monkeypatch):
    seen: list[int] = []
    count = np.bitwise_count

    def note(bits):
        seen.append(bits.dtype.itemsize)
        return count(bits)

    table = relatives(0, 9, 32, 5)
    monkeypatch.setattr(np, "bitwise_count", note)
    distances(table[0], table)
    distances(table[0, :9], table[:, :9])
    assert seen == [8, 1]


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


@pytest.mark.parametrize(("bits", "threshold"), [(256, 0), (256, 4), (256, 10), (64, 0), (64, 1)])
def test_more_pieces_than_may_differ_are_left_out(bits, threshold):
    for number in range(-(-bits // 22), 2 * -(-bits // 22) + 1):
        pieces = hamming._cut(bits, number, threshold)
        assert len(pieces) == min(number, threshold + 1)
        assert min(piece.radius for piece in pieces) >= 0
        assert sum(piece.radius + 1 for piece in pieces) == threshold + 1


def near_and_far(seed, bits):
    """Strings, and others that differ from one of them in 0 to 19 bits."""
    rng = np.random.default_rng(seed)
    some = rng.integers(0, 256, (300, bits // 8), dtype=np.uint8)
    flips = np.zeros((200, bits), bool)
    for number, row in enumerate(flips):
        row[rng.choice(bits, number % 20, replace=False)] = True
    return some, some[rng.integers(0, 300, 200)] ^ np.packbits(flips, axis=1)


@pytest.mark.parametrize("threshold", range(17))
@pytest.mark.parametrize("width", [8, 32])
def test_small_thresholds_compare_not_all(monkeypatch, width, threshold):
    def refuse(*given):
        raise AssertionError("all pairs are compared")

    some, others = near_and_far(threshold, 8 * width)
    apart = np.bitwise_count(some[:, None] ^ others).sum(axis=2)
    pairs = zip(*(part.tolist() for part in np.nonzero(apart <= threshold)), strict=True)
    expected = {(one, other, int(apart[one, other])) for one, other in pairs}
    assert {bits for _, _, bits in expected} == set(range(threshold + 1))
    assert found_pairs(some, others, threshold) == expected
    if threshold <= (10 if width == 32 else 1):
        assert hamming._pieces(40_000, 40_000, 8 * width, threshold)
        monkeypatch.setattr(hamming, "_COMPARE", 1e9)
        monkeypatch.setattr(hamming, "_compared", refuse)
        assert found_pairs(some, others, threshold) == expected


def test_few_strings_are_compared_rather_than_tables_laid_out():
    assert not hamming._pieces(20, 20, 256, 4)


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
