"""The losses of faces against a plain reference, and the identities of the gradient penalty."""

import pytest
import torch
from torch import nn

from animegan.faces.batches import FaceBatch, FaceBatches, Spoken
from animegan.faces.classifiers import ColourClassifier
from animegan.faces.networks import FaceCritic
from animegan.faces.objective import FaceObjective, Pair, between, gradient_penalty, negatives
from animegan.faces.recipe import FaceRecipe
from animegan.faces.words import EYES, HAIR
from benchmarks.plain_faces import critic_loss, generator_loss, penalty
from tests.animegan.faces.drawing import drawn_faces

CPU = torch.device("cpu")


def randoms():
    return torch.Generator().manual_seed(3)


@pytest.fixture(scope="module")
def batch():
    return next(FaceBatches(drawn_faces(40), FaceRecipe(batch=6), CPU))


@pytest.fixture(scope="module")
def drawn():
    return torch.rand(6, 3, 64, 64, generator=randoms()) * 2 - 1


@pytest.fixture(scope="module")
def critic():
    torch.manual_seed(0)
    critic = FaceCritic(4)
    # Slopes of another length than the first weights', which are nearly none.
    critic.head.weight.data *= 20
    return critic


@pytest.fixture(scope="module")
def classifiers():
    torch.manual_seed(1)
    return {"hair": ColourClassifier(len(HAIR)), "eyes": ColourClassifier(len(EYES))}


def objective(critic, classifiers, **settings):
    return FaceObjective(FaceRecipe(**settings), critic, classifiers)


def test_the_critics_loss_is_that_of_a_plain_script(critic, classifiers, batch, drawn):
    found = objective(critic, classifiers, penalty_pairs="each").critic_terms(
        batch, drawn, randoms()
    )
    epsilons = torch.rand(18, generator=randoms()).chunk(3)
    expected = critic_loss(critic, batch, drawn, epsilons)
    assert found["d"].item() == pytest.approx(expected.item(), rel=1e-4)
    ours, theirs = (
        torch.autograd.grad(loss, list(critic.parameters()), retain_graph=True)
        for loss in (found["d"], expected)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-6 + 1e-4 * float(other.abs().max()))


def test_the_generators_loss_is_that_of_a_plain_script(critic, classifiers, batch, drawn):
    found = objective(critic, classifiers, hair=2, eyes=3).generator_terms(batch.real, drawn)
    expected = generator_loss(critic, classifiers, batch.real, drawn, (2, 3))
    assert found["g"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_between_moves_picture_and_words_alike():
    first, second = torch.eye(23)[:2]
    positive = Pair(torch.ones(1, 3, 64, 64), first[None])
    negative = Pair(torch.zeros(1, 3, 64, 64), second[None])
    point = between(positive, negative, torch.tensor([0.25]))
    assert point.picture.unique().tolist() == [0.25]
    assert point.condition[0, :3].tolist() == [0.25, 0.75, 0]


def test_each_kind_of_negatives_moves_what_is_wrong_of_it(batch, drawn):
    positive = Pair(batch.real.picture, batch.real.condition)
    for kind, negative in negatives(batch, drawn).items():
        point = between(positive, negative, torch.full((6,), 0.5))
        assert torch.equal(point.picture, positive.picture) == (kind == "wrong_words")
        assert torch.equal(point.condition, positive.condition) == (kind != "wrong_words")


def test_the_wrong_words_are_wrong(batch):
    assert (batch.real.condition != batch.other.condition).any(1).all()


class Linear(nn.Module):
    """D(x, c) = 3 x₀ + 4 c₀, whose gradient is 5 long, and 3 of the picture alone."""

    def forward(self, picture, condition):
        return 3 * picture[:, 0, 0, 0] + 4 * condition[:, 0]


def test_the_penalty_is_of_picture_and_words_or_of_the_picture():
    pair = Pair(torch.rand(2, 3, 64, 64), torch.rand(2, 23))
    assert gradient_penalty(Linear(), pair).tolist() == pytest.approx([16, 16])
    assert gradient_penalty(Linear(), pair, of_words=False).tolist() == pytest.approx([4, 4])


def test_the_penalty_pulls_at_the_critic(critic, batch, drawn):
    positive = Pair(batch.real.picture, batch.real.condition)
    negative = negatives(batch, drawn)["fake"]
    epsilon = torch.rand(6, generator=randoms())
    ours = gradient_penalty(critic, between(positive, negative, epsilon)).mean()
    theirs = penalty(critic, positive, negative, epsilon)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-4)
    (pull,) = torch.autograd.grad(ours, critic.first.weight)
    assert float(pull.abs().max()) > 0


class Bent(nn.Module):
    """D(x, c) = 3 [x₀]₊ + 5 [-x₀]₊ + 9 [c₁]₊; remembers where its gradient is asked for."""

    def forward(self, picture, condition):
        if picture.requires_grad:
            self.point = Pair(picture.detach(), condition.detach())
        level = picture[:, 0, 0, 0]
        return 3 * level.relu() + 5 * (-level).relu() + 9 * condition[:, 1].relu()


@pytest.fixture(scope="module")
def plain():
    """Faces of one pixel: x₀ is 0 of real, -1 of other and 1 of drawn ones, x₁ the face's number.

    The words are c₀ with real and c₁ with other faces.
    """
    count = 10_000
    pictures = torch.zeros(3, count, 3, 1, 1)
    pictures[:, :, 0, 0, 0] = torch.tensor([0.0, -1, 1])[:, None]
    pictures[:, :, 1, 0, 0] = torch.arange(count)
    first, second = torch.eye(23)[:2, None].expand(-1, count, -1)
    nothing = torch.full((count,), -1)
    real, other = (
        Spoken(picture, words, nothing, nothing)
        for picture, words in zip(pictures, (first, second), strict=False)
    )
    return FaceBatch(real, other), pictures[2]


@pytest.mark.parametrize(
    ("settings", "each"),
    [
        ({}, (4 + 64 + 16) / 3),
        ({"fake": 2}, (2 * 4 + 64 + 16) / 4),
        ({"fake": 8, "wrong_words": 0}, (8 * 4 + 16) / 9),
    ],
)
def test_the_penalty_weighs_kinds_by_share(plain, settings, each):
    """Slopes are 3 for drawn faces, 9 for wrong words and 5 for wrong faces."""

    def found(pairs):
        made = objective(Bent(), {}, penalty_pairs=pairs, **settings)
        return made.critic_terms(*plain, randoms())["penalty"].item()

    assert found("each") == pytest.approx(each)
    assert found("fake") == pytest.approx(4)
    # The mean of 10,000 draws, whose deviation is 26 at most.
    assert found("drawn") == pytest.approx(each, abs=1)


@pytest.mark.parametrize(("pairs", "kinds"), [("drawn", 1), ("each", 3), ("fake", 1)])
def test_the_penalty_lies_between_a_face_and_its_own_negatives(plain, pairs, kinds):
    critic = Bent()
    objective(critic, {}, penalty_pairs=pairs).critic_terms(*plain, randoms())
    picture, words = critic.point.picture[:, :, 0, 0], critic.point.condition
    assert torch.equal(picture[:, 1], torch.arange(10_000.0).repeat(kinds))
    assert torch.allclose(words.sum(1), torch.ones(len(words)))
    moved = torch.stack((picture[:, 0], -picture[:, 0], words[:, 1]))
    # One of the three moves for each face, by as much as its ε says.
    assert torch.equal((moved > 0).sum(0), torch.ones(len(words)))
    assert moved.amax(0).mean().item() == pytest.approx(0.5, abs=0.02)


def test_negatives_together_weigh_as_much_as_the_positive(classifiers, batch, drawn):
    class Count(nn.Module):
        """Scores: 4 for real faces, 1 for others."""

        def forward(self, picture, condition):
            del condition
            return 1 + 3.0 * torch.stack([(picture == face).all((1, 2, 3))
                                          for face in batch.real.picture]).any(0)  # fmt: skip

    def loss(**settings):
        made = objective(Count(), classifiers, penalty=0, **settings)
        return made.critic_terms(batch, drawn, randoms())["d"].item()

    # The others' faces may be among the real ones; the batch of the test has none.
    assert loss(wrong_face=0) == pytest.approx((1 + 4) / 2 - 4)
    assert loss(wrong_face=0, fake=3) == pytest.approx((3 * 1 + 4) / 4 - 4)
    assert loss(wrong_face=0, combine="max") == pytest.approx(4 - 4)
    assert loss(wrong_face=0, wrong_words=0) == pytest.approx(1 - 4)


def test_faces_of_which_nothing_is_said_teach_no_colour(critic, classifiers, batch, drawn):
    unsaid = torch.full((6,), -1)
    words = type(batch.real)(batch.real.picture, batch.real.condition, unsaid, batch.real.eyes)
    terms = objective(critic, classifiers).generator_terms(words, drawn)
    assert terms["hair"].item() == 0
    assert terms["eyes"].item() > 0


def test_without_classifiers_there_is_no_cross_entropy(critic, batch, drawn):
    terms = objective(critic, {}, hair=0, eyes=0).generator_terms(batch.real, drawn)
    assert terms.keys() == {"adversarial", "g"}
    assert terms["g"].item() == terms["adversarial"].item()
