from itertools import chain, combinations

import pytest
import torch
from torch import nn

from animegan.models import GENERATORS
from animegan.models.animegan import ConvBlock, DownConv, InvertedResidual, UpConv
from animegan.passes import _COPY, _STEP, Flow, plan
from animegan.tracing import trace


@pytest.fixture(scope="module")
def small():
    """Norms, sums coarse and fine, all ways of resampling; 16×24."""
    blocks = (ConvBlock(3, 8), DownConv(8, 8), DownConv(8, 8), InvertedResidual(8), UpConv(8, 4))
    return Flow(trace(nn.Sequential(*blocks)), (16, 24))


def work_of(flow, names):
    return sum(flow.steps[name].work * flow.values(name) for name in names)


def test_the_work_is_that_of_all_convolutions():
    generator = GENERATORS["cartoongan"]().eval()
    counted = []

    def count(module, inputs, made):
        if isinstance(
            module, nn.ConvTranspose2d
        ):  # every input value meets every weight of its own
            counted.append(inputs[0].numel() * module.weight[0].numel())
        else:
            counted.append(made.numel() * module.weight[0].numel())

    for module in generator.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        generator(torch.zeros(1, 3, 16, 24))
    assert Flow(trace(generator), (16, 24)).work() == sum(counted)


def test_norms_before_which_all_is_known_share_a_pass(small):
    assert [len(norms) for norms in small.levels()] == [1, 2, 2, 1, 1, 1, 1]


def replay(flow, passes, width=4):
    """What each pass computes, and the bytes kept while it runs, in files and in memory."""
    kept: dict[str, bool] = {}
    for one in passes:
        computed = [name for name in flow.cone(flow.sources(one.norms), kept) if name not in kept]
        kept |= one.kept
        room = [
            sum(width * flow.values(name) for name in kept if kept[name] is place)
            for place in (False, True)
        ]
        yield computed, room
        needed = flow.cone([flow.last], kept)
        kept = {name: place for name, place in kept.items() if name in needed}


@pytest.mark.parametrize("name", GENERATORS)
def test_nothing_dear_is_computed_twice_where_there_is_room(name):
    flow = Flow(trace(GENERATORS[name]()), (64, 96))
    done = [work_of(flow, computed) for computed, _room in replay(flow, plan(flow, 10**9, 0))]
    assert flow.work() <= sum(done) < 1.05 * flow.work()


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize(("memory", "disk"), [(4, 4), (8, 0), (0, 8), (2, 6), (2, 12)])
def test_the_room_suffices(name, memory, disk):
    flow = Flow(trace(GENERATORS[name]()), (64, 96))
    most = [256 * 16 * 24 * share for share in (disk, memory)]  # features of the bottleneck, bytes
    for _computed, taken in replay(flow, plan(flow, most[1], most[0], 2), 2):
        assert all(one <= limit for one, limit in zip(taken, most, strict=True))


def cheapest(flow, levels, kept, room):
    """All ways there are, one by one, in memory."""
    norms, *later = levels
    targets = flow.sources(norms)
    computed = [name for name in flow.cone(targets, kept) if name not in kept]
    cost = work_of(flow, computed) + _STEP * sum(map(flow.values, computed))
    cost += _COPY[True] * sum(map(flow.values, set(flow.cone(targets, kept)) & kept))
    if not norms:
        return cost
    sums = [name for name in computed if len(flow.steps[name].inputs) == 2]
    coarse = {name for name in sums if flow.sizes[name] == (4, 6)}
    costs = []
    candidates = list(dict.fromkeys([*sums, *targets]))
    for some in map(set, chain.from_iterable(combinations(candidates, n) for n in range(4))):
        if coarse <= some and 4 * sum(map(flow.values, some | kept)) <= room:
            needed = set(flow.cone([flow.last], some | kept))
            writing = _COPY[True] * sum(map(flow.values, some))
            costs.append(writing + cheapest(flow, later, (some | kept) & needed, room))
    return cost + min(costs, default=float("inf"))


@pytest.mark.parametrize("room", [1600, 2000, 4000, 8000, 20_000, 10**6])
def test_no_plan_is_cheaper(room, small):
    levels = [*small.levels(), ()]
    best = cheapest(small, levels, set(), room)
    if best == float("inf"):
        with pytest.raises(MemoryError):
            plan(small, room, 0)
    else:
        assert sum(one.cost for one in plan(small, room, 0)) == pytest.approx(best)
