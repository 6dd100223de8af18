"""The parts of a report that show pictures: the sets, copies, crops, what was chosen by hand."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from animeprep.curation import KEEP, REJECT
from animeprep.dataset import PHOTO, SMOOTH, STYLE, made_name
from animeprep.dedup import COPY
from animeprep.page import Figure, Mark, Section
from animeprep.records import Record
from animeprep.report.facts import Facts, anchor_of, evenly, plural, shown

#: Pictures of a set; and the longest side, pixels, of what is embedded.
_SHEET, _CROP_SIDE = 20, 256
_WIDE_SIDE = 400
_CLUSTERS, _COPIES = 12, 5
_CROPPED = 12
_BY_HAND = 18


def sheets(facts: Facts) -> Iterator[Section]:
    """Contact sheets of the sets; the same pictures of style and smooth."""
    style, photo = facts.names(STYLE), facts.names(PHOTO)
    smooth = set(facts.names(SMOOTH))
    some = evenly(style, _SHEET)
    partners = [made_name(SMOOTH, name) for name in some]
    parts = [
        _sheet(facts, "Style", "a: crops after exposure compensation.", some, len(style)),
        _sheet(
            facts,
            "Smooth",
            "e: the same pictures with smoothed edges.",
            [name for name in partners if name in smooth],
            len(smooth),
        ),
        _sheet(facts, "Photos", "p: crops of real photos.", evenly(photo, _SHEET), len(photo)),
    ]
    parts = [part for part in parts if part.figures]
    if parts:
        yield Section("The sets", parts=parts, anchor="sets")


def _sheet(facts: Facts, title: str, text: str, names: list[str], every: int) -> Section:
    figures = [Figure(facts.picture(name, _CROP_SIDE), alt=name) for name in names]
    return Section(
        f"{title}: {every:,}", f"{text} {shown(names, every)}", figures=figures, size="small"
    )


def copies(facts: Facts) -> Iterator[Section]:
    """Clusters of copies, the biggest first: the kept one, and how many bits the others differ."""
    clusters: dict[str, list[Record]] = defaultdict(list)
    for name, reason in facts.left_out.items():
        if reason == COPY:
            record = facts.judged[name]
            clusters[str(record["keeper"])].append(record)
    ordered = sorted(clusters.items(), key=lambda item: (-len(item[1]), item[0]))
    rows = [_cluster(facts, keeper, found) for keeper, found in ordered[:_CLUSTERS]]
    if rows:
        more = f" The {len(rows)} biggest are shown." if len(rows) < len(clusters) else ""
        yield Section(
            "Copies",
            f"{plural(facts.reasons[COPY], 'copy', 'copies')} of "
            f"{plural(len(clusters), 'kept picture', 'kept pictures')}. Framed: the one that is "
            "kept, because it is the sharpest or was kept by hand. Beneath the copies: in how many "
            f"bits their hash differs from its.{more}",
            rows=rows,
            size="small",
            anchor=anchor_of(COPY),
        )


def _cluster(facts: Facts, keeper: str, found: list[Record]) -> list[Figure]:
    found.sort(key=lambda record: (_bits(record), record["file_name"]))
    some = evenly(found, _COPIES)
    few = f", {len(some)} shown" if len(some) < len(found) else ""
    told = plural(len(found), "copy", "copies") + few
    kept = " · ".join(filter(None, (facts.moment(keeper), told)))
    row = [replace(facts.small_frame(keeper, kept, "kept"), chosen=True)]
    for record in some:
        name = record["file_name"]
        bits = f"{_bits(record)} bits"
        row.append(facts.small_frame(name, f"{facts.moment(name)} · {bits}".lstrip(" ·"), bits))
    return row


def _bits(record: Record) -> int:
    distance = record.get("distance")
    return distance if isinstance(distance, int) else 0


def crop_positions(facts: Facts) -> Iterator[Section]:
    """Where crops were taken, drawn on their frames."""
    crops: dict[str, list[Record]] = defaultdict(list)
    for record in facts.records("crop"):
        if record["status"] == "made" and "source" in record:
            crops[str(record["source"])].append(record)
    some = evenly(sorted(crops), _CROPPED)
    figures = []
    for name in some:
        figure = facts.frame(name, _WIDE_SIDE, facts.moment(name), facts.origin(name))
        marks = [mark for record in crops[name] for mark in _marks(record)]
        figures.append(replace(figure, marks=marks))
    if figures:
        dashed = any(mark.kind == "avoided" for figure in figures for mark in figure.marks)
        avoided = " Dashed: areas that were avoided." if dashed else ""
        yield Section(
            "Where crops were taken",
            f"Boxes are the crops of a frame.{avoided} {shown(some, len(crops))}",
            figures=figures,
            size="large",
            anchor="crops",
        )


def _marks(record: Record) -> Iterator[Mark]:
    size = _numbers(record.get("scaled_size"), 2)
    if not size or min(size) <= 0:
        return
    avoided = record.get("avoided")
    boxes = [("avoided", box) for box in (avoided if isinstance(avoided, list) else ())]
    for kind, given in [*boxes, ("taken", record.get("box"))]:
        box = _numbers(given, 4)
        if box:
            scaled = (value / size[side % 2] for side, value in enumerate(box))
            left, top, width, height = (round(100 * value, 2) for value in scaled)
            yield Mark(left, top, width, height, kind)


def _numbers(value: object, count: int) -> list[float]:
    """The numbers in a list of so many; none where it is anything else."""
    found = value if isinstance(value, list) else []
    numbers = [float(one) for one in found if isinstance(one, (int, float))]
    return numbers if len(numbers) == len(found) == count else []


def chosen_by_hand(facts: Facts) -> Iterator[Section]:
    """What was kept and rejected by hand."""
    parts = []
    for status, title in ((KEEP, "Kept by hand"), (REJECT, "Rejected by hand")):
        names = sorted(name for name, decided in facts.by_hand.items() if decided == status)
        some = evenly(names, _BY_HAND)
        figures = [facts.small_frame(name, facts.moment(name)) for name in some]
        if figures:
            parts.append(Section(f"{title}: {len(names):,}", shown(some, len(names)), figures))
    if parts:
        yield Section("Chosen by hand", parts=parts, anchor="by-hand")
