"""Pictures of films, and stills, into `frames/`. Verb: frames.

The report on reproducing CartoonGAN that this project starts from takes every 50th picture.
"""

import contextlib
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from animeprep.boxes import Picture
from animeprep.dataset import FRAMES, LEFT_OUT, Dataset
from animeprep.errors import AnimeprepError, FilmError, InputError, PictureError
from animeprep.files import sha256, sweep_parts, writing
from animeprep.film import (
    Decoding,
    Film,
    FilmPicture,
    FilmRules,
    Selection,
    Tick,
    identify,
    pictures,
    probe,
    shots,
)
from animeprep.film.sampling import indexes
from animeprep.film.shots import shot_of
from animeprep.folders import FAILED, KEPT, MADE, Summary
from animeprep.frame_writer import BEGUN, FrameWriter, Sieve, write_frame
from animeprep.images import decode_rgb, is_image, list_images, read_bytes
from animeprep.names import slug
from animeprep.progress import progress
from animeprep.records import Record, Records
from animeprep.scenes import Scenes, sharpest
from animeprep.settings import Settings
from animeprep.times import Time

STAGE = "frames"
FILMS = "films"
#: Corrupt packets that are named in a film's record.
MAX_LISTED = 100

HINT = "look at its length with `animeprep info`"


class FrameSettings(Settings):
    """Which pictures to take."""

    ALTERNATIVES = (("every", "every_seconds"),)

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
    def _start_before_end(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"start, {self.start:g} s, is not before end, {self.end:g} s")
        return self

    def selection(self) -> Selection:
        """What to ask of the film; with scenes, the stretch to look at."""
        if self.sample == "scenes":
            return Selection(start=self.start, end=self.end)
        all_in = Selection(start=self.start, end=self.end, limit=self.max)
        if self.sample == "keyframes":
            return replace(all_in, keys=True)
        return replace(all_in, every=self.every, every_seconds=self.every_seconds)


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
    records = dataset.records(STAGE)
    told = [*records.told(), *dataset.records(FILMS).told()]
    run = FrameWriter(dataset, records, Summary(STAGE, problems=told, dry_run=dry_run), sieve)
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
    _name_the_unknown(rules or FilmRules(), run, films)
    if not dry_run:
        run.records.tidy()
        for folder in ("", FRAMES, LEFT_OUT):
            sweep_parts(dataset.root / folder)
    return run.summary


def _name_the_unknown(rules: FilmRules, run: FrameWriter, films: list[Path]) -> None:
    """Tell of settings for a film that this dataset does not have, which may be misspelt."""
    ledger = run.dataset.records(FILMS)
    known = {name for record in ledger for name in (record["file_name"], record["source"])}
    known |= {path.name for path in films}
    for name in sorted(rules.named.keys() - known):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        told = f'animeprep.toml: [films."{name}"]: there is no such film here{hint}'
        run.summary.problems.append(told)


def _sort_out(inputs: list[Path]) -> tuple[list[Path], list[Path], list[AnimeprepError]]:
    """Inputs → films, stills, and what is neither."""
    films: list[Path] = []
    stills: list[Path] = []
    problems: list[AnimeprepError] = []
    for path in inputs:
        try:
            is_folder, is_there = path.is_dir(), path.exists()
            pictures_in = list_images(path, recursive=True) if is_folder else []
        except OSError as error:
            problems.append(InputError(path, f"cannot be looked at ({error.strerror})"))
            continue
        if pictures_in:
            stills += pictures_in
        elif is_folder:
            problems.append(
                InputError(path, "there are no pictures in this folder", "films are named singly")
            )
        elif not is_there:
            problems.append(InputError(path, "there is no such file", "check the name"))
        elif is_image(path) and path.suffix.lower() != ".gif":
            stills.append(path)
        else:
            films.append(path)
    return films, stills, problems


class _Sampling:
    """Takes the pictures of one film; what was taken of it under other settings goes."""

    def __init__(
        self, run: FrameWriter, path: Path, settings: FrameSettings, rules: FilmRules
    ) -> None:
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
            self._estimate(film)
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
        if announced[0].get("content") != self.content:
            raise FilmError(
                self.path, f"another film of this dataset is {self.film_id}, too", "rename this one"
            )
        return (
            announced[0]["status"] == KEPT
            and announced[0]["settings"] == self._fingerprint()
            and len(self.known) == announced[0].get("taken")
            and all(self.work.is_done(r["file_name"], self.look) for r in self.known)
        )

    def _fingerprint(self) -> str:
        return f"{self.settings.fingerprint()}-{self.look}"

    def _estimate(self, film: Film) -> None:
        """Count what there is to do, as far as it can be told without decoding."""
        if self.settings.sample == "scenes":
            self.work.summary.counts["films to look for shots in"] += 1
        else:
            # Of films that are counted, about: their pictures are taken for evenly spaced.
            wanted = indexes(film, self.settings.selection()).tolist()
            names = [frame_name(self.film_id, index) for index in wanted]
            new = [name for name in names if not self.work.is_done(name, self.look)]
            known = {record["file_name"]: record for record in self.known}
            leaving = known.keys() - set(names)
            removed = sum(self.work.dataset.path(name).exists() for name in leaving)
            self.work.dataset.leaving |= leaving
            summary = self.work.summary
            summary.counts += Counter(
                {"unchanged": len(names) - len(new), "to do": len(new), "removed": removed}
            )
            summary.reasons += Counter("other settings" if name in known else "new" for name in new)

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
                found = self._sharpest(film, [*begins, total], decoding, tick)
            else:
                found = self._selected(film, decoding, tick)
            for picture in found:
                self._take(picture, begins)
        if not self.taken:
            raise FilmError(self.path, "none of its pictures was asked for", HINT)
        return begins

    def _sharpest(
        self, film: Film, bounds: list[int], decoding: Decoding, tick: Tick
    ) -> Iterator[FilmPicture]:
        settings = self.settings
        scenes = Scenes(bounds, settings.per_shot, settings.candidates, settings.max)
        return sharpest(film, settings.selection(), scenes, decoding, tick)

    def _selected(self, film: Film, decoding: Decoding, tick: Tick) -> Iterator[FilmPicture]:
        """What every N-th and key picture sampling takes; without pixels what is there."""
        done = frozenset(
            record["index"]
            for record in self.known
            if self.work.is_done(record["file_name"], self.look)
        )
        selection = self.settings.selection()
        return pictures(film, selection, skip=done, decoding=decoding, tick=tick)

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
        area = film.area
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
            "corrupt": len(decoding.corrupt),
            "corrupt_at": [
                [position, film.seconds_at(position)]
                for position in sorted(decoding.corrupt)[:MAX_LISTED]
            ],
            "lost": decoding.lost,
            "taken": len(self.taken),
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
            summary.reasons["corrupt packets"] += len(decoding.corrupt)
            seconds = film.seconds_at(min(decoding.corrupt))
            first = f", the first at {seconds:.3f} s" if seconds is not None else ""
            told = f"{self.path}: corrupt packets skipped: {len(decoding.corrupt)}{first}"
            summary.problems.append(told)
        if decoding.lost:
            summary.reasons["undecodable pictures"] += decoding.lost
            summary.problems.append(f"{self.path}: wanted pictures lost: {decoding.lost}")


def frame_name(film_id: str, index: int) -> str:
    """The file of a picture of a film.

    >>> frame_name("movie-1a2b3c4d", 50)
    'frames/movie-1a2b3c4d_0000050.png'
    """
    return f"{FRAMES}/{film_id}_{index:07d}.png"


def _forget_unwanted(run: FrameWriter, known: Iterable[Record], taken: set[str]) -> None:
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
    run: FrameWriter, stills: list[Path], problems: list[AnimeprepError], *, dry_run: bool
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

    Films that cannot be read any more are passed over.
    """
    records = dataset.records(STAGE)
    lost = {name: records.of(name)[0] for name in names if records.of(name)}
    paths, stills, _ = _sort_out(films)
    for path in dict.fromkeys(paths):
        # What cannot be read is missed by whoever asked.
        with contextlib.suppress(FilmError):
            film_id, _ = identify(path)
            name_of = {r["index"]: name for name, r in lost.items() if r.get("film_id") == film_id}
            if name_of:
                film = probe(path, rules.of(path.name, film_id))
                for picture in pictures(film, Selection(only=tuple(sorted(name_of)))):
                    _restored(dataset, records, name_of[picture.index], picture.rgb)
    for path in dict.fromkeys(stills):
        with contextlib.suppress(PictureError):
            data = read_bytes(path)
            name = f"{FRAMES}/{slug(path.stem)}-{sha256(data)[:8]}.png"
            if name in lost:
                _restored(dataset, records, name, decode_rgb(data, path))
    records.tidy()


def _restored(dataset: Dataset, records: Records, name: str, picture: Picture) -> None:
    record = {**records.of(name)[0], "status": MADE}
    records.put(name, [write_frame(dataset.path(name), picture, record)])
