"""What two networks make of faces: their colours, and features to measure them by."""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan.faces.measures import Features, Places
from animegan.faces.untrained import Untrained
from animegan.tensors import to_batch
from animeprep.progress import Advance

_BATCH = 100
_CPU = torch.device("cpu")


class Sees(Protocol):
    """What is asked of the examiner."""

    def see(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Faces N×3×64×64 in [-1, 1] → logits of hair N×12 and of eyes N×11; features N×D."""
        ...


class Looks(NamedTuple):
    """What N faces look like.

    Attributes:
        hair: the examiner's answers, places in `HAIR`.
        eyes: likewise, places in `EYES`.
        features: the examiner's, N×D.
        untrained: those of a network that learned nothing, N×448.
    """

    hair: Places
    eyes: Places
    features: Features
    untrained: Features

    @property
    def all_features(self) -> Features:
        """Both networks' features beside each other.

        The examiner's tell colours and what it takes them from, and hardly see noise or a little
        blur; the other's see those, and eyes hardly.
        """
        return np.hstack((self.features, self.untrained))


@torch.inference_mode()
def look(
    examiner: Sees,
    pictures: NDArray[np.uint8],
    device: torch.device = _CPU,
    advance: Advance = lambda *_note, **_by: None,
) -> Looks:
    """Look at faces.

    Args:
        examiner: in evaluation mode, on `device`.
        pictures: uint8 RGB N×64×64×3, at least one.
        device: where to compute.
        advance: is told how many have been looked at.
    """
    untrained = Untrained().to(device)
    parts: list[tuple[Tensor, ...]] = []
    for some in torch.from_numpy(np.ascontiguousarray(pictures)).split(_BATCH):
        faces = to_batch(some, device)
        hair, eyes, features = examiner.see(faces)
        found = hair.argmax(1), eyes.argmax(1), features, untrained.features(faces)
        parts.append(tuple(one.cpu() for one in found))
        advance(by=len(faces))
    hair, eyes, features, plain = (torch.cat(part) for part in zip(*parts, strict=True))
    return Looks(hair.numpy(), eyes.numpy(), features.double().numpy(), plain.double().numpy())
