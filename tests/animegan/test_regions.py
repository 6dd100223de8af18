import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from animegan.models.animegan import PadsOneSide
from animegan.models.resampling import (
    Enlarge,
    EnlargeAligned,
    EnlargeLegacy,
    Shrink,
    ShrinkLegacy,
)
from animegan.regions import Region, Span, operation_of

OPERATIONS = {
    "3×3": nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
    "7×7": nn.Conv2d(2, 3, 7, padding=3, padding_mode="reflect"),
    "1×1": nn.Conv2d(2, 3, 1),
    "3×3 halving": nn.Conv2d(2, 3, 3, 2, padding=1, padding_mode="reflect"),
    "3×3 halving, zeros": nn.Conv2d(2, 3, 3, 2, padding=1),
    "3×3 halving, padded before": nn.Conv2d(2, 3, 3, 2),
    "depthwise, padded on one side": PadsOneSide(2, 2, stride=2, groups=2),
    "transposed": nn.ConvTranspose2d(2, 3, 3, 2, padding=1, output_padding=1),
    "padding": nn.ReflectionPad2d((0, 1, 0, 1)),
    "wide padding": nn.ReflectionPad2d(3),
    "shrink": Shrink(),
    "shrink as TensorFlow": ShrinkLegacy(),
    "enlarge": Enlarge(),
    "enlarge with aligned corners": EnlargeAligned(),
    "enlarge as TensorFlow": EnlargeLegacy(),
    "pointwise": nn.LeakyReLU(0.2),
}


@st.composite
def spans(draw, size):
    first = draw(st.integers(0, size - 1))
    return Span(first, draw(st.integers(first + 1, size)))


@pytest.mark.parametrize("name", OPERATIONS)
@given(data=st.data())
@settings(max_examples=40)
def test_a_part_is_what_the_whole_has_there(name, data):
    module = OPERATIONS[name]
    operation = operation_of(module)
    size = data.draw(st.sampled_from([(8, 10), (24, 12), (16, 8)]))
    torch.manual_seed(0)
    features = torch.randn(1, 2, *size)
    whole = module(features)
    assert tuple(operation.length(one) for one in size) == whole.shape[-2:]
    wanted = Region(*(data.draw(spans(length)) for length in whole.shape[-2:]))
    needed = Region(*(operation.needs(span, one) for span, one in zip(wanted, size, strict=True)))
    everything = [Region(Span(0, h), Span(0, w)) for h, w in (size, whole.shape[-2:])]
    part = operation.apply([needed.cut(features, everything[0])], wanted, size)
    torch.testing.assert_close(part, wanted.cut(whole, everything[1]), rtol=1e-5, atol=1e-6)


def test_an_operation_without_regions_is_refused():
    with pytest.raises(TypeError, match="BatchNorm2d has no regions"):
        operation_of(nn.BatchNorm2d(3))
