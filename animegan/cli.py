"""The verbs of training and painting: parse, call, tell; no algorithm."""

import json
from pathlib import Path
from typing import Any, get_args

import click

from animegan.backends.wish import Backend, Precision
from animegan.blend import blend as mix
from animegan.device import pick_device
from animegan.export import export as write_export
from animegan.films.settings import FilmSettings, How
from animegan.inputs import paint
from animegan.models import GENERATORS
from animegan.options import DEVICE
from animegan.painter import Painter, find_model
from animegan.stylize import PIPE, PaintSettings
from animeprep.errors import InputError
from animeprep.folders import MADE, Summary
from animeprep.options import (
    AS_JSON,
    DATASET,
    DRY_RUN,
    PATH,
    fields_of,
    make_settings,
    page_options,
    settings_options,
    tell,
    tell_address,
)

_MODEL = click.option(
    "--model",
    type=PATH,
    help="A run, a generator file, or weights that others published; by default the newest run.",
)
_NETWORK = click.option(
    "--network",
    type=click.Choice(list(GENERATORS)),
    help="Build this network in place of the one that the file suggests.",
)
_BACKEND = click.option(
    "--backend",
    type=click.Choice(get_args(Backend)),
    default="auto",
    show_default=True,
    help="What computes; the last two on CPUs, with extras `onnx` and `openvino`.",
)
_PRECISION = click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default="auto",
    show_default=True,
    help="How finely to compute; auto is fp16 on CUDA, else fp32.",
)


@click.command(
    epilog="Examples: animeprep stylize photo.jpg -o painted.png; animeprep stylize a.mkv -o b.mp4"
)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=PATH)
@click.option(
    "-o",
    "--out",
    type=PATH,
    default="painted",
    show_default=True,
    help="A folder; for a single picture or film also a file.",
)
@_MODEL
@_NETWORK
@settings_options(PaintSettings)
@settings_options(FilmSettings)
@click.option("--side-by-side", is_flag=True, help="Films: what --compare is for pictures.")
@DEVICE
@_BACKEND
@_PRECISION
@DRY_RUN
@AS_JSON
def stylize(
    inputs: tuple[Path, ...],
    out: Path,
    model: Path | None,
    network: str | None,
    device: str,
    backend: Backend,
    precision: Precision,
    dry_run: bool,
    as_json: bool,
    side_by_side: bool,
    **settings: Any,
) -> int:
    """Paint pictures, folders of pictures, and films.

    Pictures keep their size, films their sound, subtitles and times. A film that was stopped goes
    on where it was. `-` as INPUT reads a picture, or raw video as YUV4MPEG2 or NUT, from standard
    input; `-o -` writes to standard output.
    """
    settings["compare"] |= side_by_side
    film = make_settings(FilmSettings, fields_of(FilmSettings, settings))
    pictures = make_settings(PaintSettings, fields_of(PaintSettings, settings))
    painter = Painter.load(
        model, device=device, network=network, backend=backend, precision=precision
    )
    done = paint(list(inputs), out, How(painter, pictures, film), dry_run=dry_run)
    return tell(done, as_json=as_json, to_stderr=out == PIPE)


@click.command(epilog="Example: animeprep ui --model my_run")
@_MODEL
@page_options
@DEVICE
@DATASET
def ui(model: Path | None, port: int, no_browser: bool, device: str, dataset: Path) -> int:
    """Paint in the browser, on a page of this computer alone.

    Drop a photo or film, choose a run, compare before and after, download. The page also leads to
    the dataset's report and to the pages of the runs.
    """
    from animegan.ui import serve

    serve(
        model,
        dataset,
        device=device,
        port=port,
        open_browser=not no_browser,
        ready=tell_address,
    )
    return 0


@click.command(epilog="Example: animeprep blend runs/hayao runs/shinkai 0.4 -o mixed.safetensors")
@click.argument("first", type=PATH)
@click.argument("second", type=PATH)
@click.argument("share", type=float)
@click.option(
    "-o", "--out", type=PATH, default="blend.safetensors", show_default=True, help="The file."
)
@AS_JSON
def blend(first: Path, second: Path, share: float, out: Path, as_json: bool) -> int:
    """Mix two generators of one network: SHARE of SECOND, the rest of FIRST.

    Both are runs or generator files. It works best where both began with the same initialisation.
    """
    files = find_model(first), find_model(second)
    if out.resolve() in {file.resolve() for file in files}:
        raise InputError(out, "would be overwritten", "name another file with -o")
    header = mix(*files, share, out)
    summary = Summary("blend", figures={"to": str(out), "network": header.generator})
    summary.counts[MADE] = 1
    return tell([summary], as_json=as_json)


@click.command(epilog="Example: animeprep export --model my_run -o my_style.onnx")
@click.option(
    "-o",
    "--out",
    type=PATH,
    default="generator.onnx",
    show_default=True,
    help="The file: .onnx, .xml for OpenVINO, or .safetensors.",
)
@_MODEL
@_NETWORK
@AS_JSON
def export(out: Path, model: Path | None, network: str | None, as_json: bool) -> int:
    """Write a generator for other programs; it is checked on a real photo before it is there."""
    summary = Summary("export", figures=write_export(find_model(model), out, network))
    summary.counts[MADE] = 1
    return tell([summary], as_json=as_json)


@click.command(epilog="Example: animeprep demo")
@click.option(
    "-o", "--out", type=PATH, default="demo", show_default=True, help="Where to leave it."
)
@DRY_RUN
@AS_JSON
def demo(out: Path, dry_run: bool, as_json: bool) -> int:
    """See it all on built-in data: a film is prepared, a generator trained, photos painted.

    Leaves index.html in the folder. Takes up to six minutes on two cores.
    """
    # It alone reads films; training and painting pictures do without those libraries.
    from animegan.demo import run_demo

    return tell(run_demo(out, dry_run=dry_run), as_json=as_json)


@click.command(epilog="Example: animeprep table --markdown > networks.md")
@DEVICE
@click.option("--markdown", is_flag=True, help="Tell the result as Markdown.")
@AS_JSON
def table(device: str, markdown: bool, as_json: bool) -> int:
    """Tell parameters, size, arithmetic and speed of the networks.

    Beside them stands table 1 of the AnimeGAN paper, with a recount by its rules in brackets.
    """
    from animegan import table as networks

    place = pick_device(device)
    rows = networks.measure(place)
    if as_json:
        click.echo(json.dumps(networks.as_json(rows, place), ensure_ascii=False))
    elif markdown:
        click.echo(networks.as_markdown(rows, place))
    else:
        networks.show(rows, place)
    return 0


def _size(text: str) -> tuple[int, int]:
    """`960x540` → (960, 540)."""
    try:
        width, height = map(int, text.split("x"))
    except ValueError:
        width = height = 0
    if min(width, height) < 8:
        raise click.BadParameter(f"{text}: say width x height, like 960x540, at least 8x8")
    return width, height


@click.command(epilog="Example: animeprep bench --model my_run --size 960x540")
@_MODEL
@_NETWORK
@DEVICE
@click.option(
    "--size",
    "sizes",
    multiple=True,
    help="Width x height, again for each; by default 256², 512², 540p and 1080p.",
)
@AS_JSON
def bench(
    model: Path | None, network: str | None, device: str, sizes: tuple[str, ...], as_json: bool
) -> int:
    """Measure all backends and precisions on this machine: time, memory, and how true they are.

    Takes some minutes; what is built is kept, so `stylize` finds it.
    """
    from animegan import bench as benchmark

    place = pick_device(device)
    wanted = tuple(map(_size, sizes)) or benchmark.SIZES
    rows = benchmark.bench(benchmark.model_to_measure(model, network), network, place, wanted)
    if as_json:
        click.echo(json.dumps(benchmark.as_json(rows, place), ensure_ascii=False))
    else:
        benchmark.show(rows, place)
    return 0


@click.command(epilog="Example: animeprep evaluate ours=painted --photos val --style style_val")
@click.argument("methods", metavar="NAME=FOLDER...", nargs=-1, required=True)
@click.option("--photos", type=PATH, required=True, help="The photos that were painted.")
@click.option("--style", type=PATH, required=True, help="Pictures of the style.")
@click.option(
    "-o", "--out", type=PATH, default="evaluation", show_default=True, help="Where to leave it."
)
@DEVICE
@DRY_RUN
@AS_JSON
def evaluate(
    methods: tuple[str, ...],
    photos: Path,
    style: Path,
    out: Path,
    device: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Measure any method's paintings of the same photos, side by side.

    A painting is called like its photo and may have any size. The photos and the style set stand
    beside the methods.
    """
    from animegan import evaluate as evaluation  # it takes a second to import

    folders = evaluation.parse_methods(methods)
    if dry_run:
        found = evaluation.find_photos(folders, photos)
        return tell([evaluation.summarise(found, found.problems, dry_run=True)], as_json=as_json)
    summary, measures = evaluation.evaluate(folders, photos, style, out, pick_device(device))
    if as_json:
        summary.figures["measures"] = measures
    else:
        evaluation.show(measures)
    return tell([summary], as_json=as_json)
