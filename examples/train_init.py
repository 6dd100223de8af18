"""Train the built-in initialisation of a generator: a network that redraws photos.

The initialisation phase knows no style, so one trained generator serves every film. It learns
content and colour together, 1.5·L_con + 3000·mean|ΔYUV|, because content alone lets the colours
drift to orange and teal. In the end it redraws an edge-preserving smoothing of the photo, the
target of AnimeGANv3's main tail, so that a short training begins with flat areas and clear edges.
The pictures must be free to use; `animegan/assets/README.md` names those of the shipped files.

    python examples/train_init.py PICTURES_FOLDER animeganv2_init.safetensors --network animeganv2
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from identity import start_as_identity
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from animegan.checkpoint import Header, load_tensors, write
from animegan.features import load_features
from animegan.losses import content_loss, to_yuv
from animegan.memory import keep_freed_memory
from animegan.models import GENERATORS
from animegan.models.vgg import VGGFeatures
from animegan.tensors import place, to_tensor
from animeprep.images import list_images, read_rgb, resize

CONTENT_WEIGHT = 1.5
COLOUR_WEIGHT = 3000.0
#: What is written is the moving average of the weights over about 50 steps.
AVERAGE = 0.98


@dataclass(frozen=True)
class Phase:
    """A part of the training.

    Attributes:
        steps: how many.
        size: side of the views, pixels.
        permuted: share of the views with shuffled colour channels.
        rate: learning rate at its beginning; it falls to the next phase's, or to a tenth.
        flat: draw an edge-preserving smoothing of the view rather than the view.
        content: with L_con; without it the feature network's time is saved.
        batch: views in a step.
    """

    steps: int
    size: int
    permuted: float
    rate: float
    flat: bool = False
    content: bool = True
    batch: int = 4


#: Half of the work is done by how these networks' weights begin.
BRIEF = (
    Phase(steps=200, size=48, permuted=0.2, rate=5e-4, content=False),
    Phase(steps=80, size=64, permuted=0.0, rate=4e-4),
    Phase(steps=60, size=96, permuted=0.0, rate=2e-4, flat=True),
)

#: Absolute colours take their time.
INSTANCE_NORMED = (
    *BRIEF,
    Phase(steps=700, size=64, permuted=0.0, rate=5e-4),
    Phase(steps=60, size=96, permuted=0.0, rate=2e-4, flat=True),
)

#: Small views first, some in any colours; then larger ones in natural colours, so that grass learns
#: to be green; then flat areas. Twenty minutes of one core each, CartoonGAN's longer.
PHASES = {
    "animegan": INSTANCE_NORMED,
    "animeganv2": (
        *BRIEF,
        Phase(steps=400, size=64, permuted=0.0, rate=1e-3),
        Phase(steps=60, size=96, permuted=0.0, rate=3e-4, flat=True),
    ),
    "animeganv2-lite": (
        Phase(steps=1100, size=48, permuted=0.5, rate=2e-3, content=False),
        Phase(steps=60, size=96, permuted=0.0, rate=5e-4, flat=True),
    ),
    "cartoongan": INSTANCE_NORMED,
}


def random_view(
    pictures: list[NDArray[np.uint8]], phase: Phase, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A random part of a random picture, size×size RGB, mirrored and its channels shuffled.

    Instance norm removes the mean of what it sees, so absolute colours can only be learned from
    views that show most of a picture: hence the large views.
    """
    picture = pictures[rng.integers(len(pictures))]
    height, width = picture.shape[:2]
    side_y = max(phase.size, round(rng.uniform(0.4, 1.0) * height))
    side_x = max(phase.size, min(width, round(side_y * rng.uniform(0.8, 1.25))))
    top, left = rng.integers(height - side_y + 1), rng.integers(width - side_x + 1)
    view = resize(picture[top : top + side_y, left : left + side_x], phase.size, phase.size)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    if rng.random() < phase.permuted:
        view = view[..., rng.permutation(3)]
    brighter: NDArray[np.uint8] = np.clip(view * rng.uniform(0.5, 1.15), 0, 255).astype(np.uint8)
    return brighter


def train(
    folder: Path, out: Path, phases: tuple[Phase, ...], network: str, start: Path | None = None
) -> None:
    """Train through the phases and write the generator as float16, every hundred steps."""
    torch.manual_seed(0)
    keep_freed_memory()
    rng = np.random.default_rng(len(phases))  # the seed of the weights that are built in
    pictures = [read_rgb(path) for path in list_images(folder)]
    features = load_features("vgg16")
    generator = first_generator(network, start)
    for placed in (generator, features):
        place(placed, torch.device("cpu"))
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
    adam = torch.optim.Adam(generator.parameters(), betas=(0.9, 0.999))
    step = 0
    for phase, after in zip(phases, (*phases[1:], None), strict=True):
        last = after.rate if after else phase.rate / 10
        for done in range(phase.steps):
            rate = phase.rate * (last / phase.rate) ** (done / phase.steps)
            adam.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 50)
            views = [random_view(pictures, phase, rng) for _ in range(phase.batch)]
            photo = to_batch(views)
            target = to_batch([flattened(view) for view in views]) if phase.flat else photo
            loss = distance(generator(photo), target, features if phase.content else None)
            descend(generator, adam, loss)
            average.update_parameters(generator)
            step += 1
            if step % 10 == 0:
                print(f"{step} loss {loss.item():.1f}", flush=True)
            if step % 100 == 0:
                save(average.module, network, out, step)
    save(average.module, network, out, step)


def first_generator(network: str, start: Path | None) -> nn.Module:
    """A generator with the weights of a file, or new ones that redraw their input if that is known.

    Raises:
        CheckpointError: the file is of another network.
    """
    generator = GENERATORS[network]()
    if start is None:
        start_as_identity(generator)
    else:
        load_tensors(generator, start)
    return generator


def to_batch(views: list[NDArray[np.uint8]]) -> Tensor:
    """Pictures → N×3×H×W in [-1, 1], channels last."""
    tensors = torch.cat([to_tensor(view) for view in views])
    return tensors.contiguous(memory_format=torch.channels_last)


def flattened(view: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An edge-preserving smoothing (Gastal & Oliveira, SIGGRAPH 2011): textures go, edges stay."""
    smooth = cv2.edgePreservingFilter(view, flags=cv2.RECURS_FILTER, sigma_s=8, sigma_r=0.3)
    return np.asarray(smooth, np.uint8)


def distance(painted: Tensor, target: Tensor, features: VGGFeatures | None) -> Tensor:
    """The loss: 3000·mean|ΔYUV|, and 1.5·L_con where there is a feature network."""
    loss = COLOUR_WEIGHT * functional.l1_loss(to_yuv(painted), to_yuv(target))
    if features is not None:
        with torch.no_grad():
            target_features = features(target)
        loss = loss + CONTENT_WEIGHT * content_loss(target_features, features(painted))
    return loss


def descend(generator: nn.Module, adam: torch.optim.Adam, loss: Tensor) -> None:
    """One step downhill."""
    adam.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(generator.parameters(), 2000.0)
    adam.step()


def save(generator: nn.Module, network: str, out: Path, steps: int) -> None:
    """Write the weights as float16 with what they are in the header."""
    tensors = {name: value.half() for name, value in generator.state_dict().items()}
    write(out, tensors, Header("generator", network, steps, {"features": "vgg16"}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--network", choices=sorted(PHASES), default="animegan")
    parser.add_argument("--start", type=Path, help="go on from this file, with the last phase")
    arguments = parser.parse_args()
    chosen = PHASES[arguments.network]
    if arguments.start:
        chosen = chosen[-1:]
    train(arguments.folder, arguments.out, chosen, arguments.network, arguments.start)
