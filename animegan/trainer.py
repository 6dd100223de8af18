"""Training: initialise, then a discriminator step and a generator step for each batch.

    L_G = 300·L_adv + 1.5·L_con + 3·L_gra + 10·L_col
    L_D = 300·[ (D(a)-1)² + D(G(p))² + D(x)² + 0.1·D(y)² ]

Source: AnimeGAN (ISICA 2019), equations 1 to 8 and section 3.1. A run lives in `runs/<name>`:
`generator.safetensors` to paint with, `state.safetensors` to go on from, `log.jsonl` with every
term of every step, `samples/` with held-out photos before and after.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from animegan import checkpoint
from animegan.checkpoint import Header
from animegan.data import Batch, Sets, batches, steps_per_epoch
from animegan.errors import CheckpointError, TrainingError
from animegan.interrupt import deferred_interrupt
from animegan.losses import (
    adversarial_loss,
    colour_loss,
    content_loss,
    discriminator_terms,
    style_loss,
)
from animegan.memory import keep_freed_memory
from animegan.models import DISCRIMINATORS, GENERATORS
from animegan.models.vgg import VGGFeatures
from animegan.recipes import Recipe
from animegan.run import (
    SAMPLES,
    STATE_FILE,
    Terms,
    append_log,
    means,
    truncate_log,
    write_samples,
)
from animegan.stylize import GENERATOR_FILE
from animegan.tensors import place
from animeprep.files import make_folder
from animeprep.progress import progress

BUILTIN_INIT = Path(__file__).parent / "assets" / "animegan_init.safetensors"


@dataclass(frozen=True)
class Plan:
    """How long a run is, in steps.

    Attributes:
        epoch: steps of an epoch.
        initial: steps of the initialisation phase.
        total: all steps.
    """

    epoch: int
    initial: int
    total: int


def plan(recipe: Recipe, sets: Sets, steps: int | None = None) -> Plan:
    """The length of a run: the recipe's epochs, or so many steps after the initialisation.

    Raises:
        TrainingError: a set has fewer pictures than a batch.
    """
    epoch = steps_per_epoch(sets, recipe.batch)
    initial = recipe.initialisation_epochs() * epoch
    return Plan(epoch, initial, initial + (recipe.epochs * epoch if steps is None else steps))


class Trainer:
    """The networks, their optimisers, and one step of each kind.

    Args:
        recipe: all settings.
        features: F.
        device: where to compute.
    """

    def __init__(self, recipe: Recipe, features: VGGFeatures, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.device = device
        self.step_done = 0
        self.generator = GENERATORS[recipe.generator]()
        if recipe.starts_built_in():
            checkpoint.load_tensors(self.generator, BUILTIN_INIT)
        self.discriminator = DISCRIMINATORS[recipe.discriminator]()
        for network in (self.generator, self.discriminator, features):
            place(network, device)
        self.features = features
        betas = (recipe.beta1, 0.999)
        self.adam_g = torch.optim.Adam(self.generator.parameters(), recipe.init_lr, betas)
        self.adam_d = torch.optim.Adam(
            self.discriminator.parameters(), recipe.discriminator_lr, betas
        )

    def initialise_step(self, batch: Batch) -> Terms:
        """One step of the initialisation phase: content alone."""
        self._set_rate(self.recipe.init_lr)
        painted = self.generator(batch.photo)
        content = content_loss(self._features_of(batch.photo), self.features(painted))
        _descend(self.adam_g, self.recipe.content * content)
        return {"content": content.item()}

    def step(self, batch: Batch) -> Terms:
        """One step of D, then one of G; both see the same G(p).

        Returns:
            Every term, not weighted, and the weighted sums `g` and `d`.
        """
        self._set_rate(self.recipe.generator_lr)
        painted = self.generator(batch.photo)
        terms_d = self._discriminator_step(batch, painted.detach())
        terms_g = self._generator_step(batch, painted)
        terms = {**terms_d, **terms_g}
        return {name: value.item() for name, value in terms.items()}

    def _discriminator_step(self, batch: Batch, painted: Tensor) -> dict[str, Tensor]:
        recipe = self.recipe
        pictures = torch.cat((batch.anime, painted, batch.gray, batch.smooth_gray))
        # One pass for all four: nothing in D mixes pictures, and it is faster than four.
        terms = discriminator_terms(*self.discriminator(pictures).chunk(4))
        unweighted = terms["real"] + terms["fake"] + terms["gray"]
        loss = recipe.adversarial * (unweighted + recipe.smooth * terms["smooth"])
        _descend(self.adam_d, loss)
        return {**terms, "d": loss}

    def _generator_step(self, batch: Batch, painted: Tensor) -> dict[str, Tensor]:
        recipe = self.recipe
        painted_features = self.features(painted)
        photo_features = self._features_of(batch.photo)
        gray_features = self._features_of(batch.gray)
        self.discriminator.requires_grad_(requires_grad=False)
        terms = {
            "adversarial": adversarial_loss(self.discriminator(painted)),
            "content": content_loss(photo_features, painted_features),
            "gram": style_loss(gray_features, painted_features),
            "colour": colour_loss(batch.photo, painted),
        }
        self.discriminator.requires_grad_(requires_grad=True)
        loss = sum(
            (getattr(recipe, name) * term for name, term in terms.items()),
            torch.zeros((), device=self.device),
        )
        _descend(self.adam_g, loss)
        return {**terms, "g": loss}

    def _features_of(self, pictures: Tensor) -> Tensor:
        with torch.no_grad():
            features: Tensor = self.features(pictures)
        return features

    def _set_rate(self, rate: float) -> None:
        for group in self.adam_g.param_groups:
            group["lr"] = rate

    def save(self, run: Path) -> None:
        """Write both checkpoints of a run, each atomically.

        Raises:
            OutputError: they cannot be written.
        """
        recipe = self.recipe.model_dump()
        weights = self.generator.state_dict()
        tensors = {f"generator.{name}": value for name, value in weights.items()}
        for name, value in self.discriminator.state_dict().items():
            tensors[f"discriminator.{name}"] = value
        tensors |= checkpoint.adam_tensors(self.adam_g, "adam_g")
        tensors |= checkpoint.adam_tensors(self.adam_d, "adam_d")
        name, step = self.recipe.generator, self.step_done
        checkpoint.write(run / STATE_FILE, tensors, Header("state", name, step, recipe))
        checkpoint.write(run / GENERATOR_FILE, weights, Header("generator", name, step, recipe))

    def resume(self, run: Path) -> None:
        """Go on where a run's state stands.

        Raises:
            CheckpointError: the state is broken, or of a run with other settings.
        """
        path = run / STATE_FILE
        tensors, header = checkpoint.read(path)
        ours = self.recipe.model_dump(exclude={"epochs"})
        for name, value in ours.items():
            if header.recipe.get(name) != value:
                raise CheckpointError(
                    path,
                    f"this run was started with {name} {header.recipe.get(name)}, not {value}",
                    "name another run with --name, or use its settings",
                )
        try:
            for prefix, network in (("generator", self.generator),
                                    ("discriminator", self.discriminator)):  # fmt: skip
                network.load_state_dict(_under(tensors, prefix))
            checkpoint.restore_adam(self.adam_g, tensors, "adam_g")
            checkpoint.restore_adam(self.adam_d, tensors, "adam_d")
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(path, "of another network", "name another run") from error
        self.step_done = header.step


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {n.removeprefix(start): value for n, value in tensors.items() if n.startswith(start)}


def _descend(adam: torch.optim.Adam, loss: Tensor) -> None:
    adam.zero_grad(set_to_none=True)
    loss.backward()
    adam.step()


def fit(
    trainer: Trainer,
    sets: Sets,
    run: Path,
    length: Plan,
    val: list[Path],
    *,
    tell: Callable[[str], None] = lambda _line: None,
) -> Terms:
    """Train to the end of the plan, saving at every epoch's end and on Ctrl-C.

    Args:
        trainer: new, or the one that `Trainer.resume` brought back.
        sets: the files.
        run: the run's folder.
        length: how far.
        val: held-out photos for the sample sheets.
        tell: is called with a line after each epoch.

    Returns:
        The mean of each term over the last epoch's steps that were run.

    Raises:
        TrainingError: a term is not finite any more; the last saved state stands.
        InputError, OutputError: a picture cannot be read, a file cannot be written.
    """
    keep_freed_memory()
    make_folder(run)
    recipe = trainer.recipe
    stream = batches(sets, recipe.batch, recipe.size, recipe.seed, start=trainer.step_done)
    log: list[Terms] = truncate_log(run, trainer.step_done)
    left = length.total - trainer.step_done
    with deferred_interrupt() as check_interrupt, progress("train", left) as advance:
        for terms in _steps(trainer, stream, length):
            log.append(terms)
            append_log(run, terms)
            advance(_brief(terms))
            if trainer.step_done % length.epoch == 0 or trainer.step_done == length.total:
                trainer.save(run)
                sheet = run / SAMPLES / f"{trainer.step_done:07d}.jpg"
                write_samples(trainer.generator, trainer.device, val, sheet)
                tell(f"step {trainer.step_done} of {length.total}: {_brief(terms)}")
            try:
                check_interrupt()
            except KeyboardInterrupt:
                trainer.save(run)
                raise
    return means(log[-length.epoch :])


def _steps(trainer: Trainer, stream: Iterator[Batch], length: Plan) -> Iterator[Terms]:
    while trainer.step_done < length.total:
        batch = next(stream).to(trainer.device)
        started = time.perf_counter()
        initial = trainer.step_done < length.initial
        terms = trainer.initialise_step(batch) if initial else trainer.step(batch)
        bad = [name for name, value in terms.items() if not np.isfinite(value)]
        if bad:
            raise TrainingError(
                f"step {trainer.step_done}",
                f"{bad[0]} is not a number any more",
                "start again from the last saved state with lower learning rates",
            )
        trainer.step_done += 1
        terms["seconds"] = round(time.perf_counter() - started, 3)
        yield {"step": trainer.step_done, **terms}


def _brief(terms: Terms) -> str:
    names = ("content", "gram", "colour", "adversarial", "d")
    return " ".join(f"{name} {terms[name]:.3g}" for name in names if name in terms)
