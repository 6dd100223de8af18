"""Training: a step of D, then of G, for each batch. Networks and optimisers; no files written.

Source: AnimeGAN (ISICA 2019), section 3.1. What the steps minimise stands in `objective`.
"""

import torch
from torch import Tensor, nn

from animegan.checkpoint import built_in, load_tensors
from animegan.data import Batch
from animegan.distributed import average, rank, world
from animegan.ema import averaged, update_average
from animegan.errors import TrainingError
from animegan.learner import Learner, Terms
from animegan.models import DISCRIMINATORS, GENERATORS
from animegan.models.blocks import Generator
from animegan.models.vgg import VGGFeatures
from animegan.objective import Objective, Part
from animegan.recipes import Recipe
from animegan.tensors import place


class Trainer(Learner):
    """The networks, their optimisers, and one step of each kind.

    Nothing in a step draws from torch's global random state: random numbers are a function of seed,
    step and picture, so `state` is all there is to a run.

    Args:
        recipe: all settings.
        features: F.
        device: where to compute.

    Attributes:
        generator: G. `discriminator`: D. `ema`: the moving average of G, where the recipe has one.
        adam_g: G's optimiser. `adam_d`: D's.
        objective: the terms that the steps minimise.

    Raises:
        TrainingError: no built-in initialisation for this G, or a batch that cannot be shared.
    """

    def __init__(self, recipe: Recipe, features: VGGFeatures, device: torch.device) -> None:
        if recipe.batch % world():
            raise TrainingError(
                f"batch {recipe.batch}",
                f"cannot be shared by {world()} processes",
                f"make --batch a multiple of {world()}",
            )
        super().__init__(device)
        torch.manual_seed(recipe.seed)
        self._recipe = recipe
        self.features = features
        self.generator = GENERATORS[recipe.generator]()
        if recipe.starts_built_in():
            _load_built_in(self.generator, recipe.generator)
        self.discriminator = DISCRIMINATORS[recipe.discriminator]().eval()
        networks = (self.generator, self.discriminator, features)
        for network in networks:
            place(network, device)
        self.ema = averaged(self.generator) if recipe.ema else None
        self.adam_g = _adam(self.generator, recipe.init_lr, recipe.beta1)
        self.adam_d = _adam(self.discriminator, recipe.discriminator_lr, recipe.beta1)
        # Compiled beside the networks, not in their place: names in checkpoints stay what they are,
        # and painting pictures of all sizes compiles nothing.
        g, d, f = (_compiled(n) if recipe.compile else n for n in networks)
        self.objective = Objective(recipe, g, d, f, device)

    @property
    def recipe(self) -> Recipe:
        """All settings."""
        return self._recipe

    def load(self) -> str:
        """What a step computes at once."""
        return f"{self.recipe.batch} pictures of {self.recipe.size} pixels"

    def remedy(self) -> str:
        """What helps where memory runs out."""
        return (
            f"raise --accumulate above {self.recipe.accumulate}, lower --batch or --size, "
            "or on a GPU try --precision bf16"
        )

    def steadier(self) -> str:
        """What helps where numbers grow out of all bounds."""
        return "--clip 1, lower --generator-lr and --discriminator-lr, or --precision fp32"

    @property
    def painter(self) -> Generator:
        """What paints: the moving average of G where there is one, else G."""
        return self.generator if self.ema is None else self.ema

    def initialise_step(self, batch: Batch) -> Terms:
        """One step of the initialisation phase: G learns content alone.

        Raises:
            TrainingError: out of memory.
        """
        sums: dict[str, Tensor] = {}
        # Recipes without content go through this phase, too; Adam minds no loss's scale.
        weight = self.recipe.generator_weights().get("content", 1.0)
        with self.memory_advice():
            self.adam_g.zero_grad()
            for part in self._parts(batch):
                content = self.objective.content(part.batch.photo)
                (part.share * weight * content).backward()
                _add(sums, {"content": content}, part.share)
            self._descend_generator(self.recipe.init_lr)
        return self._finish(sums)

    def step(self, batch: Batch, progress: float = 0.0) -> Terms:
        """One step of D, then the recipe's number of steps of G.

        A batch is painted once: D sees the detached picture that G's step uses. Only in parts it is
        painted again for G, which is what saves the memory.

        Args:
            batch: this process's pictures.
            progress: how much of the adversarial part of the run is done, 0..1.

        Returns:
            Every term that has a weight, not weighted, and the weighted sums `g` and `d`.

        Raises:
            TrainingError: out of memory.
        """
        parts = self._parts(batch)
        with self.memory_advice():
            with torch.set_grad_enabled(len(parts) == 1):
                painted = [self.objective.paint(part.batch.photo) for part in parts]
            sums = self._discriminator_step(parts, painted, progress)
            for turn in range(self.recipe.training_rate):
                sums |= self._generator_step(self._parts(batch, turn), painted)
                painted = [one.detach() for one in painted]
        return self._finish(sums)

    def _parts(self, batch: Batch, turn: int = 0) -> list[Part]:
        pictures = len(batch.photo)
        key = (self.recipe.seed, self.step_done, turn)
        first, parts = rank() * pictures, []
        for part in batch.parts(self.recipe.accumulate):
            parts.append(Part(part, key, len(part.photo) / pictures, first))
            first += len(part.photo)
        return parts

    def _discriminator_step(
        self, parts: list[Part], painted: list[Tensor], progress: float
    ) -> dict[str, Tensor]:
        weights = self.recipe.discriminator_weights(progress)
        sums: dict[str, Tensor] = {}
        if not weights:
            return sums
        self.adam_d.zero_grad()
        for part, fake in zip(parts, painted, strict=True):
            # Spectral norm's power iteration goes on in training mode: once a step.
            self.discriminator.train(part is parts[0])
            terms = self.objective.discriminator_terms(part, fake)
            terms["d"] = _weighted(terms, weights)
            (part.share * terms["d"]).backward()
            _add(sums, terms, part.share)
        self.discriminator.eval()
        self._descend(self.adam_d, self.recipe.discriminator_lr)
        return sums

    def _generator_step(self, parts: list[Part], painted: list[Tensor]) -> dict[str, Tensor]:
        weights = self.recipe.generator_weights()
        sums: dict[str, Tensor] = {}
        self.adam_g.zero_grad()
        for part, known in zip(parts, painted, strict=True):
            fake = known if known.requires_grad else self.objective.paint(part.batch.photo)
            terms = self.objective.generator_terms(part, fake)
            terms["g"] = _weighted(terms, weights)
            (part.share * terms["g"]).backward()
            _add(sums, terms, part.share)
        self._descend_generator(self.recipe.generator_lr)
        return sums

    def _descend_generator(self, rate: float) -> None:
        self._descend(self.adam_g, rate)
        if self.ema is not None:
            update_average(self.ema, self.generator, self.recipe.ema, self.step_done)

    def _descend(self, adam: torch.optim.Adam, rate: float) -> None:
        (group,) = adam.param_groups
        parameters = group["params"]
        group["lr"] = rate * self.rate_factor
        average(parameter.grad for parameter in parameters)
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(parameters, self.recipe.clip)
        adam.step()

    def _finish(self, sums: dict[str, Tensor]) -> Terms:
        """Numbers, of all processes together; fetched at once, for a GPU waits at each fetch."""
        values = torch.stack(list(sums.values()))
        average([values])
        self.step_done += 1
        return dict(zip(sums, values.tolist(), strict=True))

    def networks(self) -> dict[str, nn.Module]:
        """Those that a state holds."""
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return networks if self.ema is None else {**networks, "ema": self.ema}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Of G and of D."""
        return {"adam_g": self.adam_g, "adam_d": self.adam_d}


def _adam(network: nn.Module, rate: float, beta1: float) -> torch.optim.Adam:
    parameters = list(network.parameters())
    fused = parameters[0].device.type in {"cpu", "cuda"}
    return torch.optim.Adam(parameters, rate, (beta1, 0.999), fused=fused)


def _compiled(network: nn.Module) -> nn.Module:
    # A program for each size of batch: D sees four sets and one, F two and one.
    compiled: nn.Module = torch.compile(network, dynamic=False)  # type: ignore[assignment]  # it stays a module
    return compiled


def _load_built_in(generator: nn.Module, name: str) -> None:
    path = built_in(name)
    if not path.is_file():
        raise TrainingError(name, "has no built-in initialisation", "say --init scratch")
    load_tensors(generator, path)


def _weighted(terms: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def _add(sums: dict[str, Tensor], terms: dict[str, Tensor], share: float) -> None:
    for name, term in terms.items():
        sums[name] = sums.get(name, 0) + share * term.detach()
