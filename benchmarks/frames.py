"""The verb `frames` on a 1080p film beside decoding it alone, and its memory over a longer film.

    python benchmarks/frames.py FILM [--every 50] [--repeat 4]

Where the time must go: H.264 decoding. Target: within 1.3× of decoding alone. Memory: the same for
a film repeated four times as for the film once.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import imageio_ffmpeg

RUNS = 3


def decode(film: Path) -> int:
    """Decode every picture with PyAV, as fast as it goes, and look at none."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def sample(film: Path, every: int, folder: Path) -> None:
    """The verb, in a fresh dataset folder."""
    from animeprep.dataset import Dataset
    from animeprep.frames import FrameSettings, frames

    shutil.rmtree(folder, ignore_errors=True)
    frames(Dataset(folder), [film], FrameSettings(every=every))


def peak_memory(film: Path, every: int, folder: Path) -> int:
    """Peak resident memory of the verb in a process of its own, MiB; Linux only.

    From `/proc`, because `getrusage` in a child begins with its parent's peak.
    """
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from frames import *; "
    code += f"sample(Path({str(film)!r}), {every}, Path({str(folder)!r})); "
    code += "print(Path('/proc/self/status').read_text())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


def repeated(film: Path, times: int, out: Path) -> Path:
    """The film several times in a row, without encoding it anew."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", str(times - 1)]
    command += ["-i", str(film), "-map", "0:v:0", "-c", "copy", "-y", str(out)]
    subprocess.run(command, check=True)
    return out


def main() -> None:
    """Time both in turns, print the ratio, then compare memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("film", type=Path)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "dataset"
        long = repeated(arguments.film, arguments.repeat, Path(name) / "long.mkv")
        pictures = decode(long)
        ratios = []
        for _ in range(RUNS):
            started = time.perf_counter()
            decode(long)
            between = time.perf_counter()
            sample(long, arguments.every, folder)
            ended = time.perf_counter()
            ratios.append((ended - between) / (between - started))
            print(f"decoding alone {between - started:.2f} s, frames {ended - between:.2f} s")
        print(f"{pictures} pictures, every {arguments.every}: "
              f"frames / decoding alone = {statistics.median(ratios):.2f}×")  # fmt: skip
        for film in (arguments.film, long):
            print(f"{film.name}: peak {peak_memory(film, arguments.every, folder)} MiB")


if __name__ == "__main__":
    main()
