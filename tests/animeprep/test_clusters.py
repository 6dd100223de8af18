import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animeprep import clusters
from animeprep.clusters import leaders
from animeprep.hamming import distances


def plain_leaders(hashes, threshold, protected=()):
    """By the definition, one hash after the other."""
    leading: list[int] = []
    table = np.empty_like(hashes)
    answers: list[tuple[int, int]] = []
    for place, one in enumerate(hashes):
        apart = distances(one, table[: len(leading)])
        near = int(apart.argmin()) if len(apart) else 0
        if not leading or place in protected or apart[near] > threshold:
            table[len(leading)] = one
            leading.append(place)
            answers.append((place, 0))
        else:
            answers.append((leading[near], int(apart[near])))
    return answers


def tables(width, most):
    return st.lists(st.binary(min_size=width, max_size=width), min_size=1, max_size=most).map(
        lambda rows: np.frombuffer(b"".join(rows), np.uint8).reshape(-1, width)
    )


# Two bytes: few enough bits that chance brings hashes near each other.
@settings(deadline=None)
@given(
    tables(2, 40), st.integers(0, 16), st.sets(st.integers(0, 39)), st.sampled_from([1, 4, 2048])
)
def test_leaders_are_those_of_the_plain_loop(hashes, threshold, protected, few):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clusters, "_FEW", few)
        chosen = sorted(place for place in protected if place < len(hashes))
        assert leaders(hashes, threshold, chosen) == plain_leaders(hashes, threshold, chosen)


def families(seed, number, centres, flipped, width=32):
    """Hashes around some others, as those of held drawings are."""
    rng = np.random.default_rng(seed)
    around = rng.integers(0, 256, (centres, width), dtype=np.uint8)
    hashes = around[rng.integers(0, centres, number)]
    for _ in range(flipped):
        rows = np.flatnonzero(rng.random(number) < 0.5)
        bits = np.uint8(1) << rng.integers(0, 8, len(rows)).astype(np.uint8)
        hashes[rows, rng.integers(0, width, len(rows))] ^= bits
    return hashes


@pytest.mark.parametrize("centres", [1, 40, 800])
@pytest.mark.parametrize(("threshold", "flipped"), [(0, 1), (16, 30), (26, 30), (40, 60)])
def test_thousands_cluster_as_in_the_plain_loop(centres, threshold, flipped, monkeypatch):
    monkeypatch.setattr(clusters, "_FEW", 256)
    hashes = families(centres, 2000, centres, flipped)
    chosen = range(7, 2000, 97)
    assert leaders(hashes, threshold, chosen) == plain_leaders(hashes, threshold, chosen)


@pytest.mark.parametrize("threshold", [2, 8])
def test_short_hashes_cluster_as_in_the_plain_loop(threshold):
    hashes = families(3, 3000, 300, 12, width=8)
    assert leaders(hashes, threshold) == plain_leaders(hashes, threshold)


def test_hashes_that_share_most_bits_cluster_as_in_the_plain_loop():
    # As of letterboxed pictures: 200 of 256 bits are the same for all.
    hashes = np.random.default_rng(5).integers(0, 256, (3000, 32), dtype=np.uint8)
    hashes[:, :25] = 0b10100000
    assert leaders(hashes, 20) == plain_leaders(hashes, 20)


@settings(deadline=None)
@given(tables(2, 40), st.integers(0, 16))
def test_members_are_near_and_leaders_far_apart(hashes, threshold):
    answers = leaders(hashes, threshold)
    for one, (leader, bits) in zip(hashes, answers, strict=True):
        assert distances(one, hashes[leader][None])[0] == bits <= threshold
        assert answers[leader] == (leader, 0)
    leading = sorted({leader for leader, _ in answers})
    for place, one in enumerate(leading):
        for other in leading[:place]:
            assert distances(hashes[one], hashes[other][None])[0] > threshold


@settings(deadline=None)
@given(tables(2, 40), st.integers(0, 16), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter_once_sorted(hashes, threshold, chance):
    shuffled = list(hashes)
    chance.shuffle(shuffled)
    answers = [
        leaders(sorted(rows, key=lambda row: row.tobytes()), threshold)
        for rows in (hashes, shuffled)
    ]
    assert answers[0] == answers[1]


def test_a_repeat_of_a_member_joins_a_nearer_leader_that_came_since():
    first, member, nearer = 0b0000_0000, 0b0000_0111, 0b0000_1111
    hashes = np.array([[first], [member], [nearer], [member]], np.uint8)
    assert leaders(hashes, 3) == [(0, 0), (0, 3), (2, 0), (2, 1)]


def test_those_chosen_by_hand_lead_even_when_they_are_the_same():
    hashes = np.zeros((4, 8), np.uint8)
    assert leaders(hashes, 5, protected=[2]) == [(0, 0), (0, 0), (2, 0), (0, 0)]


def test_no_hashes_have_no_leaders():
    assert leaders([], 26) == []


def test_a_threshold_of_all_bits_makes_one_cluster():
    hashes = np.random.default_rng(0).integers(0, 256, (50, 32), dtype=np.uint8)
    assert {leader for leader, _ in leaders(hashes, 256)} == {0}
