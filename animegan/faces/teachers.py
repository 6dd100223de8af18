"""The classifiers of a run: trained once, kept in its folder, judged on held-out faces.

runs/<name>/classifiers.safetensors      the report's two, which teach the generator
runs/<name>/examiner.safetensors         the one that only judges
runs/<name>/classifiers.json             how often each is right about held-out faces
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import RootModel

from animegan import checkpoint
from animegan.checkpoint import Header
from animegan.errors import CheckpointError
from animegan.faces import classifiers, examiner
from animegan.faces.answers import Answers, Given, compare
from animegan.faces.classifiers import ColourClassifiers, train_classifier
from animegan.faces.collection import Faces
from animegan.faces.examiner import Examiner, train_examiner
from animegan.faces.learning import CPU, Network, Schedule
from animegan.faces.words import COLOURS
from animegan.run import write_json
from animegan.tensors import place, to_batch

CLASSIFIERS_FILE = "classifiers.safetensors"
EXAMINER_FILE = "examiner.safetensors"
ANSWERS_FILE = "classifiers.json"
_CLASSIFIERS, _EXAMINER = "classifiers", "examiner"
_BATCH = 128


class _Report(RootModel[list[Answers]]):
    """The file of answers."""


@dataclass(frozen=True)
class Teachers:
    """All classifiers of a run, in evaluation mode, their weights without gradients.

    Attributes:
        classifiers: the report's two.
        examiner: the one that only judges.
        report: what they answered about held-out faces.
    """

    classifiers: ColourClassifiers
    examiner: Examiner
    report: list[Answers]


@dataclass(frozen=True)
class _Job:
    """What the classifiers of a run are trained with."""

    run: Path
    train: Faces
    device: torch.device
    seed: int
    tell: Callable[[str], None]

    def classifiers(self) -> ColourClassifiers:
        """The report's, from the run's folder if they are there."""

        def trained() -> ColourClassifiers:
            self.tell(f"training the classifiers of hair and eyes on {len(self.train):,} faces")
            both = ColourClassifiers()
            both.hair, both.eyes = (
                train_classifier(self.train, attribute, self.seed, self.device)
                for attribute in COLOURS
            )
            return both

        header = self._header(_CLASSIFIERS, classifiers.SCHEDULE)
        return self._kept(CLASSIFIERS_FILE, header, ColourClassifiers, trained)

    def examiner(self) -> Examiner:
        """The examiner, likewise."""

        def trained() -> Examiner:
            self.tell(f"training the examiner on {len(self.train):,} faces")
            return train_examiner(self.train, self.seed, self.device)

        header = self._header(_EXAMINER, examiner.SCHEDULE)
        return self._kept(EXAMINER_FILE, header, Examiner, trained)

    def _header(self, kind: str, schedule: Schedule) -> Header:
        recipe = {"seed": self.seed, "faces": self.train.fingerprint(), **asdict(schedule)}
        return Header(kind, checkpoint.FACES, schedule.passes, recipe)

    def _kept(
        self, name: str, header: Header, new: Callable[[], Network], trained: Callable[[], Network]
    ) -> Network:
        """Load a network if its file is there, whole, and trained with the same."""
        path = self.run / name
        if path.exists():
            try:
                if checkpoint.read_header(path) == header:
                    network = new()
                    checkpoint.load_tensors(network, path)
                    return _frozen(network, self.device)
                self.tell(f"{path}: trained with other faces or settings; made anew")
            except CheckpointError as error:
                self.tell(f"{path}: {error.problem}; made anew")
        network = trained()
        checkpoint.write(path, network.state_dict(), header)
        return _frozen(network, self.device)


def prepare_classifiers(
    run: Path,
    train: Faces,
    held_out: Faces,
    device: torch.device,
    seed: int,
    tell: Callable[[str], None],
) -> Teachers:
    """Train what a run's folder does not hold yet, and ask all about held-out faces.

    Files of other faces, another seed or another schedule, and broken ones, are made anew.

    Args:
        run: its folder.
        train: faces to learn from.
        held_out: faces to be asked about; there may be none.
        device: where to compute.
        seed: of all training.
        tell: is called with a line for all that takes long.

    Raises:
        TrainingError: nothing is said of the hair, or of the eyes, of any face.
        OutputError: the folder cannot be written.
    """
    job = _Job(run, train, device, seed, tell)
    both, examining = job.classifiers(), job.examiner()
    report = [
        *compare("classifier", answered(both, held_out.pictures), held_out, train),
        *compare("examiner", answered(examining, held_out.pictures), held_out, train),
    ]
    write_json(run / ANSWERS_FILE, _Report(report).model_dump(mode="json"))
    return Teachers(both, examining, report)


@torch.inference_mode()
def answered(network: ColourClassifiers | Examiner, pictures: NDArray[np.uint8]) -> Given:
    """The colours that a network sees, on the device where it is.

    Args:
        network: in evaluation mode.
        pictures: uint8 RGB N×64×64×3.

    Returns:
        Places in `HAIR` and in `EYES`, N each.
    """
    device = next(network.parameters()).device
    hair, eyes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for some in torch.from_numpy(pictures).split(_BATCH) if len(pictures) else ():
        of_hair, of_eyes = network(to_batch(some, device))
        hair.append(of_hair.argmax(1).cpu().numpy())
        eyes.append(of_eyes.argmax(1).cpu().numpy())
    return np.concatenate(hair), np.concatenate(eyes)


def load_examiner(path: Path) -> Examiner:
    """Load the examiner of a run, on the CPU.

    Args:
        path: its file.

    Raises:
        CheckpointError: missing, broken or something else.
    """
    header = checkpoint.read_header(path)
    if (header.kind, header.generator) != (_EXAMINER, checkpoint.FACES):
        raise CheckpointError(path, f"holds a {header.kind}", f"name a run's {EXAMINER_FILE}")
    network = Examiner()
    checkpoint.load_tensors(network, path)
    return _frozen(network, CPU)


def _frozen(network: Network, device: torch.device) -> Network:
    network.eval().requires_grad_(requires_grad=False)
    place(network, device)
    return network
