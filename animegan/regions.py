"""Parts of features: which part of its input an operation needs, and the operation on that part.

What comes out is what the whole features would have given there, to rounding: borders of the
picture are padded as the operation pads them, borders of a part are not.

All tensors are float NCHW. A span is a half-open range of rows or columns, a region one of each.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from animegan.models.animegan import PadsOneSide
from animegan.models.resampling import (
    Enlarge,
    EnlargeAligned,
    EnlargeLegacy,
    Shrink,
    ShrinkLegacy,
)
from animegan.steady import Given


class Span(NamedTuple):
    """Rows or columns from `first` up to, but not with, `end`."""

    first: int
    end: int

    def clipped(self, size: int) -> "Span":
        """What of it lies inside [0, size)."""
        return Span(max(0, self.first), min(size, self.end))

    def joined(self, other: "Span") -> "Span":
        """The shortest span that holds both."""
        return Span(min(self.first, other.first), max(self.end, other.end))


class Region(NamedTuple):
    """A rectangle of features."""

    rows: Span
    columns: Span

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.rows.end - self.rows.first, self.columns.end - self.columns.first

    def joined(self, other: "Region") -> "Region":
        """The smallest rectangle that holds both."""
        return Region(self.rows.joined(other.rows), self.columns.joined(other.columns))

    def cut(self, part: Tensor, held: "Region") -> Tensor:
        """This region of a part that holds the region `held`; a view."""
        top, left = self.rows.first - held.rows.first, self.columns.first - held.columns.first
        height, width = self.size
        return part[..., top : top + height, left : left + width]


class Operation(Protocol):
    """An operation on features of any size; the same for rows and columns."""

    def length(self, size: int) -> int:
        """Rows (columns) of the result for so many of the input."""

    def needs(self, wanted: Span, size: int) -> Span:
        """Rows (columns) of an input of `size` that the result's `wanted` ones are made of."""

    def apply(self, parts: list[Tensor], wanted: Region, size: tuple[int, int]) -> Tensor:
        """The result's region `wanted`.

        Args:
            parts: of each input exactly the region that `needs` says.
            wanted: the region.
            size: H, W of the whole inputs.
        """


class Pointwise:
    """Any module that treats every pixel alone."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self.function = function

    def length(self, size: int) -> int:
        """The same."""
        return size

    def needs(self, wanted: Span, _size: int) -> Span:
        """The same."""
        return wanted

    def apply(self, parts: list[Tensor], _wanted: Region, _size: tuple[int, int]) -> Tensor:
        """The function of the parts."""
        result: Tensor = self.function(*parts)
        return result


class Padding:
    """Rows and columns around the picture, mirrored or of zeros.

    Args:
        before: how many at the top and left.
        after: how many at the bottom and right.
        mode: `reflect` or `zeros`.
    """

    def __init__(self, before: int, after: int, mode: str) -> None:
        self.before, self.after = before, after
        self._mode = {"reflect": "reflect", "zeros": "constant"}[mode]

    def length(self, size: int) -> int:
        """With the padding."""
        return size + self.before + self.after

    def needs(self, wanted: Span, size: int) -> Span:
        """Without it, and as far as it is mirrored."""
        first, end = wanted.first - self.before, wanted.end - self.before
        inside = Span(first, end).clipped(size)
        mirrored_top, mirrored_bottom = -first if first < 0 else -1, 2 * size - 1 - end
        if first < 0:
            inside = inside.joined(Span(inside.first, min(size, mirrored_top + 1)))
        if end > size:
            inside = inside.joined(Span(max(0, mirrored_bottom), inside.end))
        return inside

    def apply(self, parts: list[Tensor], wanted: Region, size: tuple[int, int]) -> Tensor:
        """The part with as much padding as is wanted."""
        held: list[Span] = []
        pads: list[int] = []
        for span, length in zip(wanted, size, strict=True):
            top = max(0, self.before - span.first)
            bottom = max(0, span.end - self.before - length)
            there = self.needs(span, length)
            held.append(Span(there.first + self.before - top, there.end + self.before + bottom))
            pads = [top, bottom, *pads]  # torch wants the last axis first
        # Most tiles lie inside, and padding with nothing would copy them.
        padded = functional.pad(parts[0], pads, self._mode) if any(pads) else parts[0]
        return wanted.cut(padded, Region(*held))


class Convolution:
    """A convolution with its padding."""

    def __init__(self, module: nn.Conv2d) -> None:
        self._module = module
        if isinstance(module, PadsOneSide):
            self._padding = Padding(0, 1, "reflect")
        else:
            side = int(module.padding[0])
            self._padding = Padding(side, side, module.padding_mode)
        self._stride, self._kernel = module.stride[0], module.kernel_size[0]

    def _padded(self, wanted: Span) -> Span:
        stride = self._stride
        return Span(wanted.first * stride, (wanted.end - 1) * stride + self._kernel)

    def length(self, size: int) -> int:
        """Divided by the stride."""
        return (self._padding.length(size) - self._kernel) // self._stride + 1

    def needs(self, wanted: Span, size: int) -> Span:
        """What the kernel covers."""
        return self._padding.needs(self._padded(wanted), size)

    def apply(self, parts: list[Tensor], wanted: Region, size: tuple[int, int]) -> Tensor:
        """The convolution of the padded part."""
        padded = Region(self._padded(wanted.rows), self._padded(wanted.columns))
        part = self._padding.apply(parts, padded, size)
        conv = self._module
        return functional.conv2d(part, conv.weight, conv.bias, conv.stride, groups=conv.groups)


class TransposedConvolution:
    """A transposed convolution: input row i feeds the result's rows i·stride - padding + k."""

    def __init__(self, module: nn.ConvTranspose2d) -> None:
        self._module = module
        self._stride, self._kernel = module.stride[0], module.kernel_size[0]
        self._padding = int(module.padding[0])

    def length(self, size: int) -> int:
        """Times the stride."""
        longer = int(self._module.output_padding[0])
        return (size - 1) * self._stride - 2 * self._padding + self._kernel + longer

    def needs(self, wanted: Span, size: int) -> Span:
        """What reaches the wanted rows."""
        first = -((self._kernel - 1 - wanted.first - self._padding) // self._stride)
        end = (wanted.end - 1 + self._padding) // self._stride + 1
        return Span(first, end).clipped(size)

    def apply(self, parts: list[Tensor], wanted: Region, size: tuple[int, int]) -> Tensor:
        """The transposed convolution of the part, cut."""
        conv = self._module
        whole = functional.conv_transpose2d(parts[0], conv.weight, conv.bias, conv.stride)
        held = []
        for span, length, made in zip(wanted, size, whole.shape[-2:], strict=True):
            first = self.needs(span, length).first * self._stride - self._padding
            held.append(Span(first, first + made))
        return wanted.cut(whole, Region(*held))


class Shrinking:
    """Halving."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def length(self, size: int) -> int:
        """Half."""
        return size // 2

    def needs(self, wanted: Span, _size: int) -> Span:
        """Twice as much."""
        return Span(2 * wanted.first, 2 * wanted.end)

    def apply(self, parts: list[Tensor], _wanted: Region, _size: tuple[int, int]) -> Tensor:
        """Half of the part."""
        halved: Tensor = self._module(parts[0])
        return halved


class Doubling:
    """Bilinear doubling, as torch does it where corners are not aligned."""

    def length(self, size: int) -> int:
        """Twice as much."""
        return 2 * size

    def needs(self, wanted: Span, size: int) -> Span:
        """Result row o lies at input row (o + 0.5) / 2 - 0.5, between two."""
        return Span((wanted.first - 1) // 2, wanted.end // 2 + 1).clipped(size)

    def apply(self, parts: list[Tensor], wanted: Region, size: tuple[int, int]) -> Tensor:
        """Double the part and cut off what lacks a neighbour."""
        doubled = functional.interpolate(parts[0], scale_factor=2.0, mode="bilinear")
        there = (self.needs(span, length) for span, length in zip(wanted, size, strict=True))
        return wanted.cut(doubled, Region(*(Span(2 * s.first, 2 * s.end) for s in there)))


class UnevenDoubling:
    """Bilinear doubling whose results lie differently between the input's rows."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def _positions(self, span: Span, size: int) -> Tensor:
        """Where result rows lie on the input, float32 as torch computes it."""
        rows = torch.arange(span.first, span.end, dtype=torch.float32)
        match self._module:
            case EnlargeAligned():
                places = rows * (torch.tensor(size - 1.0) / (2 * size - 1))
            case _:
                places = rows / 2
        return places.clamp(0, size - 1)

    def length(self, size: int) -> int:
        """Twice as much."""
        return 2 * size

    def needs(self, wanted: Span, size: int) -> Span:
        """The rows below and above the wanted places."""
        places = self._positions(wanted, size)
        return Span(int(places[0]), int(places[-1]) + 2).clipped(size)

    def apply(self, parts: list[Tensor], wanted: Region, size: tuple[int, int]) -> Tensor:
        """Interpolate rows, then columns."""
        part = parts[0]
        for axis, (span, length) in enumerate(zip(wanted, size, strict=True), start=2):
            places = self._positions(span, length).to(part.device)
            held = self.needs(span, length)
            below = places.floor().long() - held.first
            above = (below + 1).clamp(max=held.end - held.first - 1)
            share = (places - places.floor()).to(part.dtype)
            share = share.view([-1 if one == axis else 1 for one in range(4)])
            part = torch.lerp(part.index_select(axis, below), part.index_select(axis, above), share)
        return part


_OPERATIONS: dict[type[nn.Module], Callable[[Any], Operation]] = {
    nn.Conv2d: Convolution,
    PadsOneSide: Convolution,
    nn.ConvTranspose2d: TransposedConvolution,
    nn.ReflectionPad2d: lambda module: Padding(module.padding[0], module.padding[1], "reflect"),
    Shrink: Shrinking,
    ShrinkLegacy: Shrinking,
    Enlarge: lambda _module: Doubling(),
    EnlargeAligned: UnevenDoubling,
    EnlargeLegacy: UnevenDoubling,
    nn.LeakyReLU: Pointwise,
    nn.ReLU: Pointwise,
    nn.Tanh: Pointwise,
    nn.Identity: Pointwise,
    Given: Pointwise,
}


def operation_of(module: nn.Module) -> Operation:
    """The operation of a module of the generators.

    Raises:
        TypeError: of a kind they do not have.
    """
    if type(module) not in _OPERATIONS:
        raise TypeError(f"{type(module).__name__} has no regions")
    return _OPERATIONS[type(module)](module)
