"""Painting pictures that do not fit into memory, exactly.

Norms use the mean and variance of whole features, so tiles alone would show seams. Here the network
is computed in passes over tiles: each finds the statistics of the next norms, everything before
them being known. What a pass would have to compute again and again is kept (`scratch`), always at a
quarter of the picture's size and less, finer where there is room.

Tiles overlap as far as their result needs it (`regions`), so the painting equals that of the whole
picture to rounding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from animegan.models.blocks import Generator
from animegan.regions import Region, Span
from animegan.scratch import Scratch, Store
from animegan.tensors import Pixels, to_picture, to_tensor
from animegan.tracing import Moments, Normalisation, Step, trace

#: Side of a tile, pixels of the picture: as large as memory allows, for overlaps cost.
TILE = 512
#: Features this much smaller than the picture are always kept.
_COARSE = 4
#: Multiply-adds for a value from which on it is kept rather than computed again, in memory or file.
_DEAR = {True: 100, False: 500}


@dataclass
class Streaming:
    """A network that paints pictures of any size in bounded memory.

    Args:
        generator: in evaluation mode on `device`.
        device: where to compute.
        tile: side of a tile, pixels; a multiple of 8.
    """

    generator: Generator
    device: torch.device
    tile: int = TILE
    _steps: dict[str, Step] = field(init=False)

    def __post_init__(self) -> None:
        """Trace the network."""
        self._steps = {step.name: step for step in trace(self.generator)}

    def paint(
        self, picture: Pixels, scratch: Scratch, advance: Callable[[float], None] | None = None
    ) -> Pixels:
        """Paint one picture.

        Args:
            picture: uint8 or uint16 RGB H×W×3, H and W multiples of the generator's `multiple_of`.
            scratch: room for features.
            advance: told the share of the passes that is done, 0 to 1.

        Returns:
            RGB of the same type, H×W×3.

        Raises:
            MemoryError: there is not even room for the coarse features.
        """
        work = _Painting(self._steps, picture, scratch, self.device, self.tile)
        with torch.inference_mode():
            return work.paint(advance or (lambda _share: None))


class _Painting:
    """One picture on its way through the network."""

    def __init__(
        self,
        steps: dict[str, Step],
        picture: Pixels,
        scratch: Scratch,
        device: torch.device,
        tile: int,
    ) -> None:
        self.steps, self.picture, self.scratch = steps, picture, scratch
        self.device, self.tile = device, tile
        self.photo, self.last = next(iter(steps)), list(steps)[-1]
        self.norms = {
            name: step.operation
            for name, step in steps.items()
            if isinstance(step.operation, Normalisation)
        }
        self.stores: dict[str, Store] = {}
        self.sizes: dict[str, tuple[int, int]] = {}
        for name, step in steps.items():
            size = self.sizes[step.inputs[0]] if step.inputs else picture.shape[:2]
            self.sizes[name] = (step.operation.length(size[0]), step.operation.length(size[1]))
        # What must be kept at a time: a sum and the one before.
        self._spare = 2 * max(
            (
                self._bytes(name)
                for name, step in steps.items()
                if len(step.inputs) > 1 and self._is_coarse(name)
            ),
            default=0,
        )

    def paint(self, advance: Callable[[float], None]) -> Pixels:
        for norm in self.norms.values():
            norm.forget()
        done = 0
        while pending := self._next_norms():
            self._find_statistics(pending)
            done += len(pending)
            advance(done / (len(self.norms) + 1))
        painted = np.empty_like(self.picture)
        for tile in self._tiles():
            part = self._compute({self.last: tile})[self.last]
            rows, columns = tile
            painted[rows.first : rows.end, columns.first : columns.end] = to_picture(
                part, painted.dtype
            )
        for store in self.stores.values():
            self.scratch.give_back(store)
        advance(1.0)
        return painted

    def _tiles(self) -> Iterator[Region]:
        """The picture in tiles, without overlaps."""
        height, width = self.picture.shape[:2]
        for top in range(0, height, self.tile):
            for left in range(0, width, self.tile):
                rows = Span(top, min(top + self.tile, height))
                yield Region(rows, Span(left, min(left + self.tile, width)))

    def _scaled(self, tile: Region, name: str) -> Region:
        """The part of a step's result that lies where the tile does."""
        shrunk = (
            Span(span.first * now // whole, span.end * now // whole)
            for span, now, whole in zip(tile, self.sizes[name], self.picture.shape[:2], strict=True)
        )
        return Region(*shrunk)

    def _cone(self, targets: list[str]) -> list[str]:
        """The steps from the photo or what is kept to the targets, in order."""
        found: set[str] = set()
        waiting = list(targets)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                if name not in self.stores:
                    waiting += self.steps[name].inputs
        return [name for name in self.steps if name in found]

    def _next_norms(self) -> list[str]:
        """The norms before which everything is known."""
        return [
            name
            for name, norm in self.norms.items()
            if not norm.known
            and all(
                self.norms[one].known
                for one in self._cone([self.steps[name].inputs[0]])
                if one in self.norms
            )
        ]

    def _find_statistics(self, norms: list[str]) -> None:
        """One pass over the tiles, on which what is dear is kept."""
        sources = [self.steps[name].inputs[0] for name in norms]
        moments = {source: Moments() for source in sources}
        kept = self._make_room(sources)
        for tile in self._tiles():
            wanted = {name: self._scaled(tile, name) for name in {**moments, **kept}}
            parts = self._compute(wanted)
            for source, moment in moments.items():
                moment.add(parts[source])
            for name, store in kept.items():
                store.write(wanted[name], parts[name])
        for name, source in zip(norms, sources, strict=True):
            self.norms[name].learn(moments[source])
        self.stores.update(kept)
        needed = self._cone([self.last])
        for name in [name for name in self.stores if name not in needed]:
            self.scratch.give_back(self.stores.pop(name))

    def _make_room(self, sources: list[str]) -> dict[str, Store]:
        """Stores for results of the next pass: inputs of norms and sums."""
        kept: dict[str, Store] = {}
        for name in self._cone(sources):
            is_sum = len(self.steps[name].inputs) > 1
            if name in self.stores or not (is_sum or name in sources):
                continue
            size = self._bytes(name)
            # Sums of sums would need more and more room.
            must = is_sum and self._is_coarse(name)
            spare = 0 if must else self._spare
            in_memory = self.scratch.fits(size, spare, in_memory=True)
            if not must and 4 * self._work(name) / size < _DEAR[in_memory]:
                continue
            store = self.scratch.new(self.steps[name].channels, *self.sizes[name], spare=spare)
            if store is not None:
                kept[name] = store
            elif must:
                raise MemoryError
        return kept

    def _is_coarse(self, name: str) -> bool:
        return bool(self.sizes[name][0] * _COARSE <= self.picture.shape[0])

    def _bytes(self, name: str) -> int:
        """Of a whole result, float32."""
        height, width = self.sizes[name]
        return 4 * self.steps[name].channels * height * width

    def _work(self, name: str) -> float:
        """Multiply-adds for the whole result of a step, from what is kept."""
        total = 0.0
        for one in self._cone([name]):
            if one not in self.stores:
                height, width = self.sizes[one]
                total += self.steps[one].work * self.steps[one].channels * height * width
        return total

    def _compute(self, targets: dict[str, Region]) -> dict[str, Tensor]:
        """Parts of the targets' results: what they need from back to front, then the values."""
        cone = self._cone(list(targets))
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
        if name == self.photo:
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
        return step.operation.apply(parts, region, self.sizes[step.inputs[0]])
