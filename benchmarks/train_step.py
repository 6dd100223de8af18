"""A training step beside the same step with a second generator forward for the discriminator.

    python benchmarks/train_step.py [--size 128] [--batch 4]

Where the time must go: the generator's convolutions, forward and backward. Ours paints a batch
once: D sees the detached picture that G's step uses.
"""

import argparse
import statistics
import time

import torch

from animegan.data import Batch
from animegan.features import load_features
from animegan.recipes import Recipe
from animegan.stylize import pick_device
from animegan.trainer import Trainer

RUNS = 5


class TwoForwards(Trainer):
    """The step as most implementations have it."""

    def step(self, batch: Batch) -> dict[str, float]:
        """Paint for D, step D, paint again for G, step G."""
        with torch.no_grad():
            painted = self.generator(batch.photo)
        terms = self._discriminator_step(batch, painted)
        terms |= self._generator_step(batch, self.generator(batch.photo))
        return {name: value.item() for name, value in terms.items()}


def main() -> None:
    """Time both in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    arguments = parser.parse_args()
    recipe = Recipe(size=arguments.size, batch=arguments.batch)
    device = pick_device()
    features = load_features("vgg16")
    trainers = {kind.__name__: kind(recipe, features, device) for kind in (Trainer, TwoForwards)}
    shape = (arguments.batch, 3, arguments.size, arguments.size)
    batch = Batch(*(torch.rand(shape) * 2 - 1 for _ in range(4))).to(device)
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for run in range(RUNS + 1):
        for name, trainer in trainers.items():
            started = time.perf_counter()
            trainer.step(batch)
            if run:
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    one, two = medians["Trainer"], medians["TwoForwards"]
    print(f"{device}, {arguments.batch} × {arguments.size}²: one forward {one:.2f} s a step, "
          f"two forwards {two:.2f} s: {two / one:.2f}×")  # fmt: skip


if __name__ == "__main__":
    main()
