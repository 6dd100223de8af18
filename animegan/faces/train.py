"""A generator of faces, from tagged faces to a finished run."""

from collections.abc import Callable
from pathlib import Path

import torch

from animegan import state
from animegan.faces.answers import classifier_sections
from animegan.faces.batches import FaceBatches
from animegan.faces.collection import Faces, fingerprint
from animegan.faces.course import FaceCourse, Lessons
from animegan.faces.origin import remember
from animegan.faces.reading import Collected
from animegan.faces.recipe import FaceRecipe
from animegan.faces.teachers import prepare_classifiers
from animegan.faces.trainer import FaceTrainer
from animegan.fit import Outcome, fit
from animegan.plan import Plan
from animegan.run import locked
from animegan.run_settings import RunSettings


def plan_faces(recipe: FaceRecipe, faces: Faces, wish: RunSettings) -> Plan:
    """The length of a run; an epoch goes once through the faces."""
    epoch = max(1, len(faces) // recipe.batch)
    total = recipe.epochs * epoch if wish.steps is None else wish.steps
    return Plan(epoch, 0, total, wish.every)


def train_faces(
    collected: Collected,
    recipe: FaceRecipe,
    run: Path,
    device: torch.device,
    wish: RunSettings,
    tell: Callable[[str], None] = lambda _line: None,
) -> Outcome:
    """Train the classifiers, then the generator, from where the run stands.

    Args:
        collected: the faces.
        recipe: all settings.
        run: the run's folder.
        device: where to compute.
        wish: how long, and what is kept.
        tell: is called with a line for all that happens.

    Raises:
        TrainingError: too few faces, faces of one colour alone, or as `fit`.
        CheckpointError, OutputError, KeyboardInterrupt: as `fit`.
    """
    train, held_out = collected.train, collected.held_out
    FaceBatches(train, recipe, device)  # refuses what cannot be learned from, at once
    with locked(run):
        state.check(run, recipe, fingerprint(train, held_out))
        remember(run, collected)
        teachers = prepare_classifiers(run, train, held_out, device, recipe.seed, tell)
    classifiers = {"hair": teachers.classifiers.hair, "eyes": teachers.classifiers.eyes}
    lessons = Lessons(train, held_out, teachers.examiner, classifier_sections(teachers.report))
    course = FaceCourse(FaceTrainer(recipe, classifiers, device), lessons)
    length = plan_faces(recipe, train, wish)
    return fit(course, run, length, keep=wish.keep, tell=tell)
