"""Photo in, painted picture out, at its own size, whatever that is.

>>> from animegan import Painter
>>> painter = Painter.load("animegan/assets/animeganv2_lite_init.safetensors")
>>> painter.paint(np.zeros((30, 50, 3), np.uint8)).shape
(30, 50, 3)
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from animegan.backends import Engine, choose
from animegan.backends.alike import real_photo
from animegan.backends.wish import Backend, Precision, Wish
from animegan.checkpoint import draws_faces, load_generator
from animegan.device import free_memory, is_out_of_memory, pick_device
from animegan.errors import CheckpointError, PaintingError
from animegan.memory import keep_freed_memory
from animegan.models.blocks import Generator
from animegan.public.tensorflow import index_of
from animegan.scratch import Scratch
from animegan.steady import Statistics, Steady, average, statistics_of, survey
from animegan.streaming import TILE, Streaming
from animegan.tensors import Pixels, place, to_picture, to_tensor

Result = TypeVar("Result")

RUNS = Path("runs")
#: What a run leaves to paint with: the chosen generator, and the latest.
BEST_FILE = "best.safetensors"
GENERATOR_FILE = "generator.safetensors"

#: Shares of the free memory: for a whole picture, and for what is kept between passes over tiles.
_WHOLE, _KEPT = 0.8, 0.5

_PLAIN = Wish("torch", "fp32")


def trained_runs(*, faces: bool = False) -> list[Path]:
    """The runs that have left a generator, the newest first.

    Args:
        faces: those whose generator draws faces from words, not those whose generator paints.
    """
    files = sorted(RUNS.glob(f"*/{GENERATOR_FILE}"), key=lambda p: (p.stat().st_mtime, p))
    return [file.parent for file in reversed(files) if draws_faces(file) == faces]


def find_model(model: Path | None, *, faces: bool = False) -> Path:
    """The generator file that `--model` names: a file or a run; by default the newest run's.

    A run's `best.safetensors` comes before its latest generator. A file may also be one that others
    published, as `public.read` takes them.

    Args:
        model: what is named.
        faces: which runs the newest is one of, as for `trained_runs`.

    Raises:
        CheckpointError: there is none.
    """
    if model is None:
        found = trained_runs(faces=faces)
        if not found:
            verb = "faces train" if faces else "train"
            raise CheckpointError(
                RUNS, "there is no trained model here", f"run `animeprep {verb}`, or name a --model"
            )
        model = found[0]
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
        self._steady: Engine | None = None
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
        if engine := self._steady or self._engine:
            told["backend"] = f"{engine.name} ({engine.reason})"
        return told

    def prepare(self) -> Engine:
        """Get ready, which the first `paint` does otherwise; answers what paints.

        Raises:
            UsageError: the backend that is asked for is not installed.
            OutputError: it does not paint as torch does.
        """
        self._engine = choose(self.generator, self.device, self._sample, self._wish)
        return self._engine

    def prepare_steady(self) -> Engine:
        """Get ready for films, which are painted with given norms.

        Raises:
            UsageError: the backend that is asked for is not installed.
            OutputError: it does not paint as torch does.
        """

        def sample() -> tuple[Tensor, ...]:
            (photo,) = self._sample()
            return photo, survey(self.generator, [photo])

        steady = Steady(self.generator)
        self._steady = choose(steady, self.device, sample, self._wish, film=True)
        return self._steady

    def _sample(self) -> tuple[Tensor, ...]:
        return (real_photo(self.generator.multiple_of).to(self.device),)

    def digest(self) -> str:
        """Sixty-four hexadecimal digits that change with anything that changes its paintings."""
        engines = [engine.name for engine in (self._engine, self._steady) if engine]
        digest = hashlib.sha256(f"{type(self.generator).__name__} {self.device} {engines}".encode())
        for name, values in sorted(self.generator.state_dict().items()):
            digest.update(name.encode() + values.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def fits(self, height: int, width: int) -> bool:
        """Whether a picture of that size can be painted whole in the memory there is."""
        needed = height * width * self.generator.bytes_per_pixel
        return needed <= _WHOLE * free_memory(self.device)

    def paint(
        self,
        picture: Pixels,
        *,
        norms: Tensor | None = None,
        in_tiles: bool | None = None,
        advance: Callable[[float], None] | None = None,
    ) -> Pixels:
        """Paint one picture.

        Args:
            picture: uint8 or uint16 RGB H×W×3 of any size.
            norms: of the shot that it is from, by `survey`; by default its own.
            in_tiles: paint it in tiles, which takes less memory, longer, and gives the same to
                rounding or to 80 dB (docs/painting.md); by default where it does not fit whole.
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
        painted = None if in_tiles else self._whole(padded, norms)
        if painted is None:
            painted = self._tiles(padded, norms, advance)
        return painted[:height, :width]

    def paint_each(self, pictures: Iterable[Pixels]) -> Iterator[Pixels]:
        """Paint one after the other; meanwhile the next one is taken, in a thread.

        Args:
            pictures: as `paint` takes them; a generator that reads files, say.

        Raises:
            PaintingError: as `paint`.
        """
        source = iter(pictures)
        with ThreadPoolExecutor(1) as reader:
            following = reader.submit(next, source, None)
            while (picture := following.result()) is not None:
                following = reader.submit(next, source, None)
                yield self.paint(picture)

    def survey(self, pictures: Iterable[Pixels]) -> Tensor:
        """The norms for all pictures of a shot, from some of them: see `steady`.

        Args:
            pictures: uint8 or uint16 RGB H×W×3.

        Raises:
            PaintingError: not even tiles find the room they need.
        """
        padded = (self._pad(picture) for picture in pictures)
        return average(self.generator, (self._statistics(picture) for picture in padded))

    def _statistics(self, picture: Pixels) -> Statistics:
        """What the norms find in a picture, whole if it fits."""
        if self.fits(*picture.shape[:2]):
            photo = to_tensor(picture).to(self.device, memory_format=torch.channels_last)
            found = self._if_there_is_room(lambda: statistics_of(self.generator, photo))
            if found is not None:
                return found
        streaming = self._streaming(self.generator)
        self._stream(streaming, picture)
        return streaming.statistics()

    def _pad(self, picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        multiple = self.generator.multiple_of
        bottom, right = -height % multiple, -width % multiple
        # The deepest 3×3 reflection needs two pixels there.
        bottom += multiple * (height + bottom < 2 * multiple)
        right += multiple * (width + right < 2 * multiple)
        return np.pad(picture, ((0, bottom), (0, right), (0, 0)), mode="symmetric")

    def _whole(self, picture: Pixels, norms: Tensor | None) -> Pixels | None:
        """None where memory runs out after all."""

        def run() -> Pixels:
            photo = to_tensor(picture).to(self.device)
            if norms is None:
                painted = (self._engine or self.prepare())(photo)
            else:
                painted = (self._steady or self.prepare_steady())(photo, norms)
            return to_picture(painted, picture.dtype)

        return self._if_there_is_room(run)

    def _if_there_is_room(self, run: Callable[[], Result]) -> Result | None:
        """What it answers; None where memory runs out."""
        try:
            return run()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _tiles(
        self, picture: Pixels, norms: Tensor | None, advance: Callable[[float], None] | None
    ) -> Pixels:
        generator = self.generator
        if norms is not None:
            steady = Steady(generator)
            steady.give(norms)
            generator = steady.generator
        return self._stream(self._streaming(generator), picture, advance)

    def _streaming(self, generator: Generator) -> Streaming:
        free, side = free_memory(self.device), TILE
        while side > 64 and side**2 * self.generator.bytes_per_pixel > (1 - _KEPT) * free:
            side //= 2
        return Streaming(generator, self.device, side)

    def _stream(
        self,
        streaming: Streaming,
        picture: Pixels,
        advance: Callable[[float], None] | None = None,
    ) -> Pixels:
        height, width = picture.shape[:2]
        scratch = Scratch(int(_KEPT * free_memory(self.device)), self.device)
        try:
            return streaming.paint(picture, scratch, advance)
        except (RuntimeError, MemoryError, OSError) as error:
            if not is_out_of_memory(error) and not isinstance(error, OSError):
                raise
            raise PaintingError(
                f"{width}×{height}",
                "there is not enough memory, nor room for temporary files, to paint it",
                "free some, set TMPDIR to a folder with more room, or scale it down",
            ) from error
