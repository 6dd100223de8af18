import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from animegan.losses import (
    adversarial_loss,
    colour_loss,
    content_loss,
    gram_matrix,
    stability_loss,
    style_loss,
    to_yuv,
    tv_loss,
)


def plain_gram(features):
    channels, height, width = features.shape
    gram = np.zeros((channels, channels))
    for one in range(channels):
        for other in range(channels):
            for row in range(height):
                for column in range(width):
                    gram[one, other] += features[one, row, column] * features[other, row, column]
    return gram / (height * width * channels)


def plain_huber(difference):
    size = np.abs(difference)
    return np.where(size <= 1, 0.5 * size**2, size - 0.5).mean()


def plain_yuv(picture):
    red, green, blue = (picture + 1) / 2
    return (
        0.299 * red + 0.587 * green + 0.114 * blue,
        -0.14714119 * red - 0.28886916 * green + 0.43601035 * blue,
        0.61497538 * red - 0.51496512 * green - 0.10001026 * blue,
    )


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def test_gram_matrix_equals_the_loops():
    features = random(2, 3, 4, 5)
    answer = gram_matrix(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(answer, [plain_gram(one) for one in features])


def test_style_loss_is_the_mean_distance_of_gram_matrices():
    one, other = random(1, 3, 4, 4), random(1, 3, 4, 5)[..., :4] * 2
    expected = np.abs(plain_gram(one[0]) - plain_gram(other[0])).mean()
    answer = style_loss(torch.from_numpy(one), torch.from_numpy(other))
    assert float(answer) == pytest.approx(expected)


def test_content_loss_is_the_mean_distance():
    one, other = random(2, 3, 4, 4), random(2, 3, 4, 5)[..., :4]
    answer = content_loss(torch.from_numpy(one), torch.from_numpy(other))
    assert float(answer) == pytest.approx(np.abs(one - other).mean())


def test_yuv_of_the_primaries_in_closed_form():
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)
    y, u, v = to_yuv(red).flatten().tolist()
    assert (y, u, v) == pytest.approx((0.299, -0.14714119, 0.61497538), abs=1e-6)


def test_gray_has_no_chroma():
    gray = torch.full((1, 3, 2, 2), 0.3)
    assert float(to_yuv(gray)[:, 1:].abs().max()) < 1e-6


@pytest.mark.parametrize("chroma", [1, 2.5, 0])
def test_colour_loss_equals_the_plain_formula(chroma):
    rng = np.random.default_rng(0)
    photo, painted = rng.uniform(-1, 1, (2, 3, 6, 4))
    ours = plain_yuv(painted)
    theirs = plain_yuv(photo)
    expected = np.abs(ours[0] - theirs[0]).mean() + chroma * (
        plain_huber(ours[1] - theirs[1]) + plain_huber(ours[2] - theirs[2])
    )
    answer = colour_loss(torch.from_numpy(photo)[None], torch.from_numpy(painted)[None], chroma)
    assert float(answer) == pytest.approx(expected)


def test_colour_loss_beyond_delta_is_linear_in_closed_form():
    # V goes from -0.615 to 0.615: a difference of 1.23, beyond Huber's delta.
    photo = torch.tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1)
    painted = -photo
    y, u, v = 0.299 - 0.701, 2 * -0.14714119, 2 * 0.61497538
    expected = abs(y) + 0.5 * u**2 + (v - 0.5)
    assert float(colour_loss(photo, painted)) == pytest.approx(expected, abs=1e-6)


def plain_tv(picture):
    batch, channels, height, width = picture.shape
    down = across = 0.0
    for one in picture.reshape(-1, height, width):
        for row in range(height):
            for column in range(width):
                if row + 1 < height:
                    down += (one[row + 1, column] - one[row, column]) ** 2
                if column + 1 < width:
                    across += (one[row, column + 1] - one[row, column]) ** 2
    down /= 2 * batch * channels * (height - 1) * width
    return down + across / (2 * batch * channels * height * (width - 1))


def test_total_variation_equals_the_loops():
    picture = random(2, 3, 5, 7)
    assert float(tv_loss(torch.from_numpy(picture))) == pytest.approx(plain_tv(picture))


def test_total_variation_of_a_ramp_in_closed_form():
    # Steps of 0.1 downwards and 0.3 across: 0.1² / 2 + 0.3² / 2.
    rows, columns = torch.arange(6.0).view(-1, 1), torch.arange(4.0).view(1, -1)
    ramp = (0.1 * rows + 0.3 * columns).expand(1, 3, 6, 4)
    assert float(tv_loss(ramp)) == pytest.approx(0.05)
    assert float(tv_loss(torch.full((1, 3, 8, 8), 0.7))) == 0


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("target", [1, 0.9, 0])
@pytest.mark.parametrize("logit", [0.5, 2.0, -1.0])
def test_adversarial_losses_in_closed_form(logit, target):
    logits = torch.full((2, 1, 2, 2), logit, dtype=torch.float64)
    assert float(adversarial_loss(logits, target)) == pytest.approx((logit - target) ** 2)
    log = -target * math.log(sigmoid(logit)) - (1 - target) * math.log(1 - sigmoid(logit))
    assert float(adversarial_loss(logits, target, "log")) == pytest.approx(log)


def test_an_adversarial_loss_is_the_mean_over_patches():
    logits = torch.tensor([[0.0, 1.0], [3.0, -1.0]]).view(1, 1, 2, 2)
    assert float(adversarial_loss(logits, 1)) == (1 + 0 + 4 + 4) / 4


def test_log_loss_is_finite_and_teaches_where_the_other_player_has_won():
    logits = torch.tensor([-200.0], requires_grad=True)
    loss = adversarial_loss(logits, 1, "log")
    loss.backward()
    assert loss.item() == pytest.approx(200)
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(-1)


def test_stability_is_the_mean_distance():
    one, other = (torch.from_numpy(random(2, 3, 4, n))[..., :4] for n in (4, 5))
    assert float(stability_loss(one, other)) == pytest.approx(float((one - other).abs().mean()))


TERMS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "content": content_loss,
    "gram": style_loss,
    "colour": partial(colour_loss, chroma=2),
    "tv": lambda _, painted: tv_loss(painted),
    "lsgan": lambda _, logits: adversarial_loss(logits, 1),
    "log": lambda _, logits: adversarial_loss(logits, 0.9, "log"),
    "stability": stability_loss,
}


@pytest.mark.parametrize("name", TERMS)
def test_the_mean_over_equal_parts_is_the_whole_batchs(name):
    a, b = (torch.from_numpy(random(4, 3, 6, n))[..., :6] for n in (6, 7))
    parts = [float(TERMS[name](*pair)) for pair in zip(a.chunk(2), b.chunk(2), strict=True)]
    assert float(TERMS[name](a, b)) == pytest.approx(sum(parts) / 2)
