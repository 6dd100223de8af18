"""Train the built-in initialisation of AnimeGAN: a generator that redraws photos as they are.

The initialisation phase knows no style, so one trained generator serves every film. It learns
content and colour together, 1.5·L_con + 3000·mean|ΔYUV|, because content alone lets the colours
drift to orange and teal. The pictures must be free to use; `animegan/assets/README.md` names
those of the shipped file.

    python examples/train_init.py PICTURES_FOLDER init.safetensors --steps 2000
"""

import argparse
import json
import math
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from animegan.losses import content_loss, to_yuv
from animegan.models import GENERATORS
from animegan.models.vgg import VGGFeatures
from animegan.tensors import to_tensor
from animeprep.images import list_images, read_rgb

CONTENT_WEIGHT = 1.5
COLOUR_WEIGHT = 3000.0
BATCH = 4
#: Share of the steps → side of the views: small and many first, then full size.
SIZES = ((0.75, 64), (1.0, 128))
ASSETS = Path(__file__).parent.parent / "animegan" / "assets"


def random_view(
    pictures: list[NDArray[np.uint8]], size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A random part of a random picture, size×size RGB, colours and orientation shuffled.

    Instance norm removes the mean of what it sees, so absolute colours can only be learned from
    views that show most of a picture, and of every colour: hence the large views, permuted channels.
    """
    picture = pictures[rng.integers(len(pictures))]
    height, width = picture.shape[:2]
    share = rng.uniform(0.4, 1.0)
    side_y = max(size, round(share * height))
    side_x = max(size, min(width, round(side_y * rng.uniform(0.8, 1.25))))
    top, left = rng.integers(height - side_y + 1), rng.integers(width - side_x + 1)
    view = picture[top : top + side_y, left : left + side_x]
    view = cv2.resize(view, (size, size), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    if rng.random() < 0.5:
        view = view[..., rng.permutation(3)]
    gain = rng.uniform(0.7, 1.2)
    return np.clip(view * gain, 0, 255).astype(np.uint8)


def train(folder: Path, out: Path, steps: int) -> None:
    """Train for some steps and write the generator as float16, every hundred steps."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pictures = [read_rgb(path) for path in list_images(folder)]
    features = VGGFeatures("vgg16", load_file(ASSETS / "vgg16_conv4_3.safetensors"))
    features = features.to(memory_format=torch.channels_last)
    generator = GENERATORS["animegan"]().to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(generator.parameters(), betas=(0.9, 0.999))
    for step in range(steps):
        warm = min(1.0, (step + 1) / 50)
        adam.param_groups[0]["lr"] = warm * (
            1e-5 + 5e-4 * (1 + math.cos(math.pi * step / steps)) / 2
        )
        size = next(side for share, side in SIZES if step < share * steps)
        photo = torch.cat([to_tensor(random_view(pictures, size, rng)) for _ in range(BATCH)])
        photo = photo.contiguous(memory_format=torch.channels_last)
        painted = generator(photo)
        with torch.no_grad():
            photo_features = features(photo)
        content: Tensor = content_loss(photo_features, features(painted))
        colour: Tensor = functional.l1_loss(to_yuv(painted), to_yuv(photo))
        loss = CONTENT_WEIGHT * content + COLOUR_WEIGHT * colour
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 2000.0)
        adam.step()
        if step % 10 == 0:
            print(f"{step} content {content.item():.1f} colour {colour.item():.4f}", flush=True)
        if step % 100 == 99 or step == steps - 1:
            save(generator, out, step + 1)


def save(generator: torch.nn.Module, out: Path, steps: int) -> None:
    """Write the weights as float16 safetensors with what they are in the header."""
    tensors = {name: value.half().contiguous() for name, value in generator.state_dict().items()}
    header = {"generator": "animegan", "features": "vgg16", "steps": steps}
    save_file(tensors, out, {"animeprep": json.dumps(header)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    arguments = parser.parse_args()
    train(arguments.folder, arguments.out, arguments.steps)
