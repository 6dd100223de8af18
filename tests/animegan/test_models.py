import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from animegan.features import load_features
from animegan.models import DISCRIMINATORS, GENERATORS
from animegan.models.animegan import (
    AnimeGANGenerator,
    DownConv,
    DSConv,
    InvertedResidual,
    UpConv,
)
from animegan.models.animegan_v2 import AnimeGANv2Generator, ConvLNLReLU
from animegan.models.blocks import count_parameters as count
from animegan.models.cartoongan import CartoonGANGenerator
from animegan.models.discriminator import PatchDiscriminator
from animegan.models.norms import InstanceNorm, LayerNorm

PARAMETERS = {
    "animegan": 3_956_096,
    "animeganv2": 2_143_552,
    "animeganv2-lite": 698_240,
    "cartoongan": 11_124_352,
    "animegan-tf": 3_956_096,
    "animeganv2-aligned": 2_143_552,
    "animeganv2-tf": 2_143_552,
    "animeganv2-lite-tf": 698_240,
    "cartoongan-authors": 11_129_667,
}


@pytest.fixture(scope="module")
def outlines():
    """All networks without values: generators, discriminators."""
    with torch.device("meta"):
        return (
            {name: build() for name, build in GENERATORS.items()},
            {name: build() for name, build in DISCRIMINATORS.items()},
        )


def test_every_generator_has_the_published_parameters(outlines):
    assert {name: count(network) for name, network in outlines[0].items()} == PARAMETERS


def test_every_discriminator_has_the_published_parameters(outlines):
    names = ("animegan", "animeganv2", "cartoongan")
    counts = {name: count(network) for name, network in outlines[1].items()}
    assert counts == dict.fromkeys(names, 1_128_800)


def test_generator_and_discriminator_of_cartoongan_make_the_published_12_million():
    assert PARAMETERS["cartoongan"] + 1_128_800 == 12_253_152


def test_the_generators_parts_have_the_specified_parameters():
    # Layer by layer, from the table in the specification of the network.
    generator = AnimeGANGenerator()
    encoder = [count(part) for part in generator.encoder]
    decoder = [count(part) for part in generator.decoder]
    assert encoder == [1856, 36992, 2 * 9024, 147712, 17792, 2 * 34432, 590336]
    assert [count(part) for part in generator.bottleneck] == [269312] * 8
    assert decoder == [590336, 35328, 17792, 147712, 17792, 73856, 36992]
    assert count(generator.to_rgb) == 192


def biases(network):
    return [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None
    ]


def test_only_the_depthwise_convolutions_of_v2_and_the_cartoongan_authors_have_biases(outlines):
    depthwise = [f"block_c.{number}.layers.1.1" for number in range(1, 5)]
    found = {name: biases(network) for name, network in outlines[0].items()}
    assert len(found.pop("cartoongan-authors")) == 26
    for name, places in found.items():
        assert places == (depthwise if name.startswith("animeganv2") and "lite" not in name else [])
    assert not [place for network in outlines[1].values() for place in biases(network)]


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_keeps_size_and_range(name):
    generator = GENERATORS[name]()
    sizes = (2 * generator.multiple_of, 3 * generator.multiple_of)
    with torch.inference_mode():
        painted = generator(torch.rand(2, 3, *sizes) * 2 - 1)
    assert painted.shape == (2, 3, *sizes)
    assert painted.std() > 0.01
    assert painted.abs().max() <= 1
    assert generator.bytes_per_pixel >= 700


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_every_discriminator_answers_a_logit_for_each_4x4_patch(name):
    assert DISCRIMINATORS[name]()(torch.zeros(2, 3, 32, 48)).shape == (2, 1, 8, 12)


@pytest.mark.parametrize("name", ["animegan", "animeganv2", "animeganv2-lite", "cartoongan"])
def test_gradients_reach_every_weight_of_a_generator(name):
    torch.manual_seed(0)
    generator = GENERATORS[name]()
    generator(torch.rand(1, 3, 16, 16) * 2 - 1)[0].square().sum().backward()
    for weight, parameter in generator.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0, weight


def test_the_discriminators_differ_in_norm_and_spectral_norm_alone(outlines):
    kinds = {}
    for name, network in outlines[1].items():
        modules = list(network.modules())
        spectral = any("Spectral" in type(module).__name__ for module in modules)
        kinds[name] = {type(m) for m in modules} & {InstanceNorm, LayerNorm}, spectral
    assert kinds == {
        "animegan": ({InstanceNorm}, True),
        "animeganv2": ({LayerNorm}, True),
        "cartoongan": ({InstanceNorm}, False),
    }


@pytest.mark.parametrize("learning", [True, False])
def test_instance_norm_is_torchs_instance_norm(learning):
    features = (torch.randn(3, 6, 9, 7) * 2 + 1).contiguous(memory_format=torch.channels_last)
    norm = InstanceNorm(6, epsilon=0.1)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    with torch.set_grad_enabled(learning):
        expected = functional.instance_norm(features, weight=norm.weight, bias=norm.bias, eps=0.1)
        answer = norm(features)
    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-4)
    assert answer.is_contiguous(memory_format=torch.channels_last)


def test_layer_norm_is_over_a_whole_picture():
    features = (torch.randn(3, 6, 9, 7) * 2 + 1).contiguous(memory_format=torch.channels_last)
    norm = LayerNorm(6, epsilon=0.1)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    mean = features.mean((1, 2, 3), keepdim=True)
    variance = features.var((1, 2, 3), correction=0, keepdim=True)
    scale, shift = norm.weight.view(1, -1, 1, 1), norm.bias.view(1, -1, 1, 1)
    expected = (features - mean) / torch.sqrt(variance + 0.1) * scale + shift
    torch.testing.assert_close(norm(features), expected, atol=1e-5, rtol=1e-4)
    assert norm(features).is_contiguous(memory_format=torch.channels_last)


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


def test_a_stride_of_two_in_v2_pads_the_bottom_and_right():
    block = ConvLNLReLU(2, 3, stride=2)
    features = torch.randn(1, 2, 6, 8)
    padded = functional.pad(features, (0, 1, 0, 1), mode="reflect")
    convolution = block[1]
    assert isinstance(convolution, nn.Conv2d)
    expected = functional.conv2d(padded, convolution.weight, stride=2)
    torch.testing.assert_close(convolution(block[0](features)), expected)


def test_weights_of_v2_start_as_he_and_of_cartoongan_with_two_hundredths():
    torch.manual_seed(0)
    for name, fan in (("block_a.2.1", 64 * 9), ("block_c.5.1", 256 * 9)):
        weight = AnimeGANv2Generator().get_parameter(f"{name}.weight").detach()
        assert float(weight.std()) == pytest.approx((2 / fan) ** 0.5, rel=0.05)
    weight = CartoonGANGenerator().get_parameter("up.0.weight").detach()
    assert float(weight.std()) == pytest.approx(0.02, rel=0.05)


def test_initial_weights_are_as_the_authors():
    torch.manual_seed(0)
    # The largest convolutions of each, so that the spread is estimated well.
    original = PatchDiscriminator().get_parameter("layers.12.parametrizations.weight.original")
    depthwise = AnimeGANGenerator().get_parameter("bottleneck.0.depthwise.0.weight")
    assert float(original.detach().std()) == pytest.approx(0.02, rel=0.1)
    # Cut at two deviations, which leaves 0.88 of the deviation.
    assert float(depthwise.detach().std()) == pytest.approx(0.0176, rel=0.05)
    assert float(depthwise.detach().abs().max()) <= 0.04


def test_spectral_norm_is_computed_in_full_precision(monkeypatch):
    seen = []
    power_iteration = torch.mv

    def watched(matrix, vector):
        seen.append((torch.is_autocast_enabled("cpu"), matrix.dtype))
        return power_iteration(matrix, vector)

    torch.manual_seed(0)
    discriminator = PatchDiscriminator()
    monkeypatch.setattr(torch, "mv", watched)
    with torch.autocast("cpu", torch.bfloat16):
        answer = discriminator(torch.zeros(1, 3, 8, 8))
    assert answer.dtype == torch.bfloat16  # the convolutions are in half
    assert set(seen) == {(False, torch.float32)}


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
