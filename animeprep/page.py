"""One self-contained HTML page: sections of text, tables, thumbnails and charts, nothing to load.

Pictures are embedded as JPEG. All text is escaped, the page forbids itself every connection, and
its one script only enlarges pictures; without it the page says the same.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from animeprep.boxes import Picture
from animeprep.charts import Chart, Step, line_chart
from animeprep.files import write_atomic
from animeprep.images import encode_jpeg

__all__ = [
    "Chart",
    "Figure",
    "Mark",
    "Section",
    "Table",
    "line_chart",
    "script",
    "templates",
    "write_page",
]

#: JPEG qualities, the first for pictures as they usually are; noise gets the last.
_QUALITIES = (86, 60, 30)
#: Bytes of JPEG for each pixel, at most, but for the last quality.
_DENSITY = 0.5


@dataclass(frozen=True)
class Mark:
    """A box that is drawn over a picture.

    Attributes:
        left, top, width, height: percent of the picture.
        kind: CSS class: `taken` or `avoided`.
    """

    left: float
    top: float
    width: float
    height: float
    kind: str = "taken"


@dataclass(frozen=True)
class Figure:
    """A picture with a line beneath it.

    Attributes:
        picture: uint8 RGB H×W×3 or gray H×W, embedded at its size; None says that it is missing.
        caption: plain text.
        alt: what it shows, where the caption does not say so.
        marks: drawn over it.
        chosen: framed, as the one that the others are compared with.
    """

    picture: Picture | None
    caption: str = ""
    alt: str = ""
    marks: Sequence[Mark] = ()
    chosen: bool = False

    def source(self) -> str:
        """The picture as a data URL; empty where there is none."""
        if self.picture is None:
            return ""
        most = _DENSITY * self.picture.shape[0] * self.picture.shape[1] + 2048
        coded = (encode_jpeg(self.picture, quality) for quality in _QUALITIES)
        data = next((one for one in coded if len(one) <= most), None)
        data = data or encode_jpeg(self.picture, _QUALITIES[-1])
        return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


@dataclass(frozen=True)
class Table:
    """A table whose first column names the row.

    Attributes:
        head: of each column.
        rows: cells as plain text or numbers; numbers stand at the right.
        title: above it.
        folded: shown when its title is pressed.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]
    title: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page; empty parts are not drawn.

    Attributes:
        title: plain text.
        text: plain text, one paragraph.
        figures: shown side by side, wrapping.
        rows: figures side by side in rows that stay together.
        chart: over the whole width.
        panels: small charts side by side.
        tables: one below the other.
        flow: rows with bars.
        quoted: text of a file, as it is.
        parts: sections within this one.
        anchor: where links lead; made of the number where there is none.
        size: of its figures: `small`, `medium` or `large`.
    """

    title: str
    text: str = ""
    figures: Sequence[Figure] = ()
    rows: Sequence[Sequence[Figure]] = ()
    chart: Chart | None = None
    panels: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    flow: Sequence[Step] = ()
    quoted: str = ""
    parts: Sequence["Section"] = ()
    anchor: str = ""
    size: str = "medium"


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write a page.

    Args:
        path: the HTML file.
        title: plain text; like all text here it is escaped.
        lead: the first paragraph.
        sections: in order.

    Raises:
        OutputError: it cannot be written.
    """
    environment = templates("animeprep")
    page = environment.get_template("page.html").render(
        title=title, lead=lead, sections=sections, scripts=[script(environment, "page.js")]
    )
    # Names of files that are no UTF-8 show a question mark for each odd byte.
    write_atomic(path, page.encode(errors="replace"))


def templates(*packages: str) -> Environment:
    """The templates of packages, the first's before the others'; all text is escaped."""
    return Environment(
        autoescape=True,
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def script(environment: Environment, name: str) -> dict[str, str]:
    """A page's script: its text, and the digest by which the page's policy lets it run."""
    text = environment.get_template(name).render()
    digest = hashlib.sha256(text.encode()).digest()
    return {"text": text, "digest": base64.b64encode(digest).decode()}
