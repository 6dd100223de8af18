"""One self-contained HTML page: sections of text, thumbnails and charts, nothing to load.

Pictures are embedded as JPEG, charts as SVG.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from animeprep.boxes import Picture
from animeprep.files import write_atomic
from animeprep.images import encode_jpeg


@dataclass(frozen=True)
class Figure:
    """A picture with a line beneath it.

    Attributes:
        picture: uint8 RGB H×W×3 or gray H×W, embedded at its size.
        caption: plain text.
    """

    picture: Picture
    caption: str = ""

    def source(self) -> str:
        """The picture as a data URL."""
        data = base64.b64encode(encode_jpeg(self.picture, 88)).decode()
        return f"data:image/jpeg;base64,{data}"


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: plain text.
        text: plain text, one paragraph.
        figures: shown side by side, wrapping.
        chart: SVG made by `line_chart`, or empty.
        rows: figures side by side in rows that stay together.
    """

    title: str
    text: str = ""
    figures: Sequence[Figure] = ()
    rows: Sequence[Sequence[Figure]] = ()
    chart: str = ""


_TEMPLATE = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
 body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem;
        color: #222; background: #fafafa; }
 h1 { line-height: 1.15; } h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
 p { max-width: 50rem; }
 .figures { display: flex; flex-wrap: wrap; gap: .6rem; }
 .row { display: flex; gap: .6rem; margin-bottom: 1rem; }
 .row figure { flex: 1; min-width: 0; } .row img { width: 100%; }
 figure { margin: 0; } img { display: block; max-width: 100%; border-radius: 3px; }
 figcaption { font-size: .8rem; color: #555; }
 svg { max-width: 100%; height: auto; }
 @media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818; }
  figcaption { color: #aaa; } .chart { background: #fff; } }
</style>
<h1>{{ title }}</h1>
<p>{{ lead }}</p>
{% macro show(figure) %}<figure><img src="{{ figure.source() }}" alt="{{ figure.caption }}">
{% if figure.caption %}<figcaption>{{ figure.caption }}</figcaption>{% endif %}</figure>
{% endmacro %}
{% for section in sections %}
<h2>{{ section.title }}</h2>
{% if section.text %}<p>{{ section.text }}</p>{% endif %}
{% if section.figures %}<div class="figures">
{% for figure in section.figures %}{{ show(figure) }}{% endfor %}</div>{% endif %}
{% for row in section.rows %}<div class="row">
{% for figure in row %}{{ show(figure) }}{% endfor %}</div>{% endfor %}
{% if section.chart %}<div class="chart">{{ section.chart | safe }}</div>{% endif %}
{% endfor %}
</html>
"""


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
    template = Environment(autoescape=True).from_string(_TEMPLATE)
    write_atomic(path, template.render(title=title, lead=lead, sections=sections).encode())


def line_chart(
    curves: Mapping[str, Sequence[float]], x_label: str, *, log_scale: bool = False
) -> str:
    """Curves over a common axis 1, 2, 3, … as SVG text.

    Args:
        curves: name → values.
        x_label: what the axis counts.
        log_scale: logarithmic vertical axis.
    """
    from matplotlib.figure import Figure as Chart

    chart = Chart(figsize=(9, 3.2), layout="constrained")
    axes = chart.add_subplot()
    for name, values in curves.items():
        axes.plot(range(1, len(values) + 1), values, label=name, linewidth=1.3)
    axes.set_xlabel(x_label)
    if log_scale:
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(ncols=len(curves), fontsize="small")
    out = io.BytesIO()
    chart.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue().decode().split("?>", 1)[1].split('.dtd">', 1)[-1]
