"""Every N-th picture of films, and stills, into `frames/`. Verb: frames.

The report on reproducing CartoonGAN that this project starts from takes every 50th picture.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from animeprep.dataset import FRAMES, Dataset
from animeprep.errors import AnimeprepError, FilmError, InputError, PictureError
from animeprep.files import sha256, sweep_parts, write_atomic, writing
from animeprep.film import Decoding, Film, pictures, probe, slug
from animeprep.folders import DROPPED, FAILED, KEPT, MADE, Settings, Summary
from animeprep.images import Picture, decode_rgb, encode_png, is_image, list_images, read_bytes
from animeprep.progress import progress
from animeprep.records import Record, Records

STAGE = "frames"
FILMS = "films"
_ENCODERS = 2


class FrameSettings(Settings):
    """Which pictures to take."""

    every: int = Field(default=50, ge=1)
    """take pictures 0, N, 2N, … of each film, in presentation order"""


class Sieve(Protocol):
    """Decides, while a film is read, which of the sampled pictures are written."""

    def knows(self, name: str) -> bool:
        """Whether a picture was judged before, so that it need not be seen again."""
        ...

    def judge(self, name: str, picture: Picture) -> bool:
        """Look at a picture and say whether to write it."""
        ...

    def written(self, name: str, digest: str) -> None:
        """Told once a picture lies in its file, with the file's SHA-256."""
        ...


@dataclass
class _Run:
    """What one run of the stage works with."""

    dataset: Dataset
    records: Records
    summary: Summary
    sieve: Sieve | None
    waiting: deque[Future[Record]] = field(default_factory=deque)
    encoders: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_ENCODERS, thread_name_prefix="png")
    )

    def is_done(self, name: str) -> bool:
        """Whether an earlier run wrote the picture, or looked at it and left it out."""
        for record in self.records.of(name):
            if record["status"] == MADE:
                return self.dataset.path(name).exists()
            if record["status"] == DROPPED:
                return self.sieve is not None and self.sieve.knows(name)
        return False

    def take(self, name: str, picture: Picture, origin: dict[str, Any]) -> None:
        """Have a picture written in the background, or recorded as left out."""
        record: Record = {"file_name": name, "status": MADE, **origin}
        if self.sieve is not None and not self.sieve.judge(name, picture):
            _unwrite(self.dataset.path(name), picture)
            self.finish({**record, "status": DROPPED})
            return
        self.waiting.append(self.encoders.submit(_write, self.dataset.path(name), picture, record))
        while len(self.waiting) > 2 * _ENCODERS:
            self.finish(self.waiting.popleft().result())

    def finish(self, record: Record) -> None:
        """Record a picture."""
        name = record["file_name"]
        if self.sieve is not None and record["status"] == MADE:
            self.sieve.written(name, record["sha256"])
        self.records.put(name, [record])
        self.summary.counts[record["status"]] += 1

    def drain(self) -> None:
        """Wait for the pictures that are being written."""
        while self.waiting:
            self.finish(self.waiting.popleft().result())


def _write(path: Path, picture: Picture, record: Record) -> Record:
    data = encode_png(picture)
    write_atomic(path, data)
    return {**record, "sha256": sha256(data)}


def _unwrite(path: Path, picture: Picture) -> None:
    """Remove a picture that a killed run wrote and had no time to record."""
    if path.exists() and path.read_bytes() == encode_png(picture):
        with writing(path):
            path.unlink()


def frames(
    dataset: Dataset,
    inputs: list[Path],
    settings: FrameSettings,
    *,
    sieve: Sieve | None = None,
    dry_run: bool = False,
) -> Summary:
    """Write the sampled pictures of films and the pictures of folders to `frames/`.

    Args:
        dataset: where to.
        inputs: films, pictures, and folders of pictures (all of whose pictures are taken).
        settings: which pictures of a film.
        sieve: leaves pictures out while the film is read; None writes every sampled picture.
        dry_run: count only.

    Returns:
        Counts of pictures; a film that cannot be read is a problem and the others go on.

    Raises:
        InputError: none of the inputs could be used.
        OutputError: a picture cannot be written.
    """
    run = _Run(dataset, dataset.records(STAGE), Summary(STAGE, dry_run=dry_run), sieve)
    films, stills, problems = _sort_out(inputs)
    for path in films:
        try:
            _sample_film(run, path, settings, dry_run=dry_run)
        except FilmError as error:
            problems.append(error)
        finally:
            run.drain()
    try:
        _take_stills(run, stills, problems, dry_run=dry_run)
    finally:
        run.drain()
    run.encoders.shutdown()
    if problems and not run.summary.counts:
        raise problems[0]
    for problem in problems:
        run.summary.counts[FAILED] += 1
        run.summary.problems.append(str(problem))
    if not dry_run:
        run.records.tidy()
        sweep_parts(dataset.root / FRAMES)
    return run.summary


def _sort_out(inputs: list[Path]) -> tuple[list[Path], list[Path], list[AnimeprepError]]:
    """Inputs → films, stills, and what is neither."""
    films: list[Path] = []
    stills: list[Path] = []
    problems: list[AnimeprepError] = []
    for path in inputs:
        if path.is_dir():
            found = list_images(path, recursive=True)
            stills += found
            if not found:
                problems.append(InputError(path, "there are no pictures in this folder"))
        elif not path.exists():
            problems.append(InputError(path, "there is no such file", "check the name"))
        elif is_image(path) and path.suffix.lower() != ".gif":
            stills.append(path)
        else:
            films.append(path)
    return films, stills, problems


def _sample_film(run: _Run, path: Path, settings: FrameSettings, *, dry_run: bool) -> None:
    """Take a film's pictures; what was taken of it under another `every` goes."""
    film = probe(path)
    ledger = run.dataset.records(FILMS)
    announced = ledger.of(film.film_id)
    complete = bool(announced) and announced[0]["settings"] == settings.fingerprint()
    known = [r for r in run.records if r.get("film_id") == film.film_id]
    if complete and known and all(run.is_done(r["file_name"]) for r in known):
        run.summary.counts["unchanged"] += len(known)
        return
    if dry_run:
        # The container's count is an announcement; only decoding would tell exactly.
        run.summary.counts["to do"] += -(-film.frames // settings.every) if film.frames else 1
        return
    decoding = Decoding()
    taken: set[str] = set()
    try:
        for name, picture, origin in _wanted(run, film, settings, decoding, taken):
            run.take(name, picture, origin)
    finally:
        run.drain()
    if not decoding.pictures:
        raise FilmError(path, "no picture of it can be decoded", "check that it plays")
    _forget_unwanted(run, known, taken)
    ledger.put(film.film_id, [_film_record(film, settings, decoding)])
    ledger.tidy()
    if decoding.corrupt:
        run.summary.reasons["corrupt packets"] += decoding.corrupt
        run.summary.problems.append(f"{path}: {decoding.corrupt} corrupt packets were skipped")


def _wanted(
    run: _Run, film: Film, settings: FrameSettings, decoding: Decoding, taken: set[str]
) -> Iterator[tuple[str, Picture, dict[str, Any]]]:
    """The sampled pictures that are not there yet: name, picture, where it comes from."""

    def wanted(index: int) -> bool:
        if index % settings.every:
            return False
        name = frame_name(film.film_id, index)
        taken.add(name)
        if run.is_done(name):
            run.summary.counts["unchanged"] += 1
            advance()
            return False
        return True

    total = -(-film.frames // settings.every) or None
    with progress(f"frames {film.path.name}", total) as advance:
        for picture in pictures(film, wanted, decoding):
            origin = {
                "film": film.path.name,
                "film_id": film.film_id,
                "index": picture.index,
                "seconds": picture.seconds,
            }
            yield frame_name(film.film_id, picture.index), picture.rgb, origin
            advance()


def frame_name(film_id: str, index: int) -> str:
    """The file of a picture of a film.

    >>> frame_name("movie-1a2b3c4d", 50)
    'frames/movie-1a2b3c4d_0000050.png'
    """
    return f"{FRAMES}/{film_id}_{index:07d}.png"


def _forget_unwanted(run: _Run, known: Iterable[Record], taken: set[str]) -> None:
    for record in known:
        name = record["file_name"]
        path = run.dataset.path(name)
        if name in taken:
            continue
        if path.exists() and sha256(path.read_bytes()) == record.get("sha256"):
            with writing(path):
                path.unlink()
            run.summary.counts["removed"] += 1
        run.records.drop(name)


def _film_record(film: Film, settings: FrameSettings, decoding: Decoding) -> Record:
    area = film.area
    return {
        "file_name": film.path.name,
        "status": KEPT,
        "source": film.film_id,
        "settings": settings.fingerprint(),
        "every": settings.every,
        "codec": film.codec,
        "stored_size": [film.width, film.height],
        "rate": film.rate,
        "pictures": decoding.pictures,
        "corrupt": decoding.corrupt,
        "area": [area.left, area.top, area.width, area.height] if area else None,
        "decisions": film.decisions,
    }


def _take_stills(
    run: _Run, stills: list[Path], problems: list[AnimeprepError], *, dry_run: bool
) -> None:
    with progress("frames: stills", len(stills)) as advance:
        for path in stills:
            advance()
            try:
                data = read_bytes(path)
                name = f"{FRAMES}/{slug(path.stem)}-{sha256(data)[:8]}.png"
                if run.is_done(name):
                    run.summary.counts["unchanged"] += 1
                elif dry_run:
                    run.summary.counts["to do"] += 1
                else:
                    run.take(name, decode_rgb(data, path), {"still": path.name})
            except PictureError as error:
                problems.append(error)


def restore(dataset: Dataset, films: list[Path], names: set[str]) -> None:
    """Decode pictures again that were left out at first, in one pass over each film.

    Args:
        dataset: where to.
        films: the inputs they came from.
        names: the frames to bring back; of `frames/…` names of films or stills.

    Raises:
        FilmError: a film cannot be read any more.
    """
    records = dataset.records(STAGE)
    lost = {name: records.of(name)[0] for name in names}
    paths, stills, _ = _sort_out(films)
    for path in paths:
        film = probe(path)
        indexes = {r["index"]: n for n, r in lost.items() if r.get("film_id") == film.film_id}
        if indexes:
            for picture in pictures(film, indexes.__contains__):
                name = indexes[picture.index]
                _restored(dataset, records, name, picture.rgb)
    for path in stills:
        data = read_bytes(path)
        name = f"{FRAMES}/{slug(path.stem)}-{sha256(data)[:8]}.png"
        if name in lost:
            _restored(dataset, records, name, decode_rgb(data, path))
    records.tidy()


def _restored(dataset: Dataset, records: Records, name: str, picture: Picture) -> None:
    record = {**records.of(name)[0], "status": MADE}
    records.put(name, [_write(dataset.path(name), picture, record)])
