"""A run's folder: what lies where in it, and the files of lines that grow step by step.

runs/<name>/recipe.json                          what it is trained with
runs/<name>/checkpoints/state_0001234.safetensors      to go on from; the last few
runs/<name>/checkpoints/generator_0001234.safetensors  G then; the last few and the best
runs/<name>/generator.safetensors                the latest G
runs/<name>/best.safetensors                     the chosen G, which `stylize` takes
runs/<name>/log.jsonl                            every term of every step, not weighted
runs/<name>/metrics.jsonl                        measures on held-out photos, a line for each save
runs/<name>/speed.jsonl                          wall-clock figures, a line for each save
runs/<name>/samples/                             held-out photos painted at each save
runs/<name>/index.html                           all of it to look at
runs/<name>/judge.safetensors                    the classifier that measures

The same command leaves the same bytes in all of them but `speed.jsonl` and `index.html`, however
often it was stopped.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from animegan.errors import TrainingError
from animegan.painter import RUNS
from animeprep import files
from animeprep.errors import UsageError
from animeprep.files import make_folder, write_changed, writing

CHECKPOINTS = "checkpoints"
RECIPE_FILE = "recipe.json"
LOG_FILE, METRICS_FILE, SPEED_FILE = "log.jsonl", "metrics.jsonl", "speed.jsonl"
SAMPLES = "samples"
PAGE = "index.html"

Line = dict[str, Any]


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file of JSON objects; none where it is missing, and no torn one."""
    for line, _ in _whole_lines(path):
        yield line


class Lines:
    """A file of JSON lines that only grows.

    What a full disk does not take waits for the next `flush`, and is never written in half.

    Args:
        path: the file; made where it is missing.
        keep: lines from the first one that is not to be kept on are cut off.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: Path, keep: Callable[[Line], bool] = lambda _line: True) -> None:
        self.path = path
        self._waiting = b""
        self._size = 0
        for line, end in _whole_lines(path):
            if not keep(line):
                break
            self._size = end
        make_folder(path.parent)
        with writing(path):
            path.touch()
        self.flush()

    def append(self, line: Line) -> None:
        """Add a line, which `flush` writes."""
        self._waiting += json.dumps(line).encode() + b"\n"

    def flush(self) -> None:
        """Write what waits.

        Raises:
            OutputError: it cannot be written; it waits on.
        """
        with writing(self.path), self.path.open("r+b") as file:
            file.truncate(self._size)
            file.seek(self._size)
            file.write(self._waiting)
        self._size += len(self._waiting)
        self._waiting = b""


def _whole_lines(path: Path) -> Iterator[tuple[Line, int]]:
    """Each line with the position of its end; up to the first that is none."""
    if not path.exists():
        return
    end = 0
    with path.open("rb") as file:
        for text in file:
            end += len(text)
            try:
                line = json.loads(text)
            except ValueError:
                return
            if not (text.endswith(b"\n") and isinstance(line, dict)):
                return
            yield line, end


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON that people can read.

    Raises:
        OutputError: it cannot be written.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    # Names of files that are no UTF-8: these escapes of odd bytes are JSON's own, too.
    write_changed(path, text.encode(errors="backslashreplace"))


def run_folder(name: str) -> Path:
    """The folder of a run; verbs that take a run look in the folders of runs/ alone.

    Raises:
        UsageError: the name leads elsewhere.
    """
    if Path(name).name != name or name in {"", ".."}:
        raise UsageError(f"--name {name}: say a plain name, its folder will be in {RUNS}/")
    return RUNS / name


def sampled(folder: Path) -> set[int]:
    """The steps of which a folder holds a sample."""
    return {int(path.stem) for path in folder.glob("*.jpg") if path.stem.isdecimal()}


def sample_file(folder: Path, step: int) -> Path:
    """Where the sample of a step lies in its folder."""
    return folder / f"{step:07d}.jpg"


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Let no other training work on a run meanwhile; a killed one's lock is no lock.

    Raises:
        TrainingError: another one is at work.
        OutputError: the folder cannot be written.
    """
    problem = "another training is at work on this run"
    busy = TrainingError(run, problem, "wait for it, or say another --name")
    with files.locked(run, busy):
        yield
