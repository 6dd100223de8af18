import numpy as np
import pytest
import torch

from animegan.losses import (
    adversarial_loss,
    colour_loss,
    content_loss,
    discriminator_terms,
    gram_matrix,
    style_loss,
    to_yuv,
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


def test_colour_loss_equals_the_plain_formula():
    rng = np.random.default_rng(0)
    photo, painted = rng.uniform(-1, 1, (2, 3, 6, 6))
    ours = plain_yuv(painted)
    theirs = plain_yuv(photo)
    expected = (
        np.abs(ours[0] - theirs[0]).mean()
        + plain_huber(ours[1] - theirs[1])
        + plain_huber(ours[2] - theirs[2])
    )
    answer = colour_loss(torch.from_numpy(photo)[None], torch.from_numpy(painted)[None])
    assert float(answer) == pytest.approx(expected)


def test_colour_loss_beyond_delta_is_linear_in_closed_form():
    # V goes from -0.615 to 0.615: a difference of 1.23, beyond Huber's delta.
    photo = torch.tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1)
    painted = -photo
    y, u, v = 0.299 - 0.701, 2 * -0.14714119, 2 * 0.61497538
    expected = abs(y) + 0.5 * u**2 + (v - 0.5)
    assert float(colour_loss(photo, painted)) == pytest.approx(expected, abs=1e-6)


def test_adversarial_loss_is_zero_where_the_discriminator_is_fooled():
    assert float(adversarial_loss(torch.ones(1, 1, 2, 2))) == 0
    assert float(adversarial_loss(torch.full((1, 1, 2, 2), 3.0))) == 4


def test_discriminator_terms_in_closed_form():
    logits = (torch.full((2, 1, 2, 2), value) for value in (0.5, 2.0, -1.0, 3.0))
    terms = {name: float(term) for name, term in discriminator_terms(*logits).items()}
    assert terms == {"real": 0.25, "fake": 4.0, "gray": 1.0, "smooth": 9.0}
