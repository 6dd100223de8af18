"""One page that shows a dataset: what came of the films, what was left out and why. Verb: report.

The page is whole in itself and of bounded size: of large sets it shows pictures that are evenly
spread, and says how many. The same dataset gives the same bytes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from animeprep.charts import flow
from animeprep.dataset import (
    CROPS,
    GRAY,
    PHOTO,
    RECIPE,
    REPORT,
    SMOOTH,
    SMOOTH_GRAY,
    STYLE,
    STYLE_VAL,
    VAL,
    Dataset,
)
from animeprep.errors import DatasetError
from animeprep.page import Section, write_page
from animeprep.report.facts import Facts, anchor_of, plural
from animeprep.report.gates import left_out
from animeprep.report.light import light
from animeprep.report.pictures import chosen_by_hand, copies, crop_positions, sheets
from animeprep.report.tables import films, in_force, problems
from animeprep.settings import Settings

_SETS = {
    CROPS: "crops",
    STYLE: "style (a)",
    STYLE_VAL: "style, held out",
    SMOOTH: "smooth (e)",
    GRAY: "gray (x)",
    SMOOTH_GRAY: "smooth gray (y)",
}


def report(dataset: Dataset, settings: Mapping[str, Settings], *, path: Path | None = None) -> Path:
    """Write the page.

    Args:
        dataset: at any stage of the work.
        settings: table of the recipe → its settings; shown with their meanings, and the gates'
            bounds are those of `dedup`.
        path: the HTML file; `report.html` in the dataset if None.

    Returns:
        The file.

    Raises:
        DatasetError: there is nothing to show.
        OutputError: the page cannot be written.
    """
    facts = Facts(dataset, settings)
    sections = [*_overview(facts)]
    if not sections:
        raise DatasetError(
            dataset.root, "there is nothing to report on", "run `animeprep prepare FILM` first"
        )
    sections += [
        *sheets(facts),
        *left_out(facts),
        *copies(facts),
        *crop_positions(facts),
        *light(facts),
        *films(facts),
        *chosen_by_hand(facts),
        *in_force(facts, _recipe(facts)),
    ]
    sections += problems(facts)
    path = path or dataset.root / REPORT
    write_page(path, f"Dataset {dataset.root.resolve().name}", _lead(facts), sections)
    return path


def _overview(facts: Facts) -> Iterator[Section]:
    """Counts through the pipeline, from what was sampled to the sets."""
    parts = [*_frame_flow(facts), *_set_flow(facts), *_photo_flow(facts)]
    if parts:
        yield Section("From films to sets", parts=parts, anchor="flow")


def _frame_flow(facts: Facts) -> Iterator[Section]:
    sampled = len(facts.sampled)
    if not sampled:
        return
    rows = [("sampled", sampled, False, "films" if facts.records("films") else "")]
    rows += [(reason, count, True, anchor_of(reason)) for reason, count in facts.reasons.items()]
    rows.append(("kept", sampled - len(facts.left_out), False, ""))
    yield Section("Frames", flow=flow(rows))


def _set_flow(facts: Facts) -> Iterator[Section]:
    counts = {folder: len(facts.names(folder)) for folder in _SETS}
    if not any(counts.values()):
        return
    rows = [(_SETS[folder], count, False, "") for folder, count in counts.items() if count]
    skipped = Counter(
        str(record.get("reason"))
        for record in facts.records("crop")
        if record["status"] == "skipped"
    )
    why = ", ".join(f"{reason} ({count:,})" for reason, count in sorted(skipped.items()))
    text = f"Frames without a crop: {why}." if skipped else ""
    yield Section("Crops and sets", text, flow=flow(rows))


def _photo_flow(facts: Facts) -> Iterator[Section]:
    crops, held = len(facts.names(PHOTO)), len(facts.names(VAL))
    if not crops + held:
        return
    made: dict[str, set[str]] = {}
    for record in facts.records("photos"):
        name = str(record["file_name"])
        folder = name.partition("/")[0] if record["status"] in {"made", "by hand"} else ""
        made.setdefault(str(record.get("source", name)), set()).add(folder)
    counts = Counter(
        VAL if VAL in some else PHOTO if PHOTO in some else "" for some in made.values()
    )
    rows = [("held out", held, False, "")]
    if made:
        rows = [
            ("photos", len(made), False, ""),
            ("not usable", counts[""], True, ""),
            ("held out", counts[VAL], True, ""),
            ("to train on", counts[PHOTO], False, ""),
        ]
    rows.append(("photo crops (p)", crops, False, "sets"))
    yield Section("Photos", flow=flow([row for row in rows if row[1]]))


def _lead(facts: Facts) -> str:
    """The set in a sentence or two."""
    sources = len(facts.records("films"))
    style, photo = len(facts.names(STYLE)), len(facts.names(PHOTO))
    told = [plural(style, "style picture", "style pictures")] if style else []
    told += [plural(photo, "photo crop", "photo crops")] if photo else []
    told = told or [plural(len(facts.sampled), "frame", "frames")]
    source = f", from {plural(sources, 'film', 'films')}" if sources else ""
    dropped, sampled = len(facts.left_out), len(facts.sampled)
    rest = f" {dropped:,} of {sampled:,} sampled pictures are left out." if dropped else ""
    return f"{' and '.join(told)}{source}.{rest}"


def _recipe(facts: Facts) -> str:
    """The text of the recipe, empty where there is none."""
    path = facts.dataset.root / RECIPE
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError):
        facts.problems.append(f"{RECIPE}: cannot be read")
        return ""
