"""Painting pictures that do not fit into memory, exactly.

Norms use the mean and variance of whole features, so tiles alone would show seams. Here the network
is computed in passes over tiles (`passes`): each finds the statistics of the next norms, and keeps
what later ones would have to compute again (`scratch`).

Tiles overlap as far as their result needs it (`regions`), so the painting equals that of the whole
picture to rounding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from animegan.models.blocks import Generator
from animegan.passes import Flow, Pass, plan
from animegan.regions import Region, Span
from animegan.scratch import Scratch, Store
from animegan.steady import Statistics, norms_of
from animegan.tensors import Pixels, to_picture, to_tensor
from animegan.tracing import Moments, Normalisation, Step, trace

#: Side of a tile at most, pixels of the picture: larger ones overlap less and need more memory.
TILE = 512
#: Tiles begin at multiples of it, where the coarsest features of all networks have a pixel's edge.
_GRID = 8
#: What is kept is rounded to 16 bits if this share of the cost is left then, or less.
_PAYS = 0.8


@dataclass
class Streaming:
    """A network that paints pictures of any size in bounded memory.

    Args:
        generator: in evaluation mode on `device`.
        device: where to compute.
        tile: side of a tile at most, pixels; a multiple of 8.

    Attributes:
        arithmetic: multiply-adds of the last painting, those of the whole picture being 1.
    """

    generator: Generator
    device: torch.device
    tile: int = TILE
    arithmetic: float = field(default=0.0, init=False)
    _steps: list[Step] = field(init=False)

    def __post_init__(self) -> None:
        """Trace the network."""
        self._steps = trace(self.generator)

    def paint(
        self, picture: Pixels, scratch: Scratch, advance: Callable[[float], None] | None = None
    ) -> Pixels:
        """Paint one picture.

        Args:
            picture: uint8 or uint16 RGB H×W×3, H and W multiples of the generator's `multiple_of`.
            scratch: room for features.
            advance: told the share that is done, 0 to 1.

        Returns:
            RGB of the same type, H×W×3.

        Raises:
            MemoryError: there is not even room for the coarse features.
        """
        flow = Flow(self._steps, picture.shape[:2])
        passes, kind = _plan(flow, scratch)
        tiles = [
            Region(rows, columns)
            for rows in cuts(picture.shape[0], self.tile)
            for columns in cuts(picture.shape[1], self.tile)
        ]
        work = _Painting(flow, picture, scratch, kind, self.device)
        whole, done = len(tiles) * sum(one.cost for one in passes), 0.0
        with torch.inference_mode():
            for one in passes:
                for _ in work.run(one, tiles):
                    done += one.cost
                    if advance is not None:
                        advance(done / whole)
        self.arithmetic = work.done / flow.work()
        return work.painted

    def statistics(self) -> Statistics:
        """What the norms found in the last picture, as `steady.statistics_of` says it."""
        operations = [step.operation for step in self._steps]
        norms = {one.norm: one.statistics for one in operations if isinstance(one, Normalisation)}
        return [norms[norm] for norm in norms_of(self.generator)]


def cuts(length: int, tile: int) -> list[Span]:
    """A side in parts of one length, `tile` at most: thin strips would be all overlap.

    >>> cuts(540, 512)
    [Span(first=0, end=272), Span(first=272, end=540)]
    """
    each = -(-length // -(-length // tile))
    each += -each % _GRID
    return [Span(first, min(first + each, length)) for first in range(0, length, each)]


def _plan(flow: Flow, scratch: Scratch) -> tuple[list[Pass], torch.dtype]:
    """The passes, and what is kept as: float16, which still gives 80 dB, where that saves much."""
    narrow = plan(flow, scratch.memory, scratch.disk, torch.float16.itemsize)
    try:
        wide = plan(flow, scratch.memory, scratch.disk, torch.float32.itemsize)
    except MemoryError:
        return narrow, torch.float16
    costs = [sum(one.cost for one in passes) for passes in (narrow, wide)]
    if costs[0] < _PAYS * costs[1]:
        return narrow, torch.float16
    return wide, torch.float32


class _Painting:
    """One picture on its way through the network.

    Attributes:
        painted: what is painted of it.
        done: multiply-adds until now.
    """

    def __init__(
        self, flow: Flow, picture: Pixels, scratch: Scratch, kind: torch.dtype, device: torch.device
    ) -> None:
        self.flow, self.steps, self.sizes = flow, flow.steps, flow.sizes
        self.picture, self.scratch, self.kind, self.device = picture, scratch, kind, device
        self.painted = np.empty_like(picture)
        self.done = 0.0
        self.stores: dict[str, Store] = {}
        for step in self.steps.values():
            if isinstance(step.operation, Normalisation):
                step.operation.forget()

    def run(self, one: Pass, tiles: list[Region]) -> Iterator[None]:
        """One pass over the tiles, a turn for each."""
        sources = self.flow.sources(one.norms)
        moments = {source: Moments() for source in sources}
        kept = {
            name: self.scratch.new(
                (*self.sizes[name], self.steps[name].channels), self.kind, in_memory=in_memory
            )
            for name, in_memory in one.kept.items()
        }
        for tile in tiles:
            wanted = {name: self._scaled(tile, name) for name in {**moments, **kept}}
            parts = self._compute(wanted)
            for name, store in kept.items():
                store.write(wanted[name], parts[name])
            if one.norms:
                for source, moment in moments.items():
                    moment.add(parts[source])
            else:
                rows, columns = tile
                part = to_picture(parts[self.flow.last], self.painted.dtype)
                self.painted[rows.first : rows.end, columns.first : columns.end] = part
            yield
        for name in one.norms:
            norm = self.steps[name].operation
            if isinstance(norm, Normalisation):
                norm.learn(moments[self.steps[name].inputs[0]])
        self.stores.update(kept)
        # What is of no more use.
        needed = self.flow.cone([self.flow.last], self.stores) if one.norms else ()
        for name in [name for name in self.stores if name not in needed]:
            self.scratch.give_back(self.stores.pop(name))

    def _scaled(self, tile: Region, name: str) -> Region:
        """The part of a step's result that lies where the tile does."""
        shrunk = (
            Span(span.first * now // whole, span.end * now // whole)
            for span, now, whole in zip(tile, self.sizes[name], self.picture.shape[:2], strict=True)
        )
        return Region(*shrunk)

    def _compute(self, targets: dict[str, Region]) -> dict[str, Tensor]:
        """Parts of the targets' results: what they need from back to front, then the values."""
        cone = self.flow.cone(targets, self.stores)
        wanted = dict(targets)
        for name in reversed(cone):
            step = self.steps[name]
            for one in step.inputs if name not in self.stores else ():
                region = self._needs(step, one, wanted[name])
                wanted[one] = wanted[one].joined(region) if one in wanted else region
        last_use = {one: name for name in cone if name not in self.stores
                    for one in self.steps[name].inputs}  # fmt: skip
        values: dict[str, Tensor] = {}
        for name in cone:
            values[name] = self._value(name, wanted, values)
            for one in self.steps[name].inputs:
                if last_use.get(one) == name and one not in targets:
                    values.pop(one, None)
        return {name: region.cut(values[name], wanted[name]) for name, region in targets.items()}

    def _needs(self, step: Step, source: str, wanted: Region) -> Region:
        spans = (
            step.operation.needs(span, size)
            for span, size in zip(wanted, self.sizes[source], strict=True)
        )
        return Region(*spans)

    def _value(self, name: str, wanted: dict[str, Region], values: dict[str, Tensor]) -> Tensor:
        step, region = self.steps[name], wanted[name]
        if name in self.stores:
            return self.stores[name].read(region, self.device)
        if not step.inputs:
            rows, columns = region
            pixels = self.picture[rows.first : rows.end, columns.first : columns.end]
            return to_tensor(pixels).to(self.device, memory_format=torch.channels_last)
        # Of a view torch does not see the layout, and turns it over again and again.
        parts = [
            self._needs(step, one, region)
            .cut(values[one], wanted[one])
            .contiguous(memory_format=torch.channels_last)
            for one in step.inputs
        ]
        result = step.operation.apply(parts, region, self.sizes[step.inputs[0]])
        self.done += step.work * result.numel()
        return result
