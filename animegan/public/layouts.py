"""How others name and arrange the tensors of the networks.

A layout says for each tensor of ours which one of theirs it is, how its axes turn into O×I×H×W, and
whether one of them counts colours as BGR. TensorFlow numbers layers within a scope in the order in
which they are called: `Conv`, `Conv_1`, …

Sources: the layer lists and names of github.com/TachibanaYoshino/AnimeGAN and AnimeGANv2; the keys
of github.com/bryandlee/animegan2-pytorch; those of the CartoonGAN authors' converted weights.
"""

from functools import cache
from typing import NamedTuple

import torch

from animegan.models import GENERATORS

_HWIO = (3, 2, 0, 1)
_HWC1 = (2, 3, 0, 1)  # depthwise kernels
_ROOT = "generator/G_MODEL"


class Source(NamedTuple):
    """A tensor in a public file.

    Attributes:
        name: its name there.
        axes: the transposition to O×I×H×W; none for vectors and where it is that already.
        bgr: the axis, after transposition, that counts colours as BGR.
    """

    name: str
    axes: tuple[int, ...] | None = None
    bgr: int | None = None


class Layout(NamedTuple):
    """One kind of public file: the network it is for, our tensor names → theirs."""

    network: str
    sources: dict[str, Source]


@cache
def shapes_of(network: str) -> dict[str, tuple[int, ...]]:
    """The tensors of a generator: name → shape."""
    with torch.device("meta"):
        state = GENERATORS[network]().state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@cache
def layouts() -> tuple[Layout, ...]:
    """Every kind of public file that can be read."""
    return (
        # The public module aligns corners unless told otherwise.
        Layout("animeganv2-aligned", {name: Source(name) for name in shapes_of("animeganv2")}),
        Layout("cartoongan-authors", _cartoongan()),
        Layout("animegan-tf", _animegan()),
        Layout("animeganv2-tf", _animegan_v2()),
        Layout("animeganv2-lite-tf", _animegan_v2_lite()),
    )


def _numbered(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


def _norm(ours: str, theirs: str) -> dict[str, Source]:
    return {f"{ours}.weight": Source(f"{theirs}/gamma"), f"{ours}.bias": Source(f"{theirs}/beta")}


def _conv(ours: str, theirs: str) -> dict[str, Source]:
    return {f"{ours}.weight": Source(f"{theirs}/weights", _HWIO)}


def _animegan() -> dict[str, Source]:
    convs = {
        "b1": ("encoder.0", "encoder.1"),
        "b2": ("encoder.3",),
        "m": ("encoder.6", "decoder.0"),
        "u2": ("decoder.3",),
        "u1": ("decoder.5", "decoder.6"),
    }
    separable = {
        "b1": ("encoder.2.strided", "encoder.2.resized"),
        "b2": ("encoder.4", "encoder.5.strided", "encoder.5.resized"),
        "u2": ("decoder.1.conv", "decoder.2"),
        "u1": ("decoder.4.conv",),
    }
    sources = _conv("to_rgb", f"{_ROOT}/Conv")
    for scope, blocks in convs.items():
        for number, ours in enumerate(blocks):
            sources |= _conv(f"{ours}.0", f"{_ROOT}/{scope}/{_numbered('Conv', number)}")
            sources |= _norm(f"{ours}.1", f"{_ROOT}/{scope}/{_numbered('InstanceNorm', number)}")
    for scope, blocks in separable.items():
        for number, ours in enumerate(blocks):
            theirs = f"{_ROOT}/{scope}/{_numbered('SeparableConv2d', number)}"
            sources[f"{ours}.0.weight"] = Source(f"{theirs}/depthwise_weights", _HWC1)
            sources[f"{ours}.1.weight"] = Source(f"{theirs}/pointwise_weights", _HWIO)
            sources |= _norm(f"{ours}.2", f"{theirs}/InstanceNorm")
    for number in range(8):
        ours, theirs = f"bottleneck.{number}", f"{_ROOT}/m/r{number + 1}"
        sources |= _conv(f"{ours}.widen.0", f"{theirs}/Conv")
        sources |= _norm(f"{ours}.widen.1", f"{theirs}/InstanceNorm")
        sources[f"{ours}.depthwise.0.weight"] = Source(f"{theirs}/r{number + 1}/w", _HWC1)
        sources |= _norm(f"{ours}.depthwise.1", f"{theirs}/1")
        sources |= _conv(f"{ours}.project.0", f"{theirs}/Conv_1")
        sources |= _norm(f"{ours}.project.1", f"{theirs}/2")
    return sources


def _animegan_v2() -> dict[str, Source]:
    blocks = {"A": range(3), "B": range(2), "C": (0, 5), "D": range(2), "E": range(3)}
    sources = _conv("out_layer.0", f"{_ROOT}/out_layer/Conv")
    for scope, places in blocks.items():
        for number, place in enumerate(places):
            ours = f"block_{scope.lower()}.{place}"
            sources |= _conv(f"{ours}.1", f"{_ROOT}/{scope}/{_numbered('Conv', number)}")
            sources |= _norm(f"{ours}.2", f"{_ROOT}/{scope}/{_numbered('LayerNorm', number)}")
    for number in range(1, 5):
        ours, theirs = f"block_c.{number}.layers", f"{_ROOT}/C/r{number}"
        sources |= _conv(f"{ours}.0.1", f"{theirs}/Conv")
        sources |= _norm(f"{ours}.0.2", f"{theirs}/LayerNorm")
        sources[f"{ours}.1.1.weight"] = Source(f"{theirs}/r{number}/w", _HWC1)
        sources[f"{ours}.1.1.bias"] = Source(f"{theirs}/r{number}/bias")
        sources |= _norm(f"{ours}.1.2", f"{theirs}/1")
        sources |= _conv(f"{ours}.2", f"{theirs}/Conv_1")
        sources |= _norm(f"{ours}.3", f"{theirs}/2")
    return sources


def _animegan_v2_lite() -> dict[str, Source]:
    down = ("full", "down1.0", "down1.1", "down2.0", "down2.1", "down3.0", "down3.1")
    up = ("up3", "narrow2", "up2", "narrow1", "up1", "last")
    sources = _conv("to_rgb", f"{_ROOT}/out_layer/Conv")
    # Twelve convolutions of the residual blocks come between, whose norms are named apart.
    for norm, (ours, conv) in enumerate(
        zip((*down, *up), (*range(7), *range(19, 25)), strict=True)
    ):
        sources |= _conv(f"{ours}.1", f"{_ROOT}/{_numbered('Conv', conv)}")
        sources |= _norm(f"{ours}.2", f"{_ROOT}/{_numbered('LayerNorm', norm)}")
    for number in range(4):
        ours, conv = f"bottleneck.{number}.layers", 7 + 3 * number
        for layer in range(2):
            sources |= _conv(f"{ours}.{layer}.1", f"{_ROOT}/Conv_{conv + layer}")
            sources |= _norm(f"{ours}.{layer}.2", f"{_ROOT}/res{number + 1}_{layer + 1}")
        sources |= _conv(f"{ours}.2", f"{_ROOT}/Conv_{conv + 2}")
    return sources


def _cartoongan() -> dict[str, Source]:
    convs = {"flat.0": "conv01_1", "to_rgb": "deconv03_1"}
    norms = {"flat.1": "in01_1"}
    for pair in (0, 1):
        for layer in (0, 1):
            convs[f"down.{4 * pair + layer}"] = f"conv0{pair + 2}_{layer + 1}"
            convs[f"up.{4 * pair + layer}"] = f"deconv0{pair + 1}_{layer + 1}"
        norms[f"down.{4 * pair + 2}"] = f"in0{pair + 2}_1"
        norms[f"up.{4 * pair + 2}"] = f"in{pair + 12}_1"
    for block in range(8):
        for layer in (0, 1):
            convs[f"residual.{block}.layers.{3 * layer}"] = f"conv{block + 4:02d}_{layer + 1}"
            norms[f"residual.{block}.layers.{3 * layer + 1}"] = f"in{block + 4:02d}_{layer + 1}"
    bgr = {"conv01_1.weight": 1, "deconv03_1.weight": 0, "deconv03_1.bias": 0}
    sources = {}
    for ours, theirs in convs.items():
        for kind in ("weight", "bias"):
            name = f"{theirs}.{kind}"
            sources[f"{ours}.{kind}"] = Source(name, bgr=bgr.get(name))
    for ours, theirs in norms.items():
        sources[f"{ours}.weight"] = Source(f"{theirs}.scale")
        sources[f"{ours}.bias"] = Source(f"{theirs}.shift")
    return sources
