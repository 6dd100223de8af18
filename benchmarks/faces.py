"""A training step of faces beside a plain script's, and a grid of 5×5.

    python benchmarks/faces.py [--filters 128] [--batch 16] [--turns 5]

All in one process, in turns: processor seconds of a step, the ratio to the plain script. Both do
the same: a step of D on all pairs with a penalty for each kind, then one of G. Ours as it is by
default draws one kind of penalty a face, which is told apart.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from plain_faces import critic_loss, generator_loss

from animegan.faces.batches import FaceBatch, FaceBatches
from animegan.faces.classifiers import ColourClassifiers
from animegan.faces.collection import SIDE, Faces
from animegan.faces.recipe import FaceRecipe
from animegan.faces.sampling import Sampler
from animegan.faces.trainer import FaceTrainer
from animegan.faces.words import Words
from animegan.memory import keep_freed_memory

_CPU = torch.device("cpu")
_GRID = [Words("blue", "red"), Words("blonde", "green"), Words("black", "purple"),
         Words("pink", "blue"), Words("green", "yellow")]  # fmt: skip


def noise_faces(count: int) -> Faces:
    """Pictures of noise with random words."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)
    hair, eyes = rng.integers(0, 11, (2, count))
    return Faces(tuple(map(str, range(count))), pictures, hair, eyes)


def plain_step(trainer: FaceTrainer, both: ColourClassifiers) -> Callable[[FaceBatch], None]:
    """The step of a plain script on copies of a trainer's networks."""
    generator, critic = copy.deepcopy(trainer.generator), copy.deepcopy(trainer.critic)
    generator.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # torch's stub lacks it
    critic.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # likewise
    adams = [torch.optim.Adam(n.parameters(), 1e-4, (0.0, 0.9)) for n in (generator, critic)]
    classifiers = {"hair": both.hair, "eyes": both.eyes}

    def step(batch: FaceBatch) -> None:
        words = batch.real
        z = torch.randn(len(words.condition), generator.noise)
        drawn = generator(z, words.condition)
        epsilons = torch.rand(3, len(z))
        loss = critic_loss(critic, batch, drawn.detach(), list(epsilons))
        adams[1].zero_grad()
        loss.backward()
        adams[1].step()
        loss = generator_loss(critic, classifiers, words, generator(z, words.condition))
        adams[0].zero_grad()
        loss.backward()
        adams[0].step()

    return step


def time_grid(trainer: FaceTrainer) -> None:
    """Draw the assignment's 25 faces, and print how long it takes."""
    sampler = Sampler(trainer.generator, _CPU)
    started, wall = time.process_time(), time.perf_counter()
    sampler.faces(_GRID, 5)
    wall, spent = time.perf_counter() - wall, time.process_time() - started
    print(f"grid of 5×5      {wall:6.2f} s, {spent:.2f} s of processor time")


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filters", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(0)
    both = ColourClassifiers().requires_grad_(requires_grad=False)
    shape = {"filters": args.filters, "start": 8 * args.filters, "batch": args.batch}
    trainers = {
        "ours, each kind": FaceRecipe(**shape, penalty_pairs="each"),
        "ours, as it is": FaceRecipe(**shape),
    }
    steps: dict[str, Callable[[FaceBatch], object]] = {}
    for name, recipe in trainers.items():
        trainer = FaceTrainer(recipe, {"hair": both.hair, "eyes": both.eyes}, _CPU)
        steps.setdefault("plain", plain_step(trainer, both))
        steps[name] = trainer.step
    batches = FaceBatches(noise_faces(200), FaceRecipe(**shape), _CPU)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(-1, args.turns):
        batch = next(batches)
        for name, step in steps.items():
            started = time.process_time()
            step(batch)
            if turn >= 0:
                seconds[name].append(time.process_time() - started)
    plain = statistics.median(seconds["plain"])
    for name, some in seconds.items():
        middle = statistics.median(some)
        spread = f"{min(some):.2f} … {max(some):.2f}"
        print(f"{name:16} {middle:6.2f} s of processor time ({spread}), {plain / middle:.2f} ×")
    time_grid(trainer)


if __name__ == "__main__":
    main()
