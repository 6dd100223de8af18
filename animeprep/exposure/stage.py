"""Exposure compensation of the whole set: `crops/` → `style/`. Verb: exposure.

AnimeGAN's author asks for "an exposure compensation for the overall style data to promote the
consistency of brightness and darkness". `tones` holds the methods. The unit is the shot, whose
pictures keep their differences; where shots are unknown, the frame; never the crop. Nothing is
dropped, and flat cels stay exactly flat.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from animeprep.boxes import Picture
from animeprep.curation import kept_crops
from animeprep.dataset import STYLE, STYLE_VAL, Dataset, made_name
from animeprep.errors import DatasetError, PictureError
from animeprep.exposure.figures import Figures, measure_set, neutral_gains
from animeprep.exposure.survey import Survey, survey
from animeprep.exposure.tones import METHODS, Change, Gains, Tone, change_of, compensate
from animeprep.files import sha256, write_changed
from animeprep.folders import Made, Summary, run_stage
from animeprep.images import read_rgb
from animeprep.settings import Settings

STAGE = "exposure"
STORED = "exposure.json"
#: Figures that are stored only; the others are told, too.
_UNTOLD = {"data_mean_before", "histograms"}


class ExposureSettings(Settings):
    """How far the set's exposure is evened out."""

    method: Literal["key", "film", "gamma", "lab", "histogram", "none"] = "key"
    """key: one gain for each shot towards the set's median; film: black and white points of each
    film; gamma: an exponent for each shot; lab: lightness of each shot to the set's mean and
    spread; histogram: of each shot to the median picture's; none: crops as they are"""
    strength: float = Field(default=0.5, ge=0, le=1)
    """share of each deviation that is compensated"""
    clamp: float = Field(default=1.0, ge=0, le=4)
    """greatest gain, in EV (powers of two)"""
    target: float | None = Field(default=None, gt=0, le=1)
    """log-average luminance (0-1) to aim at with key and gamma; otherwise the set's median when
    first made"""
    neutralise: bool = False
    """take the colour cast of the whole set away, by one gain for each of R, G and B"""


class Aims(BaseModel):
    """What `exposure.json` keeps, so that films added later are brought to the same.

    Attributes:
        median: median L of the set when first made, 0..1; key and gamma aim at it where no other
            target is given.
        method: what `reference` belongs to.
        reference: what the method aims at.
        channel_gains: of R, G and B; None where the set is not neutralised.
        basis: changes with all that the figures depend on.
        figures: what was measured before and after; None where nothing could be.
    """

    median: float | None = Field(default=None, gt=0, le=1)
    method: str = ""
    reference: tuple[float, ...] = ()
    channel_gains: Gains | None = None
    basis: str = ""
    figures: Figures | None = None


@dataclass(frozen=True)
class Plan:
    """What is done to each crop.

    Attributes:
        origin: crop → the frame it was cut from, or itself; without those that cannot be read.
        tones, changes: by origin.
        held_out: crops for validation.
    """

    origin: dict[str, str]
    tones: dict[str, Tone]
    changes: dict[str, Change]
    held_out: frozenset[str]

    def file_name(self, crop: str) -> str:
        """Where its result belongs."""
        return made_name(STYLE_VAL if crop in self.held_out else STYLE, crop)

    def fields(self, crop: str) -> dict[str, Any]:
        """What the record says of it."""
        tone = self.tones[self.origin[crop]]
        return {
            "gain_ev": round(tone.stops, 4) + 0.0,
            **({"clamped": True} if tone.clamped else {}),
        }

    def fingerprint(self, crop: str) -> str:
        """Changes with all that a crop's result and its record depend on."""
        if crop not in self.origin:
            return "unreadable"
        change = self.changes[self.origin[crop]].digest()
        told = f"{change} {self.fields(crop)} {self.file_name(crop)}"
        return sha256(told.encode(errors="surrogateescape"))[:12]


def exposure(dataset: Dataset, settings: ExposureSettings, *, dry_run: bool = False) -> Summary:
    """Compensate `crops/` into `style/`; references and figures go to `exposure.json`.

    Crops of the frames that `choose` held out go to `style_val/` instead.

    Raises:
        DatasetError: there are no crops.
        OutputError: a picture cannot be written.
    """
    crops = kept_crops(dataset)
    histograms = METHODS[settings.method].histograms
    light = survey(dataset, crops, histograms=histograms, dry_run=dry_run)
    aims = _aims(dataset, light, crops, settings)
    plan = _plan(dataset, light, aims, settings, dataset.held_out_frames())

    def make(name: str, picture: Picture) -> list[Made]:
        changed = compensate(picture, plan.changes[plan.origin[name]])
        return [Made(plan.file_name(name), changed, fields=plan.fields(name))]

    def fingerprint(name: str) -> str:
        return f"{settings.fingerprint()} {plan.fingerprint(name)}"

    summary = run_stage(dataset, STAGE, crops, make, fingerprint, dry_run=dry_run)
    if not dry_run:
        summary.figures = _report(dataset, plan, aims)
    return summary


def _aims(
    dataset: Dataset, light: Survey, crops: Sequence[Path], settings: ExposureSettings
) -> Aims:
    """What the set is brought to: as stored, where it is; the rest is found anew."""
    try:
        stored = stored_aims(dataset)
    except DatasetError:
        stored = Aims()
    method = METHODS[settings.method]
    pictures = [scene.own for scene in light.scenes.values()]
    median = stored.median or METHODS["key"].aim(pictures)[0]
    reference = method.aim(light.films if method.of == "films" else pictures)
    if method.aim is METHODS["key"].aim:
        reference = (settings.target or median,)
    elif stored.method == settings.method and len(stored.reference) == len(reference):
        reference = stored.reference
    gains = None
    if settings.neutralise:
        gains = stored.channel_gains or neutral_gains(_readable(crops))
    return Aims(
        median=median,
        method=settings.method,
        reference=reference,
        channel_gains=gains,
        basis=stored.basis,
        figures=stored.figures,
    )


def stored_aims(dataset: Dataset) -> Aims:
    """What `exposure.json` says; nothing where there is none.

    Raises:
        DatasetError: it is damaged.
    """
    path = dataset.root / STORED
    try:
        return Aims.model_validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        return Aims()
    except (OSError, ValidationError) as error:
        remedy = "run `animeprep exposure`, which makes it anew"
        raise DatasetError(path, "cannot be read", remedy) from error


def basis_of(dataset: Dataset) -> str:
    """What `basis` is where figures are of the present pictures."""
    path = dataset.records(STAGE).path
    return sha256(path.read_bytes())[:12] if path.exists() else ""


def _readable(paths: Sequence[Path]) -> Iterator[Picture]:
    for path in paths:
        with contextlib.suppress(PictureError):
            yield read_rgb(path)


def _plan(
    dataset: Dataset,
    light: Survey,
    aims: Aims,
    settings: ExposureSettings,
    held_out: frozenset[str],
) -> Plan:
    tone = METHODS[settings.method].tone
    tones = {
        name: tone(scene, aims.reference, settings.strength, settings.clamp)
        for name, scene in light.scenes.items()
    }
    gains = aims.channel_gains or (1.0, 1.0, 1.0)
    sources = {r["file_name"]: r.get("source") for r in dataset.records("crop")}
    return Plan(
        light.origin,
        tones,
        {name: change_of(tone, gains) for name, tone in tones.items()},
        frozenset(crop for crop in light.origin if sources.get(crop) in held_out),
    )


def _report(dataset: Dataset, plan: Plan, aims: Aims) -> dict[str, Any]:
    """Write `exposure.json`; figures of the same pictures are those of before.

    Returns:
        The figures that are told.
    """
    basis = basis_of(dataset)
    if aims.basis != basis or aims.figures is None:
        aims = aims.model_copy(update={"basis": basis, "figures": _figures(dataset, plan)})
    write_changed(dataset.root / STORED, aims.model_dump_json(indent=1).encode() + b"\n")
    return aims.figures.model_dump(mode="json", exclude=_UNTOLD) if aims.figures else {}


def _figures(dataset: Dataset, plan: Plan) -> Figures | None:
    """What became of `style/`."""
    made = [r for r in dataset.records(STAGE) if r["file_name"].startswith(f"{STYLE}/")]
    origins = sorted({plan.origin[r["source"]] for r in made if r["source"] in plan.origin})
    figures = measure_set(
        [(dataset.path(r["source"]), dataset.path(r["file_name"])) for r in made],
        [(dataset.path(name), plan.changes[name]) for name in origins],
    )
    clamped = sum(bool(record.get("clamped")) for record in made)
    return figures and figures.model_copy(update={"clamped": clamped})
