"""The report's classifiers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from animegan.augment import generator_of
from animegan.errors import TrainingError
from animegan.faces.classifiers import ColourClassifier, ColourClassifiers, train_classifier
from animegan.faces.learning import CPU, Schedule, balance, learn, mirrored, new
from animegan.faces.words import EYES, HAIR, UNSAID
from animegan.models.blocks import count_parameters
from animegan.tensors import to_batch
from tests.animegan.faces.drawing import drawn_faces

SHORT = Schedule(passes=2, batch=16, rate=1e-3, decay=0.1)
FEW = ("red", "blue", "green", "black")


@pytest.mark.parametrize(("colours", "parameters"), [(HAIR, 85_484), (EYES, 84_971)])
def test_it_has_the_reports_parameters(colours, parameters):
    assert count_parameters(ColourClassifier(len(colours))) == parameters


def test_it_is_the_reports_network():
    """Against the report's table, layer by layer."""
    network = new(lambda: ColourClassifier(12), 0, CPU)
    layers: list[nn.Module] = []
    for layer in network.layers:
        layers += [layer, nn.LeakyReLU(0.2)]
    pictures = torch.randn(2, 3, 64, 64, generator=generator_of(1))
    plain = nn.Sequential(*layers, nn.Flatten(), network.head)(pictures)
    torch.testing.assert_close(network(pictures), plain)
    for layer in network.layers:
        assert isinstance(layer, nn.Conv2d)
        assert (*layer.kernel_size, *layer.stride, layer.out_channels) == (5, 5, 2, 2, 32)


def test_both_answer_about_one_face():
    of_hair, of_eyes = ColourClassifiers()(torch.zeros(2, 3, 64, 64))
    assert (of_hair.shape, of_eyes.shape) == ((2, 12), (2, 11))


def test_it_learns_drawn_faces():
    """One in four is chance."""
    schedule = Schedule(passes=6, batch=16, rate=2e-3, decay=0.1)
    network = train_classifier(drawn_faces(96, hair=FEW), "hair", schedule=schedule)
    unseen = drawn_faces(64, seed=1, hair=FEW)
    given = network(to_batch(torch.from_numpy(unseen.pictures), CPU)).argmax(1).numpy()
    assert not network.training
    assert (given == unseen.hair).mean() > 0.9


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_randomness():
    faces = drawn_faces(32)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = train_classifier(faces, "eyes", 3, schedule=SHORT).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again = train_classifier(faces, "eyes", 3, schedule=SHORT).state_dict()
    other = train_classifier(faces, "eyes", 4, schedule=SHORT).state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_faces_of_which_nothing_is_said_teach_nothing():
    faces = drawn_faces(40)
    hair = faces.hair.copy()
    hair[::3] = UNSAID
    said = np.flatnonzero(hair != UNSAID)
    some = train_classifier(replace(faces, hair=hair), "hair", schedule=SHORT).state_dict()
    only = train_classifier(faces.take(said), "hair", schedule=SHORT).state_dict()
    assert all(torch.equal(some[name], only[name]) for name in some)


def test_nothing_said_at_all_is_told():
    faces = drawn_faces(4)
    with pytest.raises(TrainingError, match="no face says a colour of eyes"):
        train_classifier(replace(faces, eyes=np.full(4, UNSAID)), "eyes", schedule=SHORT)


def test_a_colour_without_faces_does_no_harm():
    faces = drawn_faces(32, eyes=tuple(colour for colour in EYES if colour != "gray"))
    network = train_classifier(faces, "eyes", schedule=SHORT)
    logits = network(to_batch(torch.from_numpy(faces.pictures), CPU))
    assert logits.isfinite().all()
    assert (logits.argmax(1) != EYES.index("gray")).all()


def test_balance_makes_colours_count_alike():
    """The weighted loss of faces is the mean over colours of the mean loss of each."""
    places = torch.tensor([0] * 6 + [1] * 3 + [3])
    logits = torch.randn(10, 4, generator=generator_of(0))
    losses = functional.cross_entropy(logits, places, reduction="none")
    by_colour = torch.stack([losses[places == place].mean() for place in (0, 1, 3)])
    weighted = functional.cross_entropy(logits, places, balance(places, 4))
    torch.testing.assert_close(weighted, by_colour.mean())


def test_a_common_colour_is_not_believed_for_being_common():
    """One picture under two names, one 15 times as often: either may be right.

    Where all faces counted alike it would soon be less than one to three for the rare name.
    """
    faces = drawn_faces(1).take(np.zeros(16, np.int64))
    faces = replace(faces, hair=np.array([0] * 15 + [1]))
    schedule = Schedule(passes=12, batch=16, rate=1e-3, decay=0.1)
    network = train_classifier(faces, "hair", schedule=schedule)
    logits = network(to_batch(torch.from_numpy(faces.pictures[:1]), CPU))[0]
    assert logits[:2].softmax(0).tolist() == pytest.approx([0.5, 0.5], abs=0.2)


def test_half_of_the_pictures_are_mirrored():
    pictures = torch.randn(400, 3, 4, 4, generator=generator_of(0))
    turned = mirrored(pictures, generator_of(1))
    same = (turned == pictures).flatten(1).all(1)
    assert 150 < int(same.sum()) < 250
    assert torch.equal(turned[~same], pictures[~same].flip(3))


def test_every_pass_sees_every_face_once():
    seen = []
    network = nn.Linear(1, 1)

    def loss(some, random):
        seen.append(some)
        return network(torch.ones(1)).sum()

    learn(network, 10, loss, Schedule(passes=2, batch=4, rate=0.1, decay=0), 0)
    assert [len(some) for some in seen] == [4, 3, 3] * 2
    orders = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert (orders[0] != orders[1]).any()
