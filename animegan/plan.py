"""How long a run is, in steps."""

from dataclasses import dataclass

from animegan.data import Sets, steps_per_epoch
from animegan.recipes import Recipe

#: Steps between two saves, at most, where nobody says it.
_APART = 500


@dataclass(frozen=True)
class Plan:
    """How long a run is, in steps.

    Attributes:
        epoch: steps of an epoch.
        initial: steps of the initialisation phase.
        total: all steps.
        every: steps between two saves; None for the ends of epochs, and within an epoch at most
            500 steps apart.
    """

    epoch: int
    initial: int
    total: int
    every: int | None = None

    def progress(self, step: int) -> float:
        """The share of the adversarial part that is done after so many steps, 0..1.

        >>> Plan(epoch=10, initial=10, total=30, every=10).progress(15)
        0.25
        """
        return max(0.0, (step - self.initial) / max(1, self.total - self.initial))

    def is_due(self, step: int) -> bool:
        """Whether a run is saved and measured after so many steps, however long it is.

        >>> [step for step in range(1, 2500) if Plan(1200, 0, 2500).is_due(step)]
        [500, 1000, 1200, 1700, 2200, 2400]
        """
        apart = step % self.every if self.every else step % self.epoch % _APART
        return apart == 0 or step == self.initial

    def is_measured(self, step: int) -> bool:
        """Whether a run is measured after so many steps: where it is due, and at its end."""
        return self.is_due(step) or step == self.total

    def told(self, step: int) -> str:
        """How far a run is.

        >>> Plan(epoch=100, initial=0, total=2000, every=100).told(1050)
        'step 1,050 of 2,000, epoch 10.5 of 20.0'
        """
        epochs = f"epoch {step / self.epoch:.1f} of {self.total / self.epoch:.1f}"
        return f"step {step:,} of {self.total:,}, {epochs}"


def plan(recipe: Recipe, sets: Sets, steps: int | None = None, every: int | None = None) -> Plan:
    """The length of a run: the recipe's epochs, or so many steps after the initialisation.

    Args:
        recipe: says how many epochs of each phase.
        sets: the longer of photos and style makes an epoch.
        steps: steps after the initialisation, instead of the recipe's epochs.
        every: steps between two saves, instead of the ends of epochs.

    Raises:
        TrainingError: a set has fewer pictures than a batch.
    """
    epoch = steps_per_epoch(sets, recipe.batch)
    initial = recipe.initialisation_epochs() * epoch
    total = initial + (recipe.epochs * epoch if steps is None else steps)
    return Plan(epoch, initial, total, every)
