"""The program `animeprep`: its table of verbs, and how it ends.

Each verb is imported when it is called, so that `animeprep --help` is quick and never loads
torch.
"""

import gc
import importlib
import sys
import traceback
from typing import Any

import click

from animeprep.errors import AnimeprepError

#: Verb → where it is, and its line in the help.
VERBS = {
    "demo": ("animegan.cli:demo", "See it all: prepare, train and paint on built-in data."),
    "prepare": ("animeprep.cli:prepare", "Make all sets from films and photos in one go."),
    "info": ("animeprep.cli:info", "Tell what films are and what will be done about it."),
    "frames": (
        "animeprep.cli:frames",
        "Take pictures of films: every N-th, key pictures, or of each shot.",
    ),
    "dedup": ("animeprep.cli:dedup", "Leave out black, night, cards and copies."),
    "choose": ("animeprep.cli:choose", "Choose the most different frames."),
    "crop": ("animeprep.cli:crop", "Cut square crops."),
    "exposure": ("animeprep.cli:exposure", "Even out the exposure of the whole set."),
    "smooth-edges": ("animeprep.cli:smooth_edges", 'Smooth edges: the "fake" anime.'),
    "gray": ("animeprep.cli:gray", "Make the grayscale sets."),
    "photos": ("animeprep.cli:photos", "Crop real photos and hold some out."),
    "report": ("animeprep.set_cli:report", "Write a page that shows the whole dataset."),
    "review": ("animeprep.set_cli:review", "Choose frames and crops by hand, in the browser."),
    "doctor": ("animeprep.set_cli:doctor", "Check the dataset and say what to run next."),
    "export-set": ("animeprep.set_cli:export_set", "Write the sets for another trainer."),
    "import-set": ("animeprep.set_cli:import_set", "Take pictures of another trainer's set."),
    "train": ("animegan.train_cli:train", "Train AnimeGAN, v2 or CartoonGAN on the dataset."),
    "stylize": ("animegan.cli:stylize", "Paint pictures, folders of pictures, and films."),
    "ui": ("animegan.cli:ui", "Paint in the browser, on a page of this computer alone."),
    "export": ("animegan.cli:export", "Write a generator as ONNX, OpenVINO or safetensors."),
    "blend": ("animegan.cli:blend", "Mix two generators into one."),
    "evaluate": ("animegan.cli:evaluate", "Measure how anime any method's pictures look."),
    "faces": ("animegan.faces_cli:faces", "Anime faces from words: blue hair red eyes."),
    "bench": ("animegan.cli:bench", "Measure what paints fastest on this machine."),
    "table": ("animegan.cli:table", "Tell size, arithmetic and speed of the networks."),
}


class _LazyGroup(click.Group):
    """Lists the verbs of the table and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return super().get_command(ctx, cmd_name)
        module, _, name = VERBS[cmd_name][0].partition(":")
        gc.disable()  # imports leave nothing to collect; looking for it takes a tenth of their time
        try:
            command = getattr(importlib.import_module(module), name)
        finally:
            gc.freeze()  # nor is it looked at later
            gc.enable()
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{name} is no verb")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs, in the order of the work"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="animeprep")
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
def program(debug: bool) -> None:  # noqa: FBT001 - read by main
    """From a film and a folder of photos to your own AnimeGAN.

    \b
    animeprep prepare movie.mkv --photos holiday/
    animeprep train
    animeprep stylize photo.jpg
    """  # noqa: D301 - the backslash is meant: click keeps the lines after it


def main(arguments: list[str] | None = None) -> int:
    """Run the program.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrongly called, 130 stopped by Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    # Anywhere on the line, since one adds it after a failure.
    arguments = [argument for argument in arguments if argument != "--debug"]
    code = 0
    try:
        outcome: Any = program.main(arguments, prog_name="animeprep", standalone_mode=False)
        code = outcome if isinstance(outcome, int) else 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nanimeprep: stopped; run the same command again to go on", err=True)
        code = 130
    except AnimeprepError as error:
        code = _fail(str(error), error.exit_code, debug=debug)
    except BrokenPipeError:
        # Whoever read our output, `head` say, has enough: no reason to complain.
        sys.stderr.close()
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, not a traceback
        code = _fail(f"{type(error).__name__}: {error} (--debug shows where)", 1, debug=debug)
    return code


def _fail(line: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"animeprep: {line}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
