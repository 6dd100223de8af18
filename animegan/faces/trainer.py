"""Training faces: steps of D, then one of G, for each batch. No files written."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from animegan.augment import generator_of
from animegan.ema import averaged, update_average
from animegan.faces.batches import FaceBatch
from animegan.faces.networks import FaceCritic, FaceGenerator
from animegan.faces.objective import FaceObjective
from animegan.faces.recipe import FaceRecipe
from animegan.learner import Learner, Terms
from animegan.tensors import place

#: Adam's decays and RMSprop's, of the report.
_BETAS, _ALPHA = (0.0, 0.9), 0.9


class FaceTrainer(Learner):
    """The networks, their optimisers, and a step.

    Args:
        recipe: all settings.
        classifiers: `hair` and `eyes` → a classifier of faces, N×3×64×64 → logits; they are frozen.
        device: where to compute.

    Attributes:
        generator: G. `critic`: D. `ema`: the moving average of G, where the recipe has one.
    """

    def __init__(
        self, recipe: FaceRecipe, classifiers: Mapping[str, nn.Module], device: torch.device
    ) -> None:
        super().__init__(device)
        self._recipe = recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.generator = FaceGenerator(recipe.noise, recipe.start, recipe.filters, recipe.norm)
            self.critic = FaceCritic(recipe.filters, recipe.joined)
        for network in (self.generator, self.critic, *classifiers.values()):
            place(network, device)
        for classifier in classifiers.values():
            classifier.requires_grad_(requires_grad=False).eval()
        self.ema = averaged(self.generator) if recipe.ema else None
        self._optimisers = {
            "optimiser_g": _optimiser(self.generator, recipe),
            "optimiser_d": _optimiser(self.critic, recipe),
        }
        self._objective = FaceObjective(recipe, self.critic, classifiers)

    @property
    def painter(self) -> FaceGenerator:
        """What draws: the moving average of G where there is one, else G."""
        return self.generator if self.ema is None else self.ema

    def networks(self) -> dict[str, nn.Module]:
        """Those that a state holds."""
        networks: dict[str, nn.Module] = {"generator": self.generator, "critic": self.critic}
        return networks if self.ema is None else {**networks, "ema": self.ema}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Of G and of D."""
        return self._optimisers

    @property
    def recipe(self) -> FaceRecipe:
        """All settings."""
        return self._recipe

    def load(self) -> str:
        """What a step computes at once."""
        return f"{self.recipe.batch} faces and {self.recipe.filters} filters"

    def remedy(self) -> str:
        """What helps where memory runs out."""
        return "lower --batch or --filters"

    def steadier(self) -> str:
        """What helps where numbers grow out of all bounds."""
        return "lower --generator-lr and --critic-lr, or a higher --penalty"

    def step(self, batch: FaceBatch, progress: float = 0.0) -> Terms:
        """The recipe's number of steps of D, then one of G, on the same faces.

        Args:
            batch: the faces; every step of D has other noise.
            progress: how much of the run is done, 0..1; towards its end the rates may fade.

        Returns:
            Every term that has a weight, not weighted, and the weighted sums `d` and `g`.

        Raises:
            TrainingError: out of memory.
        """
        recipe, rate = self.recipe, self.recipe.rate(progress) * self.rate_factor
        terms: dict[str, Tensor] = {}
        with self.memory_advice():
            for turn in range(recipe.critic_steps):
                terms |= self._critic_step(batch, turn, recipe.critic_lr * rate)
            terms |= self._generator_step(batch, recipe.generator_lr * rate)
        self.step_done += 1
        values = torch.stack([term.detach() for term in terms.values()]).tolist()
        return dict(zip(terms, values, strict=True))

    def _critic_step(self, batch: FaceBatch, turn: int, rate: float) -> dict[str, Tensor]:
        randoms = generator_of(self.recipe.seed, self.step_done, turn)
        with torch.no_grad():
            drawn = self._draw(batch, randoms)
        terms = self._objective.critic_terms(batch, drawn, randoms)
        _descend(self._optimisers["optimiser_d"], terms["d"], rate)
        return terms

    def _generator_step(self, batch: FaceBatch, rate: float) -> dict[str, Tensor]:
        randoms = generator_of(self.recipe.seed, self.step_done, self.recipe.critic_steps)
        drawn = self._draw(batch, randoms)
        # D only passes its gradient on; its own would be computed for nothing.
        self.critic.requires_grad_(requires_grad=False)
        terms = self._objective.generator_terms(batch.real, drawn)
        _descend(self._optimisers["optimiser_g"], terms["g"], rate)
        self.critic.requires_grad_(requires_grad=True)
        if self.ema is not None:
            update_average(self.ema, self.generator, self.recipe.ema, self.step_done)
        return terms

    def _draw(self, batch: FaceBatch, randoms: torch.Generator) -> Tensor:
        condition = batch.real.condition
        z = torch.randn(len(condition), self.recipe.noise, generator=randoms).to(self.device)
        drawn: Tensor = self.generator(z, condition)
        return drawn


def _optimiser(network: nn.Module, recipe: FaceRecipe) -> torch.optim.Optimizer:
    parameters = list(network.parameters())
    if recipe.optimiser == "rmsprop":
        return torch.optim.RMSprop(parameters, alpha=_ALPHA)
    return torch.optim.Adam(parameters, betas=_BETAS, fused=parameters[0].device.type != "mps")


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    (group,) = optimiser.param_groups
    group["lr"] = rate
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
