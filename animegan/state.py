"""Saving a run and going on from what was saved.

A state is one file, written whole or not at all, that holds everything the next step depends on;
so a run that is killed at any moment goes on to the bytes of an uninterrupted one. Old states go
only when a new one is in place.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from animegan import checkpoint
from animegan.checkpoint import Header
from animegan.errors import CheckpointError
from animegan.learner import Learner, LearnersRecipe
from animegan.painter import GENERATOR_FILE
from animegan.run import CHECKPOINTS
from animeprep.files import sweep_parts, writing

_STATE, _GENERATOR = "state", "generator"
_RATE = "rate_factor"
#: Where a header's recipe says what was learned from.
DATASET = "dataset"
#: What no option names.
_SPOKEN = {
    DATASET: "other pictures, or other held-out ones, than the dataset has now",
    "scales": "other weights for its feature network (--balance)",
}
#: What may change while a run goes on: how long it is, and how a step is computed.
_FREE = {"epochs", "accumulate", "precision", "compile"}


def state_file(run: Path, step: int) -> Path:
    """Where the state after so many steps lies."""
    return _file(run, _STATE, step)


def generator_file(run: Path, step: int) -> Path:
    """Where the generator after so many steps lies."""
    return _file(run, _GENERATOR, step)


def saved_steps(run: Path) -> list[int]:
    """The steps of all states of a run, in order."""
    return _steps(run, _STATE)


def save(trainer: Learner, run: Path, fingerprint: str) -> None:
    """Write the state, and after it the generators.

    Args:
        trainer: between two steps.
        run: the run's folder.
        fingerprint: of the training sets, as `Sets.fingerprint` has it.

    Raises:
        OutputError: a file cannot be written; what was there is untouched.
    """
    tensors = {**trainer.state(), _RATE: torch.tensor(trainer.rate_factor, dtype=torch.float64)}
    told = _told(trainer.recipe, fingerprint)
    header = Header(_STATE, trainer.recipe.generator, trainer.step_done, told)
    checkpoint.write(state_file(run, trainer.step_done), tensors, header)
    write_generators(trainer, run, fingerprint)


def write_generators(trainer: Learner, run: Path, fingerprint: str) -> None:
    """Write the generator that paints: as the latest, and under its step.

    Args:
        trainer: between two steps.
        run: the run's folder.
        fingerprint: of the training sets.

    Raises:
        OutputError: a file cannot be written.
    """
    recipe, step = trainer.recipe, trainer.step_done
    header = Header(_GENERATOR, recipe.generator, step, _told(recipe, fingerprint))
    for path in (generator_file(run, step), run / GENERATOR_FILE):
        checkpoint.write(path, trainer.painter.state_dict(), header)


def sweep(
    run: Path,
    is_due: Callable[[int], bool] = lambda _step: True,
    *,
    keep: int,
    best: int | None = None,
) -> None:
    """Remove all but the newest state, the last due ones, their generators and the best one's.

    What is saved at a step that is not due, by Ctrl-C or at the end of a shorter plan, costs no due
    step its place: what there is to choose from later does not depend on where a run was stopped.

    Args:
        run: the run's folder, with a state.
        is_due: whether a run is saved at a step however it goes.
        keep: how many due states.
        best: the step of the best generator.

    Raises:
        OutputError: a file cannot be removed.
    """
    steps = saved_steps(run)
    kept = {*[step for step in steps if is_due(step)][-keep:], steps[-1]}
    _remove(run, _STATE, lambda step: step not in kept)
    goes = is_due(steps[-1])
    _remove(run, _GENERATOR, lambda step: step not in {*kept, best} and (goes or not is_due(step)))


def resume(
    trainer: Learner, run: Path, fingerprint: str, tell: Callable[[str], None] = lambda _line: None
) -> bool:
    """Go on from the last state that can be read.

    Args:
        trainer: made with the run's recipe.
        run: the run's folder.
        fingerprint: of the training sets.
        tell: is called with a line for each state that cannot be read.

    Returns:
        Whether there was one.

    Raises:
        CheckpointError: the run has another recipe or other pictures, which the message names; or
            there are states and none of them can be read.
    """
    steps = saved_steps(run)
    for step in reversed(steps):
        path = state_file(run, step)
        try:
            tensors, header = checkpoint.read(path)
        except CheckpointError as error:
            if step == steps[0]:
                raise
            tell(f"{error}; going back to the state before it")
            continue
        _check(path, header.recipe, _told(trainer.recipe, fingerprint))
        _load(trainer, path, tensors)
        return True
    return False


def check(run: Path, recipe: LearnersRecipe, fingerprint: str) -> None:
    """Make sure that a run, where it has begun, may go on so, before anything of it is touched.

    Args:
        run: its folder.
        recipe: what it is to go on with.
        fingerprint: of the training sets.

    Raises:
        CheckpointError: it has another recipe or other pictures, which the message names.
    """
    for step in reversed(saved_steps(run)):
        path = state_file(run, step)
        try:
            saved = checkpoint.read_header(path).recipe
        except CheckpointError:
            continue  # `resume` tells of it
        _check(path, saved, _told(recipe, fingerprint))
        return


def forget_after(run: Path, step: int) -> None:
    """Remove what was saved after a step, and what a killed run left half-written.

    Raises:
        OutputError: a file cannot be removed.
    """
    for kind in (_STATE, _GENERATOR):
        _remove(run, kind, lambda other: other > step)
    for folder in (run, run / CHECKPOINTS):
        sweep_parts(folder)


def _told(recipe: LearnersRecipe, fingerprint: str) -> dict[str, Any]:
    return {**recipe.model_dump(mode="json"), DATASET: fingerprint}


def _check(path: Path, saved: dict[str, Any], ours: dict[str, Any]) -> None:
    for name, value in ours.items():
        if name not in _FREE and saved.get(name) != value:
            what = _SPOKEN.get(name, f"{name.replace('_', '-')} {saved.get(name)}, not {value}")
            raise CheckpointError(
                path,
                f"this run was started with {what}",
                "say another --name, or use what it was started with",
            )


def _load(trainer: Learner, path: Path, tensors: dict[str, Tensor]) -> None:
    try:
        trainer.rate_factor = float(tensors.pop(_RATE))
        trainer.load_state(tensors)
    except (RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(path, "of another network", "say another --name") from error


def _file(run: Path, kind: str, step: int) -> Path:
    return run / CHECKPOINTS / f"{kind}_{step:07d}.safetensors"


def _steps(run: Path, kind: str) -> list[int]:
    found = (path.stem.split("_")[-1] for path in _all(run, kind))
    return sorted(int(digits) for digits in found if digits.isdecimal())


def _all(run: Path, kind: str) -> list[Path]:
    return list((run / CHECKPOINTS).glob(f"{kind}_*.safetensors"))


def _remove(run: Path, kind: str, unwanted: Callable[[int], bool]) -> None:
    for step in _steps(run, kind):
        if unwanted(step):
            path = _file(run, kind, step)
            with writing(path):
                path.unlink(missing_ok=True)
