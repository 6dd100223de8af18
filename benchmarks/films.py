"""Reading a 1080p H.264 film beside FFmpeg's full decode, and beside what users do today.

    python benchmarks/films.py FILM [--every 50] [--pictures 3000] [--keep FOLDER]

FILM, Sintel's trailer say, is scaled to 1080p and repeated until it has enough pictures. Targets,
in parts of the time of `ffmpeg -f null`, with probing and starting processes: every 50th picture
0.75, key pictures 0.12. Memory of all processes together: 600 MB, whatever the film's length.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import cv2
import imageio_ffmpeg

from animeprep.dataset import Dataset
from animeprep.film import Film, Selection, pictures, probe
from animeprep.film.team import dismiss_all
from animeprep.frames import FrameSettings, frames

ROUNDS = 3
REFERENCE = "ffmpeg -f null, everything"
#: Row → at most so many parts of the reference's time.
TARGETS = {"ours, every N-th: whole": 0.75, "ours, key pictures: whole": 0.12}
MAX_MEMORY = 600
#: Seconds between two looks at the memory.
LOOK = 0.05


@dataclass
class Bench:
    """What is measured, and what was found.

    Attributes:
        path: the 1080p film.
        film: the same, probed.
        every: N.
        folder: for what is written.
        seconds: row of the table → of each round.
        counts: row of the table → pictures that it gave.
    """

    path: Path
    film: Film
    every: int
    folder: Path
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def lap(self, row: str) -> Iterator[None]:
        """Time what is inside."""
        started = time.perf_counter()
        yield
        self.seconds[row].append(time.perf_counter() - started)

    def fresh(self) -> Path:
        """An empty folder."""
        folder = self.folder / "pictures"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


def ffmpeg(*arguments: str | Path) -> None:
    """Run FFmpeg."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


def encoded(film: Path, count: int, folder: Path) -> Path:
    """The film at 1080p with B-frames and at least so many pictures; made where it is not there."""
    times = -(-count // probe(film).pictures)
    made = folder / f"{film.stem}-{times}x-1080p.mkv"
    if not made.exists():
        print(f"encoding {times} times {film.name}: a few minutes")
        part = made.with_suffix(".part.mkv")
        looped = ["-stream_loop", str(times - 1), "-i", film, "-map", "0:v:0"]
        x264 = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-crf", "20"]
        ffmpeg(*looped, "-vf", "scale=1920:1080,setsar=1", *x264, part)
        part.replace(made)
    return made


def repeated(film: Path, times: int, out: Path) -> Path:
    """The film several times in a row, without encoding it anew."""
    ffmpeg("-stream_loop", str(times - 1), "-i", film, "-map", "0:v:0", "-c", "copy", out)
    return out


def decode_all(bench: Bench) -> None:
    """FFmpeg decodes everything with as many threads as it likes, and writes nothing."""
    with bench.lap(REFERENCE):
        ffmpeg("-i", bench.path, "-map", "0:v:0", "-f", "null", "-")


def ours(bench: Bench, name: str, selection: Selection) -> None:
    """Read pixels as arrays, with and without probing."""
    dismiss_all()
    with bench.lap(f"{name}: whole"):
        film = probe(bench.path, more_to_come=True)
        with bench.lap(f"{name}: after probing"):
            count = sum(1 for _ in pictures(film, selection))
    bench.counts[f"{name}: whole"] = bench.counts[f"{name}: after probing"] = count


def verb(bench: Bench, name: str, settings: FrameSettings) -> None:
    """The verb `frames`, with PNGs."""
    folder = bench.fresh()
    dismiss_all()
    with bench.lap(name):
        summary = frames(Dataset(folder), [bench.path], settings)
    bench.counts[name] = summary.counts["made"]


def select_filter(bench: Bench, name: str) -> None:
    """FFmpeg's own filter, with PNGs."""
    folder = bench.fresh()
    choice = ["-map", "0:v:0", "-vf", f"select=not(mod(n\\,{bench.every}))"]
    with bench.lap(name):
        ffmpeg("-i", bench.path, *choice, "-fps_mode", "passthrough", folder / "%07d.png")
    bench.counts[name] = sum(1 for _ in folder.iterdir())


def cv2_loop(bench: Bench, name: str) -> None:
    """OpenCV's reader: every picture is read, every N-th written."""
    folder = bench.fresh()
    index = 0
    with bench.lap(name):
        capture = cv2.VideoCapture(str(bench.path))
        while True:
            there, picture = capture.read()
            if not there:
                break
            if index % bench.every == 0:
                cv2.imwrite(str(folder / f"{index:07d}.png"), picture)  # noqa: TID251 - their way
            index += 1
        capture.release()
    bench.counts[name] = sum(1 for _ in folder.iterdir())


def moviepy_loop(bench: Bench, name: str) -> None:
    """The same with moviepy, where it is installed."""
    from moviepy import VideoFileClip

    folder = bench.fresh()
    with bench.lap(name), VideoFileClip(str(bench.path), audio=False) as clip:
        for index, picture in enumerate(clip.iter_frames()):
            if index % bench.every == 0:
                bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
                cv2.imwrite(str(folder / f"{index:07d}.png"), bgr)  # noqa: TID251 - their way
    bench.counts[name] = sum(1 for _ in folder.iterdir())


def workers(bench: Bench, name: str, count: int, every: int) -> None:
    """Read pixels with so many processes of one decoder thread each."""
    dismiss_all()
    with patch("animeprep.film.process.cores", lambda: count), bench.lap(name):
        found = sum(1 for _ in pictures(bench.film, Selection(every=every)))
    bench.counts[name] = found


def has_moviepy() -> bool:
    """Whether moviepy is installed; it is no dependency of ours."""
    try:
        import moviepy  # noqa: F401 - only whether it is there
    except ImportError:
        print("moviepy is not installed: left out (pip install moviepy)")
        return False
    return True


def contestants(bench: Bench) -> list[Callable[[], None]]:
    """Everything that is timed."""
    sampling, keys = FrameSettings(every=bench.every), FrameSettings(sample="keyframes")
    found: list[Callable[[], None]] = [
        lambda: decode_all(bench),
        lambda: ours(bench, "ours, every N-th", Selection(every=bench.every)),
        lambda: ours(bench, "ours, key pictures", Selection(keys=True)),
        lambda: verb(bench, "ours, every N-th, PNG: frames", sampling),
        lambda: verb(bench, "ours, key pictures, PNG: frames --sample keyframes", keys),
        lambda: select_filter(bench, "ffmpeg -vf select, PNG"),
        lambda: cv2_loop(bench, "cv2.VideoCapture loop, PNG"),
    ]
    if has_moviepy():
        found.append(lambda: moviepy_loop(bench, "moviepy loop, PNG"))
    for every in dict.fromkeys((bench.every, 5)):
        for count in (1, 2):
            name = f"ours, N = {every}, after probing: {count} worker{'s' if count > 1 else ''}"
            found.append(lambda row=(name, count, every): workers(bench, *row))
    return found


def tree(process: int) -> Iterator[int]:
    """A process and all that it started."""
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from tree(int(child))


def memory(process: int) -> int:
    """Memory of a process in kB; what several share counts in parts (PSS)."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # it has ended
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def watch(process: int, found: list[int], ended: threading.Event) -> None:
    """Look at a tree of processes until told to stop."""
    while not ended.wait(LOOK):
        try:
            found.append(sum(map(memory, tree(process))))
        except OSError:
            continue  # one ended while its children were listed


def peak_memory(bench: Bench, film: Path) -> float:
    """Peak memory of the verb with all its processes, MB; Linux only."""
    command = [sys.executable, "-m", "animeprep", "frames", film, "--dataset", bench.fresh()]
    found, ended = [0], threading.Event()
    with subprocess.Popen(
        [*map(str, command), "--every", str(bench.every)], stdout=subprocess.DEVNULL
    ) as process:
        watcher = threading.Thread(target=watch, args=(process.pid, found, ended))
        watcher.start()
        process.wait()
        ended.set()
        watcher.join()
    if process.returncode:
        raise SystemExit("the verb failed")
    return max(found) * 1024 / 1e6


def check(bench: Bench) -> None:
    """Whoever samples every N-th picture finds the same number of them."""
    counts, expected = bench.counts, bench.counts["ffmpeg -vf select, PNG"]
    for row in ("ours, every N-th: whole", "ours, every N-th, PNG: frames"):
        if counts[row] != expected:
            raise SystemExit(f"{row}: {counts[row]} pictures, but FFmpeg has {expected}")


def show(bench: Bench) -> None:
    """Print the table: medians, and ratios to the reference in the same round."""
    width = max(map(len, bench.seconds))
    print(f"{'':{width}}  seconds   ratio  least   most  pictures  target")
    for row, seconds in bench.seconds.items():
        ratios = [a / b for a, b in zip(seconds, bench.seconds[REFERENCE], strict=True)]
        middle, ratio = statistics.median(seconds), statistics.median(ratios)
        target = f"≤ {TARGETS[row]:.2f}" if row in TARGETS else ""
        count = bench.counts[row] or bench.film.pictures
        line = f"{row:{width}}  {middle:7.2f} {ratio:6.3f}× {min(ratios):5.3f}  {max(ratios):5.3f}"
        print(f"{line} {count:9}  {target}".rstrip())


def show_memory(bench: Bench) -> None:
    """Print the peak for the film, and for three of it in a row."""
    long = repeated(bench.path, 3, bench.folder / "long.mkv")
    for times, film in ((1, bench.path), (3, long)):
        found = peak_memory(bench, film)
        what = f"{times * bench.film.pictures} pictures"
        print(f"memory of all processes of frames, {what}: {found:.0f} MB (target {MAX_MEMORY})")


def main() -> None:
    """Make the film, time all in turns, print the table, then compare memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("film", type=Path)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep", type=Path, help="folder in which the encoded film stays")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keep = arguments.keep or folder
        keep.mkdir(parents=True, exist_ok=True)
        path = encoded(arguments.film, arguments.pictures, keep)
        bench = Bench(path, probe(path), arguments.every, folder)
        packets = bench.film.packets
        print(f"{path.name}: {len(packets)} packets, {packets.disposable.mean():.1%} of them "
              f"non-reference, {packets.keys.mean():.2%} key; N = {arguments.every}")  # fmt: skip
        todo = contestants(bench)
        for number in range(arguments.rounds):
            # Each round begins elsewhere: a machine that grows slower is unfair to none.
            begin = number * len(todo) // arguments.rounds
            for turn in todo[begin:] + todo[:begin]:
                turn()
        check(bench)
        show(bench)
        show_memory(bench)


if __name__ == "__main__":
    main()
