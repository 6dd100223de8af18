"""Photo in, painted picture out, at its own size, whatever that is.

>>> from animegan import Painter
>>> painter = Painter.load("animegan/assets/animeganv2_lite_init.safetensors")
>>> painter.paint(np.zeros((30, 50, 3), np.uint8)).shape
(30, 50, 3)
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from animegan.backends import Engine, choose
from animegan.backends.alike import real_photo
from animegan.backends.wish import Backend, Precision, Wish
from animegan.checkpoint import load_generator
from animegan.device import free_memory, is_out_of_memory, pick_device
from animegan.errors import CheckpointError, PaintingError
from animegan.memory import keep_freed_memory
from animegan.models.blocks import Generator
from animegan.public.tensorflow import index_of
from animegan.scratch import Scratch
from animegan.steady import Steady, survey
from animegan.streaming import TILE, Streaming
from animegan.tensors import Pixels, place, to_picture, to_tensor

RUNS = Path("runs")
#: What a run leaves to paint with: the chosen generator, and the latest.
BEST_FILE = "best.safetensors"
GENERATOR_FILE = "generator.safetensors"

#: Shares of the free memory: for a whole picture, and for what is kept between passes over tiles.
_WHOLE, _KEPT = 0.8, 0.5

_PLAIN = Wish("torch", "fp32")


def find_model(model: Path | None) -> Path:
    """The generator file that `--model` names: a file or a run; by default the newest run's.

    A run's `best.safetensors` comes before its latest generator. A file may also be one that others
    published, as `public.read` takes them.

    Raises:
        CheckpointError: there is none.
    """
    if model is None:
        found = sorted(RUNS.glob(f"*/{GENERATOR_FILE}"), key=lambda p: (p.stat().st_mtime, p))
        if not found:
            raise CheckpointError(
                RUNS, "there is no trained model here", "run `animeprep train`, or name a --model"
            )
        model = found[-1].parent
    files = (
        folder / name for folder in (model, RUNS / model) for name in (BEST_FILE, GENERATOR_FILE)
    )
    for candidate in (model, index_of(model), *files):
        if candidate is not None and candidate.is_file():
            return candidate
    raise CheckpointError(model, "there is no such model or run", "see the names in runs/")


class Painter:
    """Paints pictures with one generator.

    Args:
        generator: G; its `multiple_of` says what H and W must be multiples of, for which a picture
            is mirrored at the bottom and right.
        device: where to compute.
        wish: what computes whole pictures, and how finely; tiles are torch's, in float32.

    Attributes:
        generator: the same, on `device`.
        device: the same.
    """

    def __init__(self, generator: Generator, device: torch.device, wish: Wish = _PLAIN) -> None:
        place(generator, device)
        if device.type == "cpu":
            keep_freed_memory()  # a third of a painting's time (docs/benchmarks.md)
        self.generator, self.device = generator, device
        self._wish = wish
        self._engine: Engine | None = None
        self._described: dict[str, str | int] = {}

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        device: str = "auto",
        network: str | None = None,
        backend: Backend = "auto",
        precision: Precision = "auto",
    ) -> "Painter":
        """A painter with the weights of a run or file, as `stylize --model` takes them.

        Args:
            model: a run, a generator file, or weights that others published; by default the newest
                run's.
            device: auto, cpu, cuda or mps.
            network: what to build in place of what the file says.
            backend: auto, torch, onnxruntime or openvino; the latter two need an extra.
            precision: auto, fp32, bf16 or fp16.

        Raises:
            CheckpointError: it is not there, or cannot be used.
        """
        file = find_model(None if model is None else Path(model))
        generator, header = load_generator(file, network)
        painter = cls(generator, pick_device(device), Wish(backend, precision))
        painter._described = {"model": str(file), "network": header.generator}
        if header.step:
            painter._described["step"] = header.step
        return painter

    def described(self) -> dict[str, str | int]:
        """What paints: file, network and step of training as far as known, backend and why."""
        told = dict(self._described)
        if self._engine:
            told["backend"] = f"{self._engine.name} ({self._engine.reason})"
        return told

    def prepare(self) -> Engine:
        """Get ready, which the first `paint` does otherwise; answers what paints.

        Raises:
            UsageError: the backend that is asked for is not installed.
            OutputError: it does not paint as torch does.
        """
        self._engine = choose(self.generator, self.device, self._sample, self._wish)
        return self._engine

    def steady(self) -> Engine:
        """What paints with given norms: photo 1×3×H×W, norms 2×K (`animegan.steady`) → painted.

        Raises:
            UsageError: the backend that is asked for is not installed.
            OutputError: it does not paint as torch does.
        """

        def sample() -> tuple[Tensor, ...]:
            (photo,) = self._sample()
            return photo, survey(self.generator, [photo])

        return choose(Steady(self.generator), self.device, sample, self._wish, film=True)

    def _sample(self) -> tuple[Tensor, ...]:
        return (real_photo(self.generator.multiple_of).to(self.device),)

    def fits(self, height: int, width: int) -> bool:
        """Whether a picture of that size can be painted whole in the memory there is."""
        needed = height * width * self.generator.bytes_per_pixel
        return needed <= _WHOLE * free_memory(self.device)

    def paint(
        self,
        picture: Pixels,
        *,
        in_tiles: bool | None = None,
        advance: Callable[[float], None] | None = None,
    ) -> Pixels:
        """Paint one picture.

        Args:
            picture: uint8 or uint16 RGB H×W×3 of any size.
            in_tiles: paint it in tiles, which takes less memory, two to three times as long, and
                gives the same to rounding; by default where it does not fit whole.
            advance: told the share that is done, 0 to 1, of a painting in tiles.

        Returns:
            RGB of the same type and H×W×3.

        Raises:
            PaintingError: not even tiles find the room they need.
        """
        height, width = picture.shape[:2]
        padded = self._pad(picture)
        if in_tiles is None:
            in_tiles = not self.fits(*padded.shape[:2])
        painted = None if in_tiles else self._whole(padded)
        if painted is None:
            painted = self._tiles(padded, advance)
        return painted[:height, :width]

    def _pad(self, picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        multiple = self.generator.multiple_of
        bottom, right = -height % multiple, -width % multiple
        # The deepest 3×3 reflection needs two pixels there.
        bottom += multiple * (height + bottom < 2 * multiple)
        right += multiple * (width + right < 2 * multiple)
        return np.pad(picture, ((0, bottom), (0, right), (0, 0)), mode="symmetric")

    def _whole(self, picture: Pixels) -> Pixels | None:
        """None where memory runs out after all."""
        try:
            photo = to_tensor(picture).to(self.device)
            return to_picture((self._engine or self.prepare())(photo), picture.dtype)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _tiles(self, picture: Pixels, advance: Callable[[float], None] | None) -> Pixels:
        height, width = picture.shape[:2]
        free, side = free_memory(self.device), TILE
        while side > 64 and side**2 * self.generator.bytes_per_pixel > (1 - _KEPT) * free:
            side //= 2
        scratch = Scratch(int(_KEPT * free), self.device)
        try:
            return Streaming(self.generator, self.device, side).paint(picture, scratch, advance)
        except (RuntimeError, MemoryError, OSError) as error:
            if not is_out_of_memory(error) and not isinstance(error, OSError):
                raise
            raise PaintingError(
                f"{width}×{height}",
                "there is not enough memory, nor room for temporary files, to paint it",
                "free some, set TMPDIR to a folder with more room, or scale it down",
            ) from error
