import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from animegan.distributed import any_process, average, gathered, is_main, joined, rank, world

CPU = torch.device("cpu")

#: Small networks in float64, in which sums of other orders differ by next to nothing. Each process
#: trains on its slice; run with one process, the slice is the whole batch.
SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path

    import torch
    from safetensors.torch import save_file
    from torch import nn
    from torch.nn.utils.parametrizations import spectral_norm

    from animegan.data import Batch
    from animegan.distributed import any_process, average, gathered, is_main, joined, rank, world
    from animegan.errors import TrainingError
    from animegan.models import DISCRIMINATORS, GENERATORS
    from animegan.recipes import make_recipe
    from animegan.trainer import Trainer

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)

    def conv(channels_in, channels_out, stride=1):
        return nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)

    GENERATORS["animegan"] = lambda: nn.Sequential(
        conv(3, 8), nn.GroupNorm(8, 8), nn.LeakyReLU(), conv(8, 3), nn.Tanh())
    DISCRIMINATORS["animegan"] = lambda: nn.Sequential(
        spectral_norm(conv(3, 8, 2)), nn.LeakyReLU(), spectral_norm(conv(8, 1, 2)))

    def whole_batch(step, size=4):
        rng = torch.Generator().manual_seed(step)
        return [torch.rand(size, 3, 32, 32, generator=rng) * 2 - 1 for _ in range(4)]

    def slice_of(tensors):
        return Batch(*(tensor.chunk(world())[rank()] for tensor in tensors))

    out = Path(sys.argv[1])
    torch.manual_seed(0)
    features = nn.Sequential(conv(3, 16, 2), nn.ReLU(), conv(16, 32, 2)).requires_grad_(False)
    recipe = make_recipe(given={
        "init": "scratch", "size": 32, "batch": 4, "accumulate": 2, "diffaugment": True,
        "stability": 1.0, "tv": 1.0, "clip": 5.0, "ema": 0.9, "label_smoothing": 0.1})

    with joined(torch.device("cpu")) as device:
        trainer = Trainer(recipe, features, device)
        terms = [trainer.initialise_step(slice_of(whole_batch(0)))]
        terms += [trainer.step(slice_of(whole_batch(step)), 0.5) for step in (1, 2, 3)]
        tensors = trainer.state()
        tensors["terms"] = torch.tensor([list(step.values()) for step in terms[1:]])
        tensors["rank, world"] = torch.tensor([rank(), world()])
        last = rank() == world() - 1
        tensors["flags"] = torch.tensor(
            [any_process(raised=flag, device=device) for flag in (False, last, True)])
        mine = torch.full((2, 2), float(rank()))
        average([mine, None])
        tensors["average"] = mine
        assert gathered(["b", f"a{rank()}"]) == [f"a{one}" for one in range(world())] + ["b"]
        save_file({n: t.contiguous() for n, t in tensors.items()}, out / f"{world()}_{rank()}")
        print("hello from", rank(), flush=True)
        if world() > 1:
            try:
                Trainer(make_recipe(given={"batch": 3}), features, device)
            except TrainingError as error:
                print(error, file=sys.stderr)
    """
)


def test_alone_nothing_is_joined(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined(CPU) as device:
        assert device == CPU
        assert (rank(), world(), is_main()) == (0, 1, True)
        gradient = torch.ones(3)
        average([gradient, None])
        assert torch.equal(gradient, torch.ones(3))
        assert any_process(raised=True, device=CPU)
        assert not any_process(raised=False, device=CPU)
        assert gathered(["b", "a", "b"]) == ["a", "b"]


def test_torchrun_with_one_process_joins_nothing(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined(CPU):
        assert not torch.distributed.is_initialized()


def run(command, **environment):
    return subprocess.run(
        [sys.executable, *command],
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_two_processes_equal_one_with_the_whole_batch(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    alone = run([script, tmp_path])
    assert alone.returncode == 0, alone.stderr
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    both = run([*torchrun, script, tmp_path])
    assert both.returncode == 0, both.stderr

    one, *two = (load_file(Path(tmp_path / name)) for name in ("1_0", "2_0", "2_1"))
    for number, tensors in enumerate(two):
        assert tensors.pop("rank, world").tolist() == [number, 2]
        assert tensors.pop("flags").tolist() == [False, True, True]
        assert torch.equal(tensors.pop("average"), torch.full((2, 2), 0.5).double())
        for name, value in tensors.items():
            torch.testing.assert_close(value, one[name], rtol=1e-5, atol=1e-5, msg=name)
    # The processes stay alike to the last bit.
    assert all(torch.equal(two[0][name], two[1][name]) for name in two[0])
    # The first one speaks for all; errors are told by everyone.
    assert "hello from 0" in both.stdout
    assert "hello from 1" not in both.stdout
    assert "batch 3: cannot be shared by 2 processes; make --batch a multiple of 2" in both.stderr
