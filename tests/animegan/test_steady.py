import pytest
import torch

from animegan.models import GENERATORS
from animegan.models.norms import InstanceNorm, LayerNorm
from animegan.steady import Steady, survey


def generator_of(name):
    torch.manual_seed(1)
    generator = GENERATORS[name]().eval()
    for module in generator.modules():
        if isinstance(module, InstanceNorm | LayerNorm):
            torch.nn.init.normal_(module.weight, 1, 0.2)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    return generator


@pytest.mark.parametrize("name", ["animegan", "animeganv2", "animeganv2-lite", "cartoongan"])
def test_a_shot_of_one_picture_is_painted_as_the_picture_is(name):
    generator = generator_of(name)
    photo = torch.rand(1, 3, 64, 96) * 2 - 1
    with torch.inference_mode():
        steady = Steady(generator)
        painted = steady(photo, survey(generator, [photo]))
        torch.testing.assert_close(painted, generator(photo), atol=1e-4, rtol=0)


def test_what_stays_in_place_keeps_its_colour_when_something_comes_in_elsewhere():
    generator = generator_of("animeganv2-lite")
    before = torch.rand(1, 3, 64, 320) * 2 - 1
    after = before.clone()
    after[..., 256:] = 1.0
    with torch.inference_mode():
        norms = survey(generator, [before, after])
        one, other = (Steady(generator)(photo, norms)[..., :64] for photo in (before, after))
        alone, moved = (generator(photo)[..., :64] for photo in (before, after))
    assert torch.equal(one, other)
    assert not torch.allclose(alone, moved, atol=1e-3)


def test_statistics_are_averaged_over_pictures():
    norm = InstanceNorm(3)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    photos = [torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8) * 3]
    scale, shift = survey(norm, photos)
    mean = torch.stack([photo.mean((0, 2, 3)) for photo in photos]).mean(0)
    each = [photo.var((0, 2, 3), correction=0) for photo in photos]
    variance = torch.stack(each).mean(0)
    torch.testing.assert_close(scale, norm.weight.detach() / (variance + 1e-5).sqrt())
    torch.testing.assert_close(shift, norm.bias.detach() - mean * scale)


def test_weights_are_not_doubled():
    generator = generator_of("animeganv2-lite")
    own = {id(parameter) for parameter in generator.parameters()}
    assert {id(parameter) for parameter in Steady(generator).parameters()} <= own
