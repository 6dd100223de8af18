import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from animegan.features import load_features
from animegan.models import DISCRIMINATORS, GENERATORS
from animegan.models.animegan import AnimeGANGenerator
from animegan.models.blocks import DownConv, DSConv, InstanceNorm, InvertedResidual, UpConv
from animegan.models.blocks import count_parameters as count
from animegan.models.discriminator import PatchDiscriminator


def test_the_generator_has_the_papers_parameters():
    assert count(AnimeGANGenerator()) == 3_956_096


def test_the_discriminator_has_the_papers_parameters():
    assert count(PatchDiscriminator()) == 1_128_800


def test_the_generators_parts_have_the_specified_parameters():
    # Layer by layer, from the table in the specification of the network.
    generator = AnimeGANGenerator()
    encoder = [count(part) for part in generator.encoder]
    decoder = [count(part) for part in generator.decoder]
    assert encoder == [1856, 36992, 2 * 9024, 147712, 17792, 2 * 34432, 590336]
    assert [count(part) for part in generator.bottleneck] == [269312] * 8
    assert decoder == [590336, 35328, 17792, 147712, 17792, 73856, 36992]
    assert count(generator.to_rgb) == 192


def test_no_convolution_has_a_bias():
    for build in (*GENERATORS.values(), *DISCRIMINATORS.values()):
        for module in build().modules():
            if isinstance(module, nn.Conv2d):
                assert module.bias is None


@pytest.mark.parametrize(("height", "width"), [(32, 32), (36, 64)])
def test_the_generator_keeps_size_and_range(height, width):
    with torch.inference_mode():
        painted = AnimeGANGenerator()(torch.rand(2, 3, height, width) * 2 - 1)
    assert painted.shape == (2, 3, height, width)
    assert painted.abs().max() <= 1


def test_the_discriminator_answers_a_logit_for_each_4x4_patch():
    logits = PatchDiscriminator()(torch.zeros(2, 3, 32, 48))
    assert logits.shape == (2, 1, 8, 12)


@pytest.mark.parametrize("learning", [True, False])
def test_instance_norm_is_torchs_instance_norm(learning):
    features = (torch.randn(3, 6, 9, 7) * 2 + 1).contiguous(memory_format=torch.channels_last)
    norm = InstanceNorm(6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    with torch.set_grad_enabled(learning):
        expected = functional.instance_norm(features, weight=norm.weight, bias=norm.bias, eps=1e-5)
        answer = norm(features)
    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-4)
    assert answer.is_contiguous(memory_format=torch.channels_last)


def test_dsconv_puts_nothing_between_its_two_convolutions():
    block = DSConv(4, 6)
    kinds = [type(module) for module in block]
    assert kinds == [nn.Conv2d, nn.Conv2d, InstanceNorm, nn.LeakyReLU]
    depthwise, pointwise = block[0], block[1]
    assert isinstance(depthwise, nn.Conv2d)
    assert isinstance(pointwise, nn.Conv2d)
    assert depthwise.groups == 4
    assert pointwise.kernel_size == (1, 1)


def test_reflection_pads_the_3x3_and_nothing_the_1x1():
    for module in AnimeGANGenerator().modules():
        if isinstance(module, nn.Conv2d):
            if module.kernel_size == (3, 3):
                assert (module.padding, module.padding_mode) == ((1, 1), "reflect")
            else:
                assert module.padding == (0, 0)


def test_down_conv_adds_a_strided_and_a_resized_branch():
    block = DownConv(3, 5)
    features = torch.randn(1, 3, 8, 12)
    halved = features.reshape(1, 3, 4, 2, 6, 2).mean(dim=(3, 5))
    expected = block.strided(features) + block.resized(halved)
    torch.testing.assert_close(block(features), expected)


def test_up_conv_doubles_the_size():
    assert UpConv(3, 5)(torch.zeros(1, 3, 4, 6)).shape == (1, 5, 8, 12)


def test_inverted_residual_adds_its_input():
    block = InvertedResidual(4)
    for parameter in block.project.parameters():
        nn.init.zeros_(parameter)
    features = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(block(features), features)


def test_initial_weights_are_as_the_authors():
    torch.manual_seed(0)
    # The largest convolutions of each, so that the spread is estimated well.
    original = PatchDiscriminator().get_parameter("layers.12.parametrizations.weight.original")
    depthwise = AnimeGANGenerator().get_parameter("bottleneck.0.depthwise.0.weight")
    for weight in (original, depthwise):
        assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_every_discriminator_convolution_has_spectral_norm_one():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator()
    for _ in range(30):
        discriminator(torch.zeros(1, 3, 8, 8))  # one power iteration each
    discriminator.eval()
    convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 7
    for convolution in convolutions:
        matrix = convolution.weight.detach().flatten(1)
        assert float(torch.linalg.matrix_norm(matrix, 2)) == pytest.approx(1, abs=0.1)


def test_vgg16_features_equal_the_reference(shared):
    reference = np.load(shared / "reference" / "vgg16_conv4_3.npz")
    picture = torch.from_numpy(reference["rgb"]).permute(2, 0, 1)[None].float() / 127.5 - 1
    answer = load_features("vgg16")(picture)[0].numpy()
    np.testing.assert_allclose(answer, reference["features"], atol=0.01, rtol=1e-4)


def test_vgg16_features_come_before_the_relu():
    picture = torch.rand(1, 3, 32, 32) * 2 - 1
    features = load_features("vgg16")(picture)
    assert features.shape == (1, 512, 4, 4)
    assert float(features.min()) < 0
