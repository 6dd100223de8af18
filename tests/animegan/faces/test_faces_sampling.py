from itertools import pairwise

import numpy as np
import pytest
import torch

from animegan.faces.arrange import STEPS, grid, interpolate, lay_out, strip, table
from animegan.faces.networks import FaceGenerator
from animegan.faces.prompts import gather
from animegan.faces.sampling import BATCH, Point, Sampler
from animegan.faces.words import EYES, HAIR, Words

CPU = torch.device("cpu")
BLUE, RED, GREEN = Words("blue", "red"), Words(None, "red"), Words("green", None)


def _generator(norm="batch"):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = FaceGenerator(noise=10, start=8, filters=4, norm=norm)
        for parameter in generator.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return generator


@pytest.fixture
def generator():
    return _generator()


@pytest.fixture
def sampler(generator):
    return Sampler(generator, CPU)


def test_a_face_is_the_same_whatever_else_is_drawn(sampler):
    many = sampler.faces([BLUE, RED, GREEN], BATCH + 3)
    assert many.shape == (3 * (BATCH + 3), 64, 64, 3)
    assert many.dtype == np.uint8
    green_first = sampler.faces([GREEN, BLUE], 2)
    alone = sampler.faces([BLUE], BATCH + 3)
    one = sampler.faces([GREEN], 1)
    np.testing.assert_array_equal(many[: BATCH + 3], alone)
    np.testing.assert_array_equal(many[2 * (BATCH + 3) :][:2], green_first[:2])
    np.testing.assert_array_equal(many[:2], green_first[2:])
    np.testing.assert_array_equal(one, green_first[:1])


def test_full_size_faces_too_are_the_same_in_any_company():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sampler = Sampler(FaceGenerator(start=256, filters=64), CPU)
    together = sampler.faces([BLUE, RED, GREEN], 3)
    for place, words in enumerate((BLUE, RED, GREEN)):
        np.testing.assert_array_equal(together[3 * place :][:1], sampler.faces([words], 1))


def test_seed_words_and_number_make_other_faces(generator, sampler):
    first, second = sampler.faces([BLUE], 2)
    (other_words,) = sampler.faces([Words("blue", "green")], 1)
    (other_seed,) = Sampler(generator, CPU, seed=1).faces([BLUE], 1)
    faces = [first, second, other_words, other_seed]
    assert len({face.tobytes() for face in faces}) == 4


def test_faces_are_what_the_network_draws(generator, sampler):
    points = [sampler.point(words, number) for words in (BLUE, RED) for number in range(3)]
    noise, condition = (torch.stack(part) for part in zip(*points, strict=True))
    with torch.no_grad():
        plain = generator.eval()(noise, condition).permute(0, 2, 3, 1).numpy()
    drawn = sampler.faces([BLUE, RED], 3)
    assert np.abs(drawn - (plain + 1) * 127.5).max() <= 0.51
    assert drawn.std() > 20


def test_points_are_normal_noise_and_conditions(sampler):
    points = [sampler.point(BLUE, number) for number in range(400)]
    noise = torch.stack([point.noise for point in points])
    assert abs(noise.mean()) < 0.05
    assert abs(noise.std() - 1) < 0.05
    assert points[0].condition.nonzero().ravel().tolist() == [8, 12 + 9]
    assert sampler.point(RED, 0).condition.nonzero().ravel().tolist() == [12 + 9]


def test_neither_statistics_nor_the_global_random_state_change(generator):
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    state = torch.get_rng_state()
    Sampler(generator.train(), CPU).faces([BLUE], 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


def test_a_grid_has_the_faces_of_its_prompts(sampler):
    made = grid(sampler, gather(["blue hair red eyes", "green hair"]), 3)
    assert made.labels == ["blue hair red eyes", "green hair"]
    assert made.columns == ["1", "2", "3"]
    drawn = list(sampler.draw(point for row in made.rows for point in row))
    np.testing.assert_array_equal(drawn, sampler.faces([BLUE, GREEN], 3))


def test_a_table_differs_in_words_alone(sampler):
    made = table(sampler)
    assert (len(made.rows), len(made.rows[0])) == (12, 11)
    assert (made.labels, made.columns) == (list(HAIR), list(EYES))
    points = [point for row in made.rows for point in row]
    assert all(torch.equal(point.noise, points[0].noise) for point in points)
    for hair, row in enumerate(made.rows):
        for eyes, point in enumerate(row):
            assert point.condition.nonzero().ravel().tolist() == [hair, 12 + eyes]


def test_noise_moves_on_the_circle():
    first, last = (
        Point(torch.eye(4)[0] * 3, torch.eye(3)[0]),
        Point(torch.eye(4)[1] * 3, torch.eye(3)[2]),
    )
    half = interpolate(first, last, 0.5)
    torch.testing.assert_close(half.noise, torch.tensor([3 / 2**0.5, 3 / 2**0.5, 0, 0]))
    torch.testing.assert_close(half.condition, torch.tensor([0.5, 0, 0.5]))
    third = interpolate(first, last, 1 / 3)
    torch.testing.assert_close(third.noise, torch.tensor([3 * 0.75**0.5, 1.5, 0, 0]))


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_noise_without_a_circle_moves_straight(factor):
    noise = torch.arange(1.0, 5)
    moved = interpolate(Point(noise, noise), Point(factor * noise, noise), 0.25)
    torch.testing.assert_close(moved.noise, (0.75 + 0.25 * factor) * noise)


def test_a_strip_of_words(sampler):
    made = strip(sampler, gather(["blue hair red eyes", "green hair"]), 2)
    assert [len(row) for row in made.rows] == [STEPS, STEPS]
    for row in made.rows:
        for point in row:
            torch.testing.assert_close(point.noise, row[0].noise)
        steps = [after.condition - before.condition for before, after in pairwise(row)]
        for step in steps:
            torch.testing.assert_close(step, steps[0])
        torch.testing.assert_close(row[-1].condition, sampler.point(GREEN, 0).condition)
    assert not torch.equal(made.rows[0][0].noise, made.rows[1][0].noise)


def test_a_strip_of_words_and_noise_leads_from_face_to_face(sampler):
    made = strip(sampler, gather(["blue hair red eyes", "green hair"]), 2, move_noise=True)
    ends = [point for row in made.rows for point in (row[0], row[-1])]
    expected = [sampler.point(words, number) for number in (0, 1) for words in (BLUE, GREEN)]
    for end, face in zip(ends, expected, strict=True):
        torch.testing.assert_close(end.noise, face.noise)
        torch.testing.assert_close(end.condition, face.condition)


def test_a_strip_of_one_prompt_leads_from_face_to_face(sampler):
    made = strip(sampler, gather(["green hair"]), 2)
    for number, row in enumerate(made.rows):
        torch.testing.assert_close(row[0].noise, sampler.point(GREEN, number).noise)
        torch.testing.assert_close(row[-1].noise, sampler.point(GREEN, number + 1).noise)
        assert all(torch.equal(point.condition, row[0].condition) for point in row)


def test_each_face_is_in_its_place(sampler):
    made = grid(sampler, gather(["blue hair", "green hair"]), 3)
    faces = [np.full((64, 64, 3), 10 * place + 5, np.uint8) for place in range(6)]
    plain = lay_out(made, faces, plain=True)
    assert plain.shape == (128, 192, 3)
    assert plain[::64, ::64, 0].tolist() == [[5, 15, 25], [35, 45, 55]]
    labelled = lay_out(made, faces)
    left = labelled.shape[1] - 3 * 70 + 6
    assert labelled.shape[0] == 24 + 2 * 70
    assert labelled[24 + 32 :: 70, left + 32 :: 70, 0].tolist() == [[5, 15, 25], [35, 45, 55]]
    assert labelled[24:, : left - 6].min() < 100  # letters
