"""Prompts in, pictures of faces out: single ones in a folder, or one sheet."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from animegan.faces.arrange import STEPS, Arrangement, grid, lay_out, strip, table
from animegan.faces.collection import SIDE
from animegan.faces.prompts import Prompt
from animegan.faces.sampling import Point, Sampler
from animegan.faces.settings import Form, SampleSettings
from animegan.faces.words import EYES, HAIR
from animeprep.boxes import Picture
from animeprep.errors import UsageError
from animeprep.files import make_folder, write_changed
from animeprep.images import MAX_PIXELS, SUFFIXES, encode_png, resize
from animeprep.progress import Advance, progress

_PNG = ".png"


@dataclass(frozen=True)
class Job:
    """What is to be drawn, and where to.

    Attributes:
        prompts: none for a table.
        form: `single` pictures, or what is on the sheet.
        out: the folder, or the sheet.
        settings: how.
    """

    prompts: Sequence[Prompt]
    form: Form
    out: Path
    settings: SampleSettings

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of faces."""
        count = self.settings.count
        of_prompts = len(self.prompts), count
        shapes = {"table": (len(HAIR), len(EYES)), "strip": (count, STEPS)}
        return shapes.get(self.form, of_prompts)

    @property
    def faces(self) -> int:
        """How many there are to draw."""
        rows, columns = self.shape
        return rows * columns


def plan(prompts: Sequence[Prompt], form: Form | None, out: Path, settings: SampleSettings) -> Job:
    """Say what is to be drawn, and refuse what cannot be.

    Args:
        prompts: at least one, but none for a table, and no more than two for a strip.
        form: by default a grid where `out` ends in .png, else single pictures.
        out: a folder, or a sheet that ends in .png.
        settings: how.

    Raises:
        UsageError: the wishes do not go together.
    """
    suffix = out.suffix.lower()
    if suffix in SUFFIXES - {_PNG}:
        raise UsageError(f"{out}: sheets are PNG files; name one that ends in {_PNG}")
    form = form or ("grid" if suffix == _PNG else "single")
    if form != "single" and suffix != _PNG:
        out = out / f"{form}{_PNG}"
    _check_prompts(prompts, form)
    given = settings.model_fields_set
    if form == "table" and "count" in given:
        raise UsageError("a table has one face for all words; leave out -n")
    if settings.move_noise and (form, len(prompts)) != ("strip", 2):
        raise UsageError("--move-noise is for a --strip between two prompts")
    job = Job(prompts, form, out, settings)
    if form != "single" and job.faces * (settings.scale * SIDE) ** 2 > MAX_PIXELS:
        raise UsageError(f"{job.faces} faces are too many for one sheet; leave out --{form}, or -n")
    return job


def _check_prompts(prompts: Sequence[Prompt], form: Form) -> None:
    if form == "table":
        if prompts:
            raise UsageError("--table draws all words; give it no prompts")
    elif not prompts:
        raise UsageError(
            'say what to draw, for example: animeprep faces sample "blue hair red eyes"'
        )
    elif form == "strip" and len(prompts) > 2:
        raise UsageError(f"--strip leads from one prompt to another; {len(prompts)} are given")


def sample(job: Job, sampler: Sampler) -> list[dict[str, str | int]]:
    """Draw, and write what is drawn; files of the same names are replaced.

    Args:
        job: by `plan`.
        sampler: of the job's seed.

    Returns:
        For each file `file`; where it holds a single face also `id`, `words` and `number`, from 1.

    Raises:
        OutputError: a file cannot be written.
    """
    make_folder(job.out if job.form == "single" else job.out.parent)  # told before it is drawn
    with progress("faces", job.faces) as advance:
        if job.form == "single":
            return _write_singles(job, sampler, advance)
        return _write_sheet(job, sampler, advance)


def _write_singles(job: Job, sampler: Sampler, advance: Advance) -> list[dict[str, str | int]]:
    asked = [(one, number) for one in job.prompts for number in range(job.settings.count)]
    points = (sampler.point(one.words, number) for one, number in asked)
    told: list[dict[str, str | int]] = []
    for (one, number), face in zip(asked, _faces(job, sampler, points, advance), strict=True):
        path = job.out / f"{one.id}_{number + 1}{_PNG}"
        write_changed(path, encode_png(face))
        told.append(
            {"file": str(path), "id": one.id, "words": str(one.words), "number": number + 1}
        )
    return told


def _write_sheet(job: Job, sampler: Sampler, advance: Advance) -> list[dict[str, str | int]]:
    arrangement = _arrange(job, sampler)
    points = (point for row in arrangement.rows for point in row)
    # One face alone needs no label to be told from others.
    plain = job.settings.plain or job.faces == 1
    laid_out = lay_out(arrangement, _faces(job, sampler, points, advance), plain=plain)
    write_changed(job.out, encode_png(laid_out))
    return [{"file": str(job.out)}]


def _arrange(job: Job, sampler: Sampler) -> Arrangement:
    settings = job.settings
    if job.form == "table":
        return table(sampler)
    if job.form == "strip":
        return strip(sampler, job.prompts, settings.count, move_noise=settings.move_noise)
    return grid(sampler, job.prompts, settings.count)


def _faces(
    job: Job, sampler: Sampler, points: Iterable[Point], advance: Advance
) -> Iterator[Picture]:
    side = job.settings.scale * SIDE
    for face in sampler.draw(points):
        yield resize(face, side, side)
        advance()
