import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from animegan.faces import measures
from animegan.faces.looks import look
from animegan.faces.measures import accuracy, both, joint_distance, memorising, nearest
from animegan.faces.untrained import Untrained
from animegan.faces.words import EYES, HAIR, UNSAID, conditions


def test_right_answers_are_counted_and_those_for_others_words_beside():
    rng = np.random.default_rng(0)
    asked, seen = rng.integers(0, 5, 60), rng.integers(0, 7, 60)
    seen[::2] = asked[::2]
    found = accuracy(seen, asked, np.array([UNSAID, UNSAID, UNSAID, 2, 4, 2]))
    assert found.right.value == np.mean(seen == asked)
    assert found.right.low < found.right.value < found.right.high
    pairs = [seen[i] == asked[j] for i in range(60) for j in range(60) if i != j]
    assert found.shuffled == pytest.approx(np.mean(pairs))
    assert found.majority == np.mean(asked == 2)


def test_faces_of_which_nothing_is_asked_are_not_counted():
    asked = np.array([3, UNSAID, 1])
    assert accuracy(np.array([3, 0, 2]), asked, asked) == accuracy(
        np.array([3, 2]), asked[[0, 2]], asked
    )
    hair, eyes = np.array([2, UNSAID, 2]), np.array([3, 1, UNSAID])
    assert both(hair, eyes).tolist() == [2 * len(EYES) + 3, UNSAID, UNSAID]


def test_a_single_face_has_no_other_to_be_compared_with():
    found = accuracy(np.array([1]), np.array([1]), np.array([1]))
    assert (found.right.value, found.majority) == (1, 1)
    assert found.shuffled is None


def test_faces_at_half_the_distances_are_half_as_various():
    rng = np.random.default_rng(0)
    words = np.arange(40) % 8
    real = rng.normal(0, 1, (40, 6)) + 10 * words[:, None]
    half = real / 2 + 100
    found = measures.diversity(half, words, real, words)
    assert found is not None
    assert found == pytest.approx((0.5, 0.5, 0.5))
    same = measures.diversity(real[words], words, real, words)
    assert same is not None
    assert same.value == pytest.approx(0, abs=1e-6)
    assert measures.diversity(real[:4], words[:4], real, words) is None


def test_distances_of_a_group_are_between_its_pairs():
    points = np.array([[0.0, 0], [3, 4], [0, 0], [6, 8], [6, 8]])
    words = np.array([0, 0, UNSAID, 1, 1])
    assert measures._apart(points, words) == pytest.approx({0: 5, 1: 0})


def test_the_nearest_training_face_may_be_mirrored():
    train = np.array([[0.0, 0], [4, 0]])
    faces, mirrored = np.array([[1.0, 0], [9, 9]]), np.array([[9.0, 9], [4, 1]])
    found = nearest(faces, mirrored, train)
    assert found.distances == pytest.approx([1, 1])
    assert found.places.tolist() == [0, 1]


def test_the_nearest_is_the_same_in_any_number_of_parts(monkeypatch):
    rng = np.random.default_rng(0)
    faces, mirrored, train = (rng.normal(0, 1, (size, 3)) for size in (20, 20, 101))
    whole = nearest(faces, mirrored, train)
    plain = [min(np.linalg.norm(one - t) for t in train for one in pair)
             for pair in zip(faces, mirrored, strict=True)]  # fmt: skip
    assert whole.distances == pytest.approx(plain)
    monkeypatch.setattr(measures, "_PART", 10)
    parts = nearest(faces, mirrored, train)
    assert parts.places.tolist() == whole.places.tolist()
    assert parts.distances == pytest.approx(whole.distances)


def test_copies_are_told_from_new_faces():
    rng = np.random.default_rng(0)
    train, held_out, fresh = (rng.normal(0, 1, (200, 5)) for _ in range(3))
    usual = nearest(held_out, held_out, train).distances
    new = memorising(nearest(fresh, fresh, train).distances, usual)
    assert new.ratio.low < 1 < new.ratio.high
    assert new.nearer[5].low < 0.05 < new.nearer[5].high
    copied = memorising(nearest(train + 1e-3, train, train).distances, usual)
    assert copied.ratio.value < 0.01
    assert copied.nearer == dict.fromkeys(measures.PERCENTILES, (1, 1, 1))


def test_medians_of_counted_values():
    values = np.array([5.0, 1, 3])
    times = np.array([[1.0, 1, 1], [2, 0, 1], [0, 3, 1], [1, 1, 0]])
    assert measures._median(values, times).tolist() == [3, 5, 1, 1]


def _words(rng, count):
    hair, eyes = rng.integers(0, len(HAIR), count), rng.integers(0, len(EYES), count)
    return conditions(torch.from_numpy(hair), torch.from_numpy(eyes)).double().numpy()


@pytest.fixture(scope="module")
def faces():
    """Features that the words move, and the words: 600 faces of one source."""
    rng = np.random.default_rng(5)
    said = _words(rng, 600)
    return rng.normal(0, 1, (600, 40)) + said @ rng.normal(0, 1, (23, 40)), said


def test_two_halves_of_one_source_are_no_distance_apart(faces):
    features, said = faces
    found = joint_distance(features[::2], said[::2], features[1::2], said[1::2])
    assert found.low < 0 < found.high
    alone = measures.distance(features[::2], features[1::2])
    assert alone.low < 0 < alone.high


def test_what_is_wrong_with_faces_or_their_words_is_a_distance(faces):
    features, said = faces
    drawn, asked = features[::2], said[::2]
    rng = np.random.default_rng(1)
    spoilt = {
        "words": (drawn, rng.permutation(asked)),
        "harsh": (drawn * 1.6, asked),
        "dull": (drawn * 0.6, asked),
        "one": (np.repeat(drawn[:1], len(drawn), 0), asked),
    }
    right = joint_distance(drawn, asked, features[1::2], said[1::2])
    for name, (wrong, words) in spoilt.items():
        found = joint_distance(wrong, words, features[1::2], said[1::2])
        assert found.low > max(0, right.high), name


def test_only_the_joint_distance_sees_words_that_are_another_faces(faces):
    features, said = faces
    rolled = np.roll(said[::2], 1, 0)
    assert joint_distance(features[::2], rolled, features[1::2], said[1::2]).low > 0
    assert measures.distance(features[::2], features[1::2]).low < 0


def test_distances_know_no_unit(faces):
    features, said = faces
    one = joint_distance(features[::2], said[::2], features[1::2], said[1::2])
    scaled = 300 * features + 7
    other = joint_distance(scaled[::2], said[::2], scaled[1::2], said[1::2])
    assert other == pytest.approx(one)


def test_features_that_real_faces_never_show_are_bounded(faces):
    features, said = (part.copy() for part in faces)
    features[:, 0] = 0
    drawn = features[::2].copy()
    drawn[0, 0] = 1e9
    found = joint_distance(drawn, said[::2], features[1::2], said[1::2])
    assert np.isfinite(found).all()
    assert found.value < 1


def test_the_untrained_network_is_always_the_same_and_leaves_chance_alone():
    state = torch.random.get_rng_state()
    picture = torch.linspace(-1, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
    one, other = (Untrained().features(picture) for _ in range(2))
    assert torch.equal(one, other)
    assert one.shape == (2, 448)
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_untrained_network_sees_blur():
    rng = np.random.default_rng(0)
    pictures = rng.normal(0, 0.3, (80, 3, 64, 64)).astype(np.float32)
    blurred = np.stack([[cv2.blur(plane, (3, 3)) for plane in one] for one in pictures[:40]])
    network = Untrained()
    sharp, soft, other = (
        network.features(torch.from_numpy(some)).double().numpy()
        for some in (pictures[:40], blurred, pictures[40:])
    )
    assert measures.distance(sharp, other).low < 0
    assert measures.distance(soft, other).low > 1


class _Examiner:
    """Tells the mean of a face by its first two colours."""

    def see(self, faces):
        features = faces.mean((2, 3))
        hair, eyes = (((features[:, n] + 1) * 127.5).round().long() for n in (0, 1))
        return one_hot(hair, len(HAIR)), one_hot(eyes, len(EYES)), features


def test_looks_are_those_of_every_face_in_order():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 11, (250, 3), dtype=np.uint8)
    pictures = np.broadcast_to(colours[:, None, None], (250, 64, 64, 3))
    found = look(_Examiner(), pictures)
    assert found.hair.tolist() == colours[:, 0].tolist()
    assert found.eyes.tolist() == colours[:, 1].tolist()
    assert found.features == pytest.approx(colours / 127.5 - 1, abs=1e-6)
    assert found.all_features.shape == (250, 3 + 448)
    again = look(_Examiner(), pictures[7:8])
    assert again.untrained == pytest.approx(found.untrained[7:8], abs=1e-5)
