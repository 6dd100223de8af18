"""Pictures of films, and stills, into `frames/`. Verb: frames.

The report on reproducing CartoonGAN that this project starts from takes every 50th picture.
"""

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BeforeValidator, Field, model_validator

from animeprep.boxes import Picture
from animeprep.dataset import FRAMES, Dataset
from animeprep.errors import AnimeprepError, FilmError, InputError, PictureError
from animeprep.files import sha256, sweep_parts, write_atomic, writing
from animeprep.film import (
    Decoding,
    Film,
    FilmPicture,
    FilmRules,
    Selection,
    identify,
    pictures,
    probe,
    shots,
)
from animeprep.film.sampling import indexes
from animeprep.film.shots import candidates, shot_of
from animeprep.folders import DROPPED, FAILED, KEPT, MADE, Summary
from animeprep.gates import sharpness
from animeprep.images import decode_rgb, encode_png, is_image, list_images, read_bytes
from animeprep.names import slug
from animeprep.progress import progress
from animeprep.records import Record, Records
from animeprep.settings import Settings

STAGE = "frames"
FILMS = "films"
_ENCODERS = 2
#: Corrupt packets that are named in a film's record.
MAX_LISTED = 100

#: Status of a film whose pictures are being taken, and of a picture that is being written: what a
#: killed run leaves is known, and taken anew or removed.
BEGUN = "begun"
HINT = "look at its length with `animeprep info`"


def seconds_of(text: object) -> object:
    """Seconds of a time: `90`, `1:30` or `0:01:30.5`; anything else as it is.

    >>> seconds_of("1:30"), seconds_of("0:01:30.5"), seconds_of(2.5)
    (90.0, 90.5, 2.5)

    Raises:
        ValueError: a text that is no time.
    """
    if not isinstance(text, str):
        return text
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise ValueError(f"{text} is no time; write 90, 1:30 or 0:01:30.5")
    parts = [float(part) for part in text.split(":")]
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))


#: Seconds from the film's beginning.
Time = Annotated[float, BeforeValidator(seconds_of), Field(ge=0)]


class FrameSettings(Settings):
    """Which pictures to take."""

    every: int = Field(default=50, ge=1)
    """take pictures 0, N, 2N, … of each film, in presentation order"""

    every_seconds: float | None = Field(default=None, ge=0.001)
    """instead, take the first picture of each S seconds"""

    start: Time | None = None
    """leave out what comes before this time, 90 or 1:30 say"""

    end: Time | None = None
    """leave out what comes at or after this time"""

    max: int | None = Field(default=None, ge=1)
    """take no more than this many of each film, the first ones"""

    sample: Literal["every", "keyframes", "scenes"] = "every"
    """every: as above; keyframes: the film's key pictures, which is fastest; scenes: the sharpest
    pictures of each shot"""

    per_shot: int = Field(default=1, ge=1)
    """with scenes: pictures of each shot"""

    candidates: int = Field(default=5, ge=1, le=1000)
    """with scenes: pictures that each is the sharpest of"""

    shots: bool = False
    """number the shots with the other samples, too; decodes every picture"""

    @model_validator(mode="after")
    def _must_agree(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"start, {self.start:g} s, is not before end, {self.end:g} s")
        if {"every", "every_seconds"} <= self.model_fields_set and self.every_seconds is not None:
            raise ValueError("every and every-seconds are two ways of sampling: give one")
        return self

    def selection(self) -> Selection:
        """What to ask of the film; with scenes, the stretch to look at."""
        if self.sample == "scenes":
            return Selection(start=self.start, end=self.end)
        all_in = Selection(start=self.start, end=self.end, limit=self.max)
        if self.sample == "keyframes":
            return replace(all_in, keys=True)
        return replace(all_in, every=self.every, every_seconds=self.every_seconds)


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

    def is_done(self, name: str, look: str | None = None) -> bool:
        """Whether an earlier run wrote the picture, or looked at it and left it out.

        Args:
            name: of the frame.
            look: fingerprint of what decides on the pixels of a film's pictures.
        """
        for record in self.records.of(name):
            if record.get("settings") != look:
                return False
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
        self.records.put(name, [{**record, "status": BEGUN}])
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
    rules: FilmRules | None = None,
    *,
    sieve: Sieve | None = None,
    dry_run: bool = False,
) -> Summary:
    """Write the sampled pictures of films and the pictures of folders to `frames/`.

    Args:
        dataset: where to.
        inputs: films, pictures, and folders of pictures (all of whose pictures are taken).
        settings: which pictures of a film.
        rules: what to make of films where probing would decide otherwise.
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
            _Sampling(run, path, settings, rules or FilmRules()).run(dry_run=dry_run)
        except FilmError as error:
            problems.append(error)
        finally:
            run.drain()
    try:
        _take_stills(run, stills, problems, dry_run=dry_run)
    finally:
        run.drain()
    run.encoders.shutdown()
    if len(problems) == 1 and not run.summary.counts:
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


class _Sampling:
    """Takes the pictures of one film; what was taken of it under other settings goes."""

    def __init__(self, run: _Run, path: Path, settings: FrameSettings, rules: FilmRules) -> None:
        self.work = run
        self.path = path
        self.settings = settings
        self.film_id, self.content = identify(path)
        self.film_settings = rules.of(path.name, self.film_id)
        self.look = self.film_settings.look()
        self.ledger = run.dataset.records(FILMS)
        self.known = [r for r in run.records if r.get("film_id") == self.film_id]
        self.taken: set[str] = set()

    def run(self, *, dry_run: bool) -> None:
        """Do it."""
        counts = self.work.summary.counts
        if self._is_complete():
            counts["unchanged"] += len(self.known)
            if not dry_run:
                # A killed run may have left it as a journal.
                self.ledger.tidy()
            return
        film = probe(self.path, self.film_settings, more_to_come=not dry_run)
        if dry_run:
            counts["to do"] += self._estimate(film)
            return
        if film.film_id != self.film_id:
            raise FilmError(self.path, "changed while it was read", "run the command again")
        # What an earlier run finished under other settings is finished no more.
        decoding = Decoding()
        self._note(film, decoding, [], {"status": BEGUN})
        try:
            begins = self._take_all(film, decoding)
        except FilmError as error:
            self._note(film, decoding, [], {"status": FAILED, "reason": error.problem})
            raise
        finally:
            self.work.drain()
        _forget_unwanted(self.work, self.known, self.taken)
        self._note(film, decoding, begins, {"status": KEPT})
        self._tell(film, decoding)

    def _is_complete(self) -> bool:
        announced = self.ledger.of(self.film_id)
        if not announced:
            return False
        if announced[0].get("content", self.content) != self.content:
            raise FilmError(
                self.path, f"another film of this dataset is {self.film_id}, too", "rename this one"
            )
        return (
            announced[0]["status"] == KEPT
            and announced[0]["settings"] == self._fingerprint()
            and bool(self.known)
            and all(self.work.is_done(r["file_name"], self.look) for r in self.known)
        )

    def _fingerprint(self) -> str:
        return f"{self.settings.fingerprint()}-{self.look}"

    def _estimate(self, film: Film) -> int:
        """How many pictures there will be, as far as it can be told without decoding."""
        if self.settings.sample == "scenes":
            return 1
        if film.by_timestamps:
            return len(indexes(film, self.settings.selection()))
        estimate = -(-film.pictures // self.settings.every) or 1
        return min(estimate, self.settings.max or estimate)

    def _take_all(self, film: Film, decoding: Decoding) -> list[int]:
        """Take the wanted pictures; returns where shots begin, where that was asked for."""
        scenes = self.settings.sample == "scenes"
        begins: list[int] = []
        total = 0
        if scenes or self.settings.shots:
            with progress(f"shots {self.path.name}", len(film.packets)) as advance:
                begins, total = shots(film, tick=lambda count: advance(by=count))
        with progress(f"frames {self.path.name}", len(film.packets)) as advance:
            tick = lambda count: advance(by=count)  # noqa: E731 - a name for a line
            if scenes:
                # Of films that are counted only reading tells which shots lie in the window.
                found = self._sharpest(film, [*begins, total], decoding, tick)
            else:
                found = self._selected(film, decoding, tick)
            for picture in islice(found, self.settings.max if scenes else None):
                self._take(picture, begins)
        if not self.taken:
            raise FilmError(self.path, "none of its pictures was asked for", HINT)
        return begins

    def _selected(
        self, film: Film, decoding: Decoding, tick: Callable[[int], None]
    ) -> Iterator[FilmPicture]:
        """What every N-th and key picture sampling takes; without pixels what is there."""
        done = frozenset(
            record["index"]
            for record in self.known
            if self.work.is_done(record["file_name"], self.look)
        )
        selection = self.settings.selection()
        yield from pictures(film, selection, skip=done, decoding=decoding, tick=tick)

    def _sharpest(
        self,
        film: Film,
        bounds: list[int],
        decoding: Decoding,
        tick: Callable[[int], None],
    ) -> Iterator[FilmPicture]:
        """The sharpest candidate of each stretch of each shot."""
        group_of = candidates(bounds, self.settings.per_shot, self.settings.candidates)
        selection = self.settings.selection()
        if film.by_timestamps:
            window = set(indexes(film, selection).tolist())
            group_of = {index: group for index, group in group_of.items() if index in window}
        if self.settings.max is not None and film.by_timestamps:
            first = set(sorted(set(group_of.values()))[: self.settings.max])
            group_of = {index: group for index, group in group_of.items() if group in first}
        selection = replace(selection, only=tuple(sorted(group_of)))
        waiting = Counter(group_of.values())
        best: dict[int, tuple[float, int, FilmPicture]] = {}
        for found in pictures(film, selection, decoding=decoding, tick=tick):
            group = group_of[found.index]
            waiting[group] -= 1
            # Of equally sharp ones the earlier.
            one = (-sharpness(found.rgb), found.index, found)
            best[group] = min(best.get(group, one), one, key=lambda known: known[:2])
            if not waiting[group]:
                yield best.pop(group)[2]
        for group in sorted(best):
            # Some of its candidates could not be decoded.
            yield best[group][2]

    def _take(self, picture: FilmPicture, begins: list[int]) -> None:
        name = frame_name(self.film_id, picture.index)
        self.taken.add(name)
        if not picture.rgb.size or self.work.is_done(name, self.look):
            self.work.summary.counts["unchanged"] += 1
            self._renumber_shot(name, picture.index, begins)
            return
        origin: Record = {
            "film": self.path.name,
            "film_id": self.film_id,
            "index": picture.index,
            "seconds": picture.seconds,
            "settings": self.look,
        }
        if begins:
            origin["shot"] = shot_of(begins, picture.index)
        self.work.take(name, picture.rgb, origin)

    def _renumber_shot(self, name: str, index: int, begins: list[int]) -> None:
        """Let a picture that was there tell its shot, or no longer tell it."""
        for record in self.work.records.of(name):
            record.pop("shot", None)
            if begins:
                record["shot"] = shot_of(begins, index)

    def _note(self, film: Film, decoding: Decoding, begins: list[int], more: Record) -> None:
        """Record the film: what was found and done, and what happened."""
        area, corrupt_at = film.area, sorted(decoding.corrupt_at.items())
        record: Record = {
            "file_name": film.path.name,
            **more,
            "source": film.film_id,
            "content": self.content,
            "settings": self._fingerprint(),
            "every": self.settings.every,
            "sample": self.settings.sample,
            "codec": film.codec,
            "stored_size": [film.width, film.height],
            "rate": film.rate,
            "pictures": decoding.pictures,
            "corrupt": decoding.corrupt,
            "corrupt_at": [list(where) for where in corrupt_at[:MAX_LISTED]],
            "lost": decoding.lost,
            "area": [area.left, area.top, area.width, area.height] if area else None,
            "findings": [asdict(finding) for finding in film.findings],
        }
        if begins:
            record["shots"] = begins
        self.ledger.put(film.film_id, [record])
        self.ledger.tidy()

    def _tell(self, film: Film, decoding: Decoding) -> None:
        """Add to the summary what happened while the film was decoded."""
        summary = self.work.summary
        for figure, count in (("packets", film.pictures), ("decoded", decoding.decoded)):
            summary.figures[figure] = summary.figures.get(figure, 0) + count
        if decoding.corrupt:
            summary.reasons["corrupt packets"] += decoding.corrupt
            _, seconds = min(decoding.corrupt_at.items())
            first = f", the first at {seconds:.3f} s" if seconds is not None else ""
            summary.problems.append(
                f"{self.path}: corrupt packets skipped: {decoding.corrupt}{first}"
            )
        if decoding.lost:
            summary.reasons["undecodable pictures"] += decoding.lost
            summary.problems.append(f"{self.path}: wanted pictures lost: {decoding.lost}")


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
        ours = record["status"] == BEGUN
        if path.exists() and (ours or sha256(path.read_bytes()) == record.get("sha256")):
            with writing(path):
                path.unlink()
            run.summary.counts["removed"] += 1
        run.records.drop(name)


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


def restore(dataset: Dataset, films: list[Path], names: set[str], rules: FilmRules) -> None:
    """Decode pictures again that were left out at first, in one pass over each film.

    Args:
        dataset: where to.
        films: the inputs they came from.
        names: the frames to bring back; of `frames/…` names of films or stills.
        rules: as when they were left out.

    Raises:
        FilmError: a film cannot be read any more.
    """
    records = dataset.records(STAGE)
    lost = {name: records.of(name)[0] for name in names}
    paths, stills, _ = _sort_out(films)
    for path in paths:
        film_id, _ = identify(path)
        name_of = {r["index"]: name for name, r in lost.items() if r.get("film_id") == film_id}
        if name_of:
            film = probe(path, rules.of(path.name, film_id))
            for picture in pictures(film, Selection(only=tuple(sorted(name_of)))):
                _restored(dataset, records, name_of[picture.index], picture.rgb)
    for path in stills:
        data = read_bytes(path)
        name = f"{FRAMES}/{slug(path.stem)}-{sha256(data)[:8]}.png"
        if name in lost:
            _restored(dataset, records, name, decode_rgb(data, path))
    records.tidy()


def _restored(dataset: Dataset, records: Records, name: str, picture: Picture) -> None:
    record = {**records.of(name)[0], "status": MADE}
    records.put(name, [_write(dataset.path(name), picture, record)])
