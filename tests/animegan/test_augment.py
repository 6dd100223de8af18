import numpy as np
import pytest
import torch

from animegan.augment import HOLE, NOISE, SHIFT, diffaugment, generator_of, noisy

KEYS: list[tuple[int, ...]] = [(0, 1, place) for place in range(64)]


def plain(picture, draws):
    """The same, pixel by pixel."""
    height, width = picture.shape[1:]
    down = round((2 * draws[0] - 1) * SHIFT * height)
    right = round((2 * draws[1] - 1) * SHIFT * width)
    middle_y, middle_x = int(draws[2] * height), int(draws[3] * width)
    out = np.zeros_like(picture)
    for row in range(height):
        for column in range(width):
            top, left = middle_y - height // 4, middle_x - width // 4
            if top <= row < top + height // 2 and left <= column < left + width // 2:
                continue
            if 0 <= row - down < height and 0 <= column - right < width:
                out[:, row, column] = picture[:, row - down, column - right]
    return out


def test_random_numbers_are_a_function_of_their_key():
    def draw(*key):
        return torch.rand(8, generator=generator_of(*key)).tolist()

    assert draw(3, 1, 2) == draw(3, 1, 2)
    different = [draw(3, 1, 2), draw(3, 2, 1), draw(2, 3, 1), draw(3, 1), draw(3, 1, 2, 0)]
    assert len({tuple(numbers) for numbers in different[:4]}) == 4


def test_shifts_and_holes_equal_the_loops():
    pictures = torch.rand(8, 3, 16, 24) + 1
    answer = diffaugment(pictures, KEYS[:8])
    assert answer.shape == pictures.shape
    for picture, key, changed in zip(pictures, KEYS, answer, strict=False):
        draws = torch.rand(4, generator=generator_of(*key)).tolist()
        np.testing.assert_array_equal(changed.numpy(), plain(picture.numpy(), draws))


def test_shifts_reach_their_bounds_and_holes_all_places():
    # A ramp tells where each pixel came from.
    ramp = torch.arange(1.0, 17).view(1, 1, 16, 1).expand(64, 3, 16, 16)
    rows = torch.arange(1.0, 17).view(1, 1, 16, 1)
    changed = diffaugment(ramp, KEYS)
    shifts = torch.where(changed > 0, rows - changed, torch.nan)[:, 0]
    found = {int(shift) for shift in shifts[~shifts.isnan()].unique()}
    assert found == {-2, -1, 0, 1, 2}
    assert (changed == 0).any(0).all()
    assert ((changed > 0).flatten(1).float().mean(1) < 1 - HOLE**2 / 4 + 1e-6).all()


def test_colours_are_left_as_they_are():
    red = torch.tensor([1.0, -0.5, 0.25]).view(1, 3, 1, 1).expand(4, 3, 16, 16)
    for colour in diffaugment(red, KEYS[:4]).permute(0, 2, 3, 1).reshape(-1, 3).unique(dim=0):
        assert colour.tolist() in ([1.0, -0.5, 0.25], [0.0, 0.0, 0.0])


def test_gradients_flow_to_the_pixels_that_are_left():
    pictures = torch.rand(4, 3, 16, 16).add(1).requires_grad_()
    changed = diffaugment(pictures, KEYS[:4])
    changed.sum().backward()
    assert pictures.grad is not None
    assert set(pictures.grad.unique().tolist()) == {0.0, 1.0}
    assert float(pictures.grad.sum()) == float((changed != 0).sum())


def test_a_picture_is_changed_alike_alone_and_among_others():
    pictures = torch.rand(6, 3, 16, 16)
    for change in (diffaugment, noisy):
        whole = change(pictures, KEYS[:6])
        parts = [change(pictures[:4], KEYS[:4]), change(pictures[4:], KEYS[4:6])]
        assert torch.equal(whole, torch.cat(parts))


def test_noise_is_normal_and_small():
    noise = noisy(torch.zeros(8, 3, 64, 64), KEYS[:8]) / NOISE
    assert float(noise.mean()) == pytest.approx(0, abs=0.01)
    assert float(noise.std()) == pytest.approx(1, abs=0.01)
    assert not torch.equal(noise[0], noise[1])
