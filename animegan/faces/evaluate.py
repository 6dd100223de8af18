"""From a generator and a set of faces to the page and the figures of an evaluation."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from animegan.checkpoint import read_header
from animegan.errors import CheckpointError
from animegan.faces.answers import shown
from animegan.faces.arrange import lay_out, table
from animegan.faces.detector import Detector
from animegan.faces.evaluation import (
    FEATURES,
    FEWEST,
    JOINT,
    Evaluation,
    drawn_like,
    grid_words,
    measure,
    some_of,
)
from animegan.faces.evaluation_page import Shown, told, write_evaluation
from animegan.faces.examiner import Examiner
from animegan.faces.model import load_face_generator
from animegan.faces.origin import AS_ITS_RUN
from animegan.faces.reading import Collected
from animegan.faces.sampling import Sampler
from animegan.faces.teachers import EXAMINER_FILE, load_examiner
from animegan.painter import find_model
from animegan.run import write_json
from animeprep.files import make_folder
from animeprep.folders import MADE, Summary
from animeprep.progress import progress

STAGE = "faces evaluate"
PAGE, FIGURES = "index.html", "evaluation.json"
#: Rows of the assignment's grid, and faces in each.
_GRID = 5
#: Held-out faces that are measured against, at most.
_MOST = 1000


@dataclass(frozen=True)
class Job:
    """What is to be evaluated, and by what.

    Attributes:
        model: the generator's file.
        examiner: the examiner's.
        detector: counts the faces of the grid.
    """

    model: Path
    examiner: Path
    detector: Detector | None


def plan(model: Path | None, examiner: Path | None, detector: Path | None) -> Job:
    """Find what an evaluation needs.

    Args:
        model: as `painter.find_model` takes it.
        examiner: its file; by default that of the generator's run.
        detector: its file, if any.

    Raises:
        CheckpointError: the generator or the examiner is not there.
        InputError: there is no such detector.
    """
    weights = find_model(model, faces=True)
    return Job(weights, examiner or _beside(weights), Detector(detector) if detector else None)


def _beside(weights: Path) -> Path:
    """The examiner of a generator's run; those of single steps lie a folder below."""
    for folder in weights.resolve().parents[:2]:
        if (folder / EXAMINER_FILE).is_file():
            return folder / EXAMINER_FILE
    raise CheckpointError(weights, f"has no {EXAMINER_FILE} beside it", "name one: --examiner")


def foresee(job: Job, data: Collected) -> Summary:
    """What an evaluation would draw.

    Raises:
        CheckpointError: the examiner learned from faces that are held out here, or hardly any are.
    """
    _examiner_of(job, data)
    summary = Summary(STAGE, dry_run=True)
    summary.counts["to do"] = min(_MOST, len(data.held_out))
    summary.figures = {"model": str(job.model), "examiner": str(job.examiner)}
    return summary


def _examiner_of(job: Job, data: Collected) -> Examiner:
    """The examiner, if it can judge these faces."""
    examiner = load_examiner(job.examiner)
    if read_header(job.examiner).recipe.get("faces") != data.train.fingerprint():
        raise CheckpointError(
            job.examiner,
            "did not learn from the faces that are left to training here",
            AS_ITS_RUN,
        )
    if len(data.held_out) < FEWEST:
        told = f"{len(data.held_out)} held-out faces are too few to measure with"
        raise CheckpointError(job.model, told, "train with a larger --held-out")
    return examiner


def evaluate(
    job: Job, data: Collected, out: Path, seed: int, device: torch.device
) -> tuple[Summary, Evaluation]:
    """Draw, measure, and write the page and the figures.

    Args:
        job: of `plan`.
        data: faces as the run read them.
        out: gets `index.html` and `evaluation.json`.
        seed: of the drawn faces.
        device: where to compute.

    Raises:
        CheckpointError: a file is broken, the examiner learned from faces that are held out, or
            hardly any are.
        OutputError: something cannot be written.
    """
    examiner = _examiner_of(job, data).to(device)
    make_folder(out)  # rather now than after minutes
    generator, header = load_face_generator(job.model)
    sampler = Sampler(generator, device, seed)
    held_out = some_of(data.held_out, _MOST)
    with progress("drawing faces", len(held_out)) as advance:
        drawn = replace(held_out, pictures=drawn_like(held_out, sampler, advance))
    evaluation = measure(drawn, held_out, data.train, examiner, device)
    faces = _show(sampler, data, job.detector)
    summary = Summary(STAGE, figures={"model": str(job.model), "step": header.step})
    if faces.found is not None:
        summary.figures["detected"] = faces.found
    given = {**summary.figures, "seed": seed}
    write_json(out / FIGURES, {**given, **evaluation.as_dict()})
    title = f"Faces of {job.model}, step {header.step:,}"
    write_evaluation(out / PAGE, title, evaluation, data.train, faces)
    summary.counts[MADE] = len(drawn)
    summary.figures |= {"page": str(out / PAGE), **_in_short(evaluation)}
    return summary, evaluation


def _show(sampler: Sampler, data: Collected, detector: Detector | None) -> Shown:
    """The faces to look at: the grid, and all words."""
    words = grid_words(data.train, _GRID)
    faces = sampler.faces(words, _GRID)
    arranged = table(sampler)
    points = (point for row in arranged.rows for point in row)
    return Shown(
        words,
        [list(faces[first : first + _GRID]) for first in range(0, len(faces), _GRID)],
        lay_out(arranged, sampler.draw(points)),
        detector.count(faces) if detector else None,
    )


def _in_short(evaluation: Evaluation) -> dict[str, str]:
    """The figures that matter most, for the terminal."""
    right = {f"{name} right": shown(one.right) for name, one in evaluation.accuracy.items()}
    return {
        **right,
        "joint distance": told(evaluation.distances[JOINT]["drawn"], 3),
        "diversity": told(evaluation.diversity[FEATURES]),
        "nearest training face": told(evaluation.memorising[FEATURES].ratio),
    }
