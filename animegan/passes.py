"""In which passes a network is computed over a picture, and what is kept from one to the next.

A norm needs the statistics of its whole input, so a pass ends at the norms before which everything
is known. What the next pass needs is read where it was kept, and else computed again from what was.
Of all plans for which there is room, the one with the least to do is taken.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, combinations
from typing import NamedTuple

from animegan.tracing import Normalisation, Step

#: Sums of features this much smaller than the picture are always kept.
_COARSE = 4
#: Multiply-adds that take as long as any step takes for each value beside its own, and as a value
#: takes to be written or read in memory or in a file (docs/benchmarks.md).
_STEP, _COPY = 80, {True: 80, False: 300}


class Pass(NamedTuple):
    """One pass over all tiles.

    Attributes:
        norms: those whose statistics it finds; none in the last, which paints.
        kept: the results that it keeps, and whether in memory rather than in a file.
        cost: what it takes, multiply-adds.
    """

    norms: tuple[str, ...]
    kept: dict[str, bool]
    cost: float


class Flow:
    """The steps of a network for a picture of one size.

    Args:
        steps: as `trace` finds them.
        size: H, W of the picture.

    Attributes:
        steps: by name.
        sizes: H, W of each result.
        last: the name of the painting.
    """

    def __init__(self, steps: list[Step], size: tuple[int, int]) -> None:
        self.steps = {step.name: step for step in steps}
        self.last = steps[-1].name
        self.sizes: dict[str, tuple[int, int]] = {}
        for step in steps:
            height, width = self.sizes[step.inputs[0]] if step.inputs else size
            self.sizes[step.name] = step.operation.length(height), step.operation.length(width)
        self._norms = [one.name for one in steps if isinstance(one.operation, Normalisation)]

    def values(self, name: str) -> int:
        """How many numbers the whole result of a step has."""
        height, width = self.sizes[name]
        return self.steps[name].channels * height * width

    def work(self) -> float:
        """Multiply-adds for the picture in one piece."""
        return sum(step.work * self.values(name) for name, step in self.steps.items())

    def cone(self, targets: Collection[str], kept: Collection[str]) -> list[str]:
        """The steps from the photo or what is kept to the targets, in order."""
        found: set[str] = set()
        waiting = list(targets)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                if name not in kept:
                    waiting += self.steps[name].inputs
        return [name for name in self.steps if name in found]

    def sources(self, norms: Collection[str]) -> tuple[str, ...]:
        """The inputs of norms, or the painting if there are none."""
        return tuple(dict.fromkeys(self.steps[name].inputs[0] for name in norms)) or (self.last,)

    def levels(self) -> Iterator[tuple[str, ...]]:
        """The norms of each pass."""
        known: set[str] = set()
        before = {
            name: set(self.cone(self.sources([name]), ())) & set(self._norms)
            for name in self._norms
        }
        while ready := tuple(n for n in self._norms if n not in known and before[n] <= known):
            yield ready
            known.update(ready)

    def is_sum(self, name: str) -> bool:
        """Whether it adds results."""
        return len(self.steps[name].inputs) > 1

    def must_be_kept(self, name: str) -> bool:
        """Whether not to keep it would need more and more room for tiles: sums of coarse sums."""
        return (
            self.is_sum(name)
            and self.sizes[name][0] * _COARSE <= next(iter(self.sizes.values()))[0]
        )


@dataclass
class _Way:
    """Some first passes, what is kept after them, and the bytes that are left."""

    passes: list[Pass]
    kept: dict[str, bool]
    room: dict[bool, int]
    width: int
    cost: float = 0.0

    def on(self, flow: Flow, norms: tuple[str, ...], more: tuple[str, ...]) -> "_Way | None":
        """One pass on, in which more is kept; None where there is no room for it."""
        room, new = dict(self.room), {}
        for name in more:
            nbytes = self.width * flow.values(name)
            if nbytes > max(room.values()):
                return None
            new[name] = nbytes <= room[True]
            room[new[name]] -= nbytes
        cost = self._cost(flow, flow.sources(norms)) + sum(
            _COPY[place] * flow.values(name) for name, place in new.items()
        )
        kept = {**self.kept, **new}
        needed = set(flow.cone([flow.last], kept))
        for name in kept.keys() - needed:
            room[kept.pop(name)] += self.width * flow.values(name)
        passes = [*self.passes, Pass(norms, new, cost)]
        return _Way(passes, kept, room, self.width, self.cost + cost)

    def _cost(self, flow: Flow, targets: tuple[str, ...]) -> float:
        """Multiply-adds of a pass, and what is read."""
        cost = 0.0
        for name in flow.cone(targets, self.kept):
            if name in self.kept:
                cost += _COPY[self.kept[name]] * flow.values(name)
            else:
                cost += (_STEP + flow.steps[name].work) * flow.values(name)
        return cost


def plan(flow: Flow, memory: int, disk: int, width: int = 4) -> list[Pass]:
    """The cheapest passes.

    Args:
        flow: the network and the size.
        memory: bytes that may be kept in memory at a time.
        disk: bytes that may be kept in files.
        width: bytes of a kept value.

    Raises:
        MemoryError: there is not even room for the coarse sums.
    """
    ways = [_Way([], {}, {True: memory, False: disk}, width)]
    for norms in flow.levels():
        best: dict[frozenset[tuple[str, bool]], _Way] = {}
        for way in ways:
            for more in _choices(flow, way.kept, flow.sources(norms)):
                longer = way.on(flow, norms, more)
                if longer is None:
                    continue
                same = best.setdefault(frozenset(longer.kept.items()), longer)
                if longer.cost < same.cost:
                    best[frozenset(longer.kept.items())] = longer
        ways = list(best.values())
    done = [last for way in ways if (last := way.on(flow, (), ()))]
    if not done:
        raise MemoryError
    return min(done, key=lambda way: way.cost).passes


def _choices(
    flow: Flow, kept: dict[str, bool], sources: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """What a pass may keep: inputs of its norms and sums on the way, those always if coarse."""
    new = [name for name in flow.cone(sources, kept) if name not in kept]
    must = tuple(name for name in new if flow.must_be_kept(name))
    may = [name for name in new if name not in must and (flow.is_sum(name) or name in sources)]
    for some in chain.from_iterable(combinations(may, n) for n in range(len(may) + 1)):
        yield must + some
