# mypy: allow-untyped-calls
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from animeprep.__main__ import VERBS, main
from animeprep.curation import REJECT, decide
from animeprep.dataset import Dataset
from animeprep.errors import OutputError
from animeprep.folders import Summary
from animeprep.images import read_rgb, write_png
from animeprep.options import tell


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(here, capsys):
    """Runs the program; gives its exit code and what it printed."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def film(here, write_film, scene):
    pictures = [scene(seed, 144, 320) for seed in (1, 2, 3) for _ in range(4)]
    return write_film(here / "movie.mkv", pictures)


@pytest.fixture
def files(here):
    """Inputs of all bad kinds."""
    (here / "text.mkv").write_text("Dear diary,\n" * 50)
    (here / "empty.mkv").touch()
    (here / "text.png").write_text("no picture")
    (here / "nothing").mkdir()
    (here / "words").mkdir()
    (here / "words" / "notes.txt").write_text("no picture")
    (here / "taken").write_text("a file")
    return here


BAD_INPUT = {
    "missing film": (["frames", "missing.mkv"], "missing.mkv: there is no such file"),
    "missing film, prepare": (["prepare", "missing.mkv"], "missing.mkv: there is no such file"),
    "text named mkv": (["frames", "text.mkv"], "text.mkv: not a film that can be read"),
    "text, prepare": (["prepare", "text.mkv"], "text.mkv: not a film that can be read"),
    "empty film": (["frames", "empty.mkv"], "empty.mkv: the file is empty"),
    "text named png": (["frames", "text.png"], "text.png: not a picture that can be read"),
    "empty folder": (["frames", "nothing"], "nothing: there are no pictures in this folder"),
    "no pictures": (["frames", "words"], "words: there are no pictures in this folder"),
    "photos missing": (["photos", "missing"], "missing: there is no such folder"),
    "photos empty": (["photos", "nothing"], "nothing: there are no pictures in this folder"),
    "photos without": (["photos", "words"], "words: there are no pictures in this folder"),
    "dedup first": (["dedup"], "run `animeprep frames FILM` first"),
    "crop first": (["crop"], "run `animeprep frames FILM` first"),
    "exposure first": (["exposure"], "run `animeprep crop` first"),
    "edges first": (["smooth-edges"], "run `animeprep exposure` first"),
    "gray first": (["gray"], "run `animeprep exposure` first"),
}


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_bad_input_is_one_line_and_exit_code_1(files, call, kind):
    arguments, line = BAD_INPUT[kind]
    code, out, err = call(*arguments)
    assert code == 1
    assert out == ""
    assert err.startswith("animeprep: ")
    assert line in err
    assert err.count("\n") == 1
    assert not (files / "dataset").exists()


WRONG_CALLS = {
    "no film": (["frames"], "FILM"),
    "no film, prepare": (["prepare"], "FILM"),
    "no folder": (["photos"], "FOLDER"),
    "unknown verb": (["paint-it-black"], "No such command"),
    "unknown option": (["crop", "--colour", "red"], "No such option"),
    "not a number": (["frames", "text.mkv", "--every", "many"], "--every"),
    "out of bounds": (["frames", "text.mkv", "--every", "0"], "--every: "),
    "out of bounds, prepare": (["prepare", "text.mkv", "--strength", "7"], "--strength: "),
    "not a choice": (["exposure", "--method", "clahe"], "--method"),
    "impossible together": (["crop", "--size", "512", "--short-side", "300"], "short side 300"),
    "dataset is a file": (["dedup", "-d", "taken"], "taken"),
}


@pytest.mark.parametrize("kind", WRONG_CALLS)
def test_a_wrong_call_is_told_with_exit_code_2(files, call, kind):
    arguments, words = WRONG_CALLS[kind]
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_no_argument_shows_the_help(call):
    code, out, err = call()
    assert code == 2
    assert all(verb in out + err for verb in VERBS)


def test_debug_shows_where_an_error_comes_from(files, call):
    for arguments in (["--debug", "frames", "text.mkv"], ["frames", "text.mkv", "--debug"]):
        code, _, err = call(*arguments)
        assert code == 1
        assert "Traceback" in err
        assert "film/worker.py" in err


def test_a_fault_of_the_program_is_one_line(files, call, monkeypatch):
    def fail(*given, **more):
        raise ValueError("odd")

    monkeypatch.setattr("animeprep.frames.frames", fail)
    code, _, err = call("frames", "text.mkv")
    assert code == 1
    assert err == "animeprep: ValueError: odd (--debug shows where)\n"


@pytest.mark.parametrize(
    ("as_json", "line"), [(True, '"film": "é\\udcff"'), (False, "film é\\udcff")]
)
def test_names_that_are_no_utf_8_are_told(as_json, line, monkeypatch):
    told = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(told, "utf-8", errors="strict"))
    tell([Summary("frames", figures={"film": "é\udcff"})], as_json=as_json)
    sys.stdout.flush()
    assert line in told.getvalue().decode()


def test_ctrl_c_says_how_to_go_on(files, call, monkeypatch):
    def stop(*given, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("animeprep.frames.frames", stop)
    code, _, err = call("frames", "text.mkv")
    assert code == 130
    assert "run the same command again to go on" in err
    assert "Traceback" not in err


SMALL = ("--size", "64", "--short-side", "100")


def test_the_verbs_work_without_arguments_after_frames(film, call, here):
    assert call("frames", film, "--every", 4)[:2] == (
        0,
        "frames: 3 made\n  packets 12, decoded 9\n",
    )
    assert call("dedup")[:2] == (0, "dedup: 3 kept\n")
    assert call("crop", *SMALL, "--count", 1)[:2] == (0, "crop: 3 made\n")
    code, out, _ = call("exposure")
    assert code == 0
    assert out.startswith("exposure: 3 made\n  compared 3, spread before ev ")
    assert call("smooth-edges")[:2] == (0, "smooth-edges: 3 made\n")
    assert call("gray")[:2] == (0, "gray: 6 made\n")
    assert call("gray")[:2] == (0, "gray: 6 unchanged\n")
    assert len(list((here / "dataset" / "style").iterdir())) == 3


def test_json_can_be_parsed(film, call, here, scene):
    for seed in range(3):
        write_png(here / "photos" / f"{seed}.png", scene(seed, 100, 200))
    arguments = ("prepare", film, "--every", 4, "--photos", here / "photos", *SMALL)
    code, out, err = call(*arguments, "--json", "-d", "set")
    assert (code, err) == (0, "")
    told = json.loads(out)
    stages = ["frames", "dedup", "choose", "crop", "exposure", "smooth-edges", "gray", "photos"]
    assert [stage["stage"] for stage in told] == stages
    assert told[0]["counts"] == {"made": 3}
    assert told[4]["compared"] == len(list((here / "set" / "style").iterdir())) >= 4


def test_json_of_a_verb_is_a_list_of_one(film, call):
    code, out, _ = call("frames", film, "--every", 4, "--json")
    assert code == 0
    assert json.loads(out) == [
        {
            "stage": "frames",
            "dry_run": False,
            "counts": {"made": 3},
            "reasons": {},
            "problems": [],
            "packets": 12,
            "decoded": 9,
        }
    ]


def test_a_partial_failure_is_told_with_exit_code_1(film, files, call):
    code, out, err = call("frames", "text.mkv", film, "--every", 4)
    assert code == 1
    assert out == "frames: 1 failed, 3 made\n  packets 12, decoded 9\n"
    assert err.startswith("  text.mkv: not a film")


def test_a_broken_frame_is_told_with_exit_code_1(here, call, scene):
    write_png(here / "dataset/frames/a.png", scene(1))
    (here / "dataset/frames/b.png").write_text("no picture")
    code, out, err = call("dedup")
    assert code == 1
    assert out.startswith("dedup: 1 failed, 1 kept")
    assert "frames/b.png: not a picture that can be read" in err


def test_a_dry_run_writes_nothing_at_all(film, call, here, snapshot, scene):
    write_png(here / "photos" / "a.png", scene(1, 100, 200))
    before = snapshot(here)
    for call_of in (
        ["frames", film],
        ["prepare", film, "--photos", "photos"],
        ["photos", "photos"],
    ):
        code, out, _ = call(*call_of, "--dry-run")
        assert code == 0
        assert "dry run: nothing was done" in out
    assert snapshot(here) == before
    assert not (here / "dataset").exists()
    assert call("prepare", film, "--every", 4, *SMALL)[0] == 0
    before = snapshot(here)
    for verb in ("dedup", "crop", "exposure", "smooth-edges", "gray"):
        assert call(verb, "--dry-run")[0] == 0
    assert snapshot(here) == before


def test_a_film_of_darkness_ends_in_one_line(here, call, write_film):
    film = write_film(here / "dark.mkv", [np.full((96, 160, 3), 2, np.uint8)] * 4)
    code, _, err = call("prepare", film)
    assert code == 1
    assert err.count("\n") == 1
    assert "pictures are left out" in err


def test_a_full_disk_ends_in_one_line(film, call, monkeypatch):
    import errno
    import os

    def full(*given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdopen", full)
    code, _, err = call("frames", film)
    assert code == 1
    assert err.count("\n") == 1
    assert "free some space and run the command again" in err


@pytest.mark.parametrize("verb", ["prepare", "frames", "dedup", "crop", "exposure", "photos"])
def test_every_verb_has_a_help_with_an_example(call, verb):
    code, out, _ = call(verb, "--help")
    assert code == 0
    assert f"Example: animeprep {verb}" in out
    assert "--dataset" in out


def test_help_keeps_the_writing_of_units(call):
    assert "Greatest gain, in EV" in call("exposure", "--help")[1]


def modules_after(code):
    script = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    ["import animeprep", "from animeprep.__main__ import main; main(['--help'])"],
    ids=["import", "help"],
)
def test_import_and_help_load_no_heavy_library(code):
    loaded = modules_after(code)
    assert "animeprep" in loaded
    assert not loaded & {"torch", "cv2", "numpy", "av", "PIL", "scipy", "skimage", "animegan"}


def test_the_data_half_never_loads_torch():
    loaded = modules_after("import animeprep.cli")
    assert "cv2" in loaded
    assert not loaded & {"torch", "animegan", "matplotlib"}


# --- films --------------------------------------------------------------------------------------


def test_info_tells_what_is_done_and_why(film, call):
    code, out, _ = call("info", film)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("movie.mkv is movie-")
    matrix = next(line for line in lines if "colour matrix" in line)
    assert re.search(r"untagged +smpte170m: usual below 720 rows", matrix)


def test_info_as_json_has_all_findings(film, call):
    code, out, _ = call("info", film, "--json", "--turn", "90")
    assert code == 0
    told = json.loads(out)[0]
    assert told["pictures"] == 12
    assert told["orientation"] == [True, False, True]
    assert {"what", "found", "done"} == set(told["findings"][0])


def test_info_goes_on_after_what_is_no_film(film, files, call):
    code, out, err = call("info", "text.mkv", film)
    assert code == 1
    assert "movie.mkv is movie-" in out
    assert err.startswith("animeprep: text.mkv: not a film that can be read")


def test_the_recipe_stands_behind_options_and_before_defaults(film, call, here):
    (here / "dataset").mkdir()
    (here / "dataset/animeprep.toml").write_text(
        '[frames]\nevery = 6\n[films]\nturn = "90"\n[films."movie.mkv"]\npixel_aspect = "2:1"\n'
    )
    assert call("frames", film, "--json")[0] == 0
    record = next(iter(Dataset(here / "dataset").records("frames")))
    taken = sorted(path.name for path in (here / "dataset/frames").iterdir())
    assert len(taken) == 2
    assert read_rgb(here / "dataset" / record["file_name"]).shape[:2] == (640, 144)
    assert call("frames", film, "--every", 4, "--pixel-aspect", "1:1")[0] == 0
    assert len(list((here / "dataset/frames").iterdir())) == 3
    assert read_rgb(here / "dataset" / record["file_name"]).shape[:2] == (320, 144)


def test_other_film_settings_take_the_pictures_anew(film, call, here, times_of):
    call("frames", film, "--every", 4)
    before = times_of(here / "dataset/frames")
    code, out, _ = call("frames", film, "--every", 4, "--turn", "mirror")
    assert (code, out.splitlines()[0]) == (0, "frames: 3 made")
    after = times_of(here / "dataset/frames")
    assert before.keys() == after.keys()
    assert all(before[path] != after[path] for path in before)
    code, out, _ = call("frames", film, "--every", 4, "--turn", "mirror", "--patience", 9)
    assert (code, out) == (0, "frames: 3 unchanged\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--start", "1:x"), "--start: 1:x is no time; write 90, 1:30 or 0:01:30.5"),
        (
            ("--every-seconds", "0"),
            "--every-seconds: Input should be greater than or equal to 0.001",
        ),
        (
            ("--every", "10", "--every-seconds", "2"),
            "every and every-seconds say the same in other ways: give one",
        ),
        (("--start", "4", "--end", "2"), "start, 4 s, is not before end, 2 s"),
        (("--pixel-aspect", "wide"), "--pixel-aspect: 'wide' is not understood; it is the width"),
        (("--background", "red"), "--background: 'red' is not understood; it is the colour"),
        (("--sample", "all"), "'all' is not one of 'every', 'keyframes', 'scenes'"),
    ],
)
def test_impossible_film_options_are_usage_errors(film, call, arguments, said):
    code, _, err = call("frames", film, *arguments)
    assert code == 2
    assert said in err


def test_what_was_not_asked_for_is_no_reason_to_remove_anything(film, call, here):
    call("frames", film, "--every", 4)
    code, _, err = call("frames", film, "--every", 4, "--start", "1:00:00")
    assert code == 1
    assert "none of its pictures was asked for; look at its length" in err
    assert len(list((here / "dataset/frames").iterdir())) == 3


@pytest.mark.parametrize("area", ["100x100+300+100", "0x0+0+0", "321x10+0+0"])
def test_a_letterbox_outside_of_the_picture_is_refused(film, call, here, area):
    code, _, err = call("frames", film, "--letterbox", area)
    assert code == 1
    assert f"movie.mkv: the letterbox {area} is not within 320×144" in err


def test_shots_come_and_go_with_their_option(film, call, here):
    def numbered():
        return [r.get("shot") for r in Dataset(here / "dataset").records("frames")]

    call("frames", film, "--every", 4)
    plain = (here / "dataset/frames.jsonl").read_bytes()
    assert numbered() == [None] * 3
    call("frames", film, "--every", 4, "--shots")
    assert numbered() == [0, 1, 2]
    # What was asked for stands in the recipe.
    call("frames")
    assert numbered() == [0, 1, 2]
    call("frames", "--no-shots")
    assert (here / "dataset/frames.jsonl").read_bytes() == plain


def test_an_option_takes_the_place_of_the_recipes_other_way_of_sampling(film, call, here):
    (here / "dataset").mkdir()
    (here / "dataset/animeprep.toml").write_text("[frames]\nevery_seconds = 0.04\n")
    call("frames", film)
    assert len(list((here / "dataset/frames").iterdir())) == 12
    call("frames", film, "--every", 6)
    assert len(list((here / "dataset/frames").iterdir())) == 2


def test_every_unusable_input_is_told(files, call):
    code, out, err = call("frames", "text.mkv", "empty.mkv", "--json")
    assert code == 1
    assert json.loads(out)[0]["counts"] == {"failed": 2}
    assert "text.mkv" in err
    assert "empty.mkv" in err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no fifos here")
def test_a_fifo_is_no_film(here, call):
    os.mkfifo(here / "fifo.mkv")
    code, _, err = call("info", "fifo.mkv")
    assert (code, err) == (1, "animeprep: fifo.mkv: is no file; name a film\n")


@pytest.fixture
def prepared(film, call, here, scene):
    """A dataset in `dataset/`, made by `prepare`."""
    for seed in range(3):
        write_png(here / "photos" / f"{seed}.png", scene(seed, 100, 200))
    code, _, err = call("prepare", film, "--every", 4, "--photos", here / "photos", *SMALL)
    assert (code, err) == (0, "")
    return Dataset(here / "dataset")


def test_prepare_remembers_what_the_set_is_made_of_and_redoes_what_an_edit_asks_for(
    prepared, call, here
):
    code, out, _ = call("prepare")
    assert code == 0
    assert re.findall(r"^(\S+): .*(?:made|to do)", out, re.MULTILINE) == []
    recipe = here / "dataset/animeprep.toml"
    recipe.write_text(recipe.read_text().replace("high = 200.0", "high = 150.0 # softer lines"))
    code, out, _ = call("prepare", "--dry-run")
    lines = dict(re.findall(r"^(\S+): (.*) \(dry run", out, re.MULTILINE))
    # A shot may be held out.
    style = len(list((here / "dataset/style").iterdir()))
    assert lines["exposure"] == "6 unchanged"
    assert lines["smooth-edges"] == f"{style} to do"
    assert lines["gray"] == f"{style} to do, {style} unchanged"
    assert f"[other settings {style}]" in out
    assert f"[made again before {style}]" in out
    code, out, _ = call("prepare")
    assert "exposure: 6 unchanged" in out
    assert "# softer lines" in recipe.read_text()


def test_a_misspelt_recipe_is_refused_with_a_suggestion(prepared, call, here):
    recipe = here / "dataset/animeprep.toml"
    recipe.write_text(recipe.read_text().replace("every =", "evry ="))
    code, out, err = call("prepare")
    assert (code, out) == (2, "")
    assert "unknown setting in [frames]: evry; did you mean every?" in err


def test_a_run_that_fails_leaves_the_recipe_as_it_was(prepared, call, here):
    before = (here / "dataset/animeprep.toml").read_bytes()
    assert call("frames", "--start", "1:00:00")[0] == 1
    assert (here / "dataset/animeprep.toml").read_bytes() == before


def test_what_was_left_out_is_restored_from_its_film(call, here, write_film, scene, soften):
    film = write_film(here / "movie.mkv", [soften(scene(1, 144, 320)), scene(1, 144, 320)])
    call("prepare", film, "--every", 1, *SMALL)
    dataset = Dataset(here / "dataset")
    soft = next(r["file_name"] for r in dataset.records("dedup") if r["status"] == "dropped")
    assert not dataset.path(soft).exists()
    name = f"dataset/left_out/{Path(soft).stem}.jpg"
    code, out, _ = call("dedup", "--restore", name, "--dry-run")
    assert out == "dedup: 1 to decode again, 1 to keep by hand (dry run: nothing was done)\n"
    code, out, _ = call("dedup", "--restore", name)
    assert (code, out.splitlines()[:2]) == (0, ["dedup: 2 kept", "choose: 2 kept"])
    assert dataset.path(soft).exists()
    assert len(dataset.kept_frames()) == 2
    assert "1 made" not in call("prepare")[1].splitlines()[0]
    assert len(dataset.kept_frames()) == 2


def test_what_cannot_be_restored_is_told(call, here, write_film, scene, soften):
    film = write_film(here / "movie.mkv", [soften(scene(1, 144, 320)), scene(1, 144, 320)])
    call("prepare", film, "--every", 1, *SMALL)
    dataset = Dataset(here / "dataset")
    soft = next(r["file_name"] for r in dataset.records("dedup") if r["status"] == "dropped")
    code, _, err = call("dedup", "--restore", "move_0000001")
    assert (code, "there is no such frame here" in err) == (2, True)
    film.unlink()
    code, _, err = call("dedup", "--restore", soft)
    assert (code, f"{soft}: its film is not there" in err) == (1, True)
    assert len(dataset.records("curation").sources()) == 0


def test_a_second_run_at_the_same_time_is_refused(prepared, call):
    with prepared.lock():
        for arguments in (["prepare"], ["crop"], ["review", "--no-browser"]):
            code, out, err = call(*arguments)
            assert (code, out) == (1, "")
            assert "dataset: another run is at work on this dataset" in err
        assert call("prepare", "--dry-run")[0] == 0
        assert call("doctor")[0] == 0


def test_choosing_fewer_frames_leaves_fewer_crops(prepared, call):
    code, out, _ = call("choose", "--target", 2, "--held-out", 0)
    assert (code, out.splitlines()[0]) == (0, "choose: 1 dropped, 2 kept [not chosen 1]")
    assert call("crop")[1].startswith("crop: 2 removed, 4 unchanged")


def test_a_report_is_one_page(prepared, call, here):
    code, out, _ = call("report")
    assert (code, out) == (0, "dataset/report.html\n")
    assert "movie.mkv" in (here / "dataset/report.html").read_text()


def test_the_check_up_tells_what_is_wrong_and_what_to_run(prepared, call):
    code, out, _ = call("doctor")
    assert code == 0
    assert "animeprep train" in out
    next(prepared.path("style").iterdir()).write_bytes(b"broken")
    code, out, _ = call("doctor", "--json")
    assert code == 1
    assert "problem" in {finding["level"] for finding in json.loads(out)}


def test_a_set_goes_out_and_comes_in_again(prepared, call, here, snapshot):
    code, out, _ = call("export-set", "imagefolder", "elsewhere")
    assert (code, out.split(":")[0]) == (0, "export-set")
    assert call("import-set", "elsewhere", "-d", "again")[0] == 0
    style = snapshot(prepared.root, "style")
    assert sorted(snapshot(here / "again", "style").values()) == sorted(style.values())
    assert call("export-set", "origami", "elsewhere")[0] == 2


def test_a_preview_of_smoothed_edges_is_a_sheet(prepared, call, here):
    code, out, _ = call("smooth-edges", "--preview")
    assert (code, out) == (0, "dataset/smooth-preview.png\n")
    assert read_rgb(here / "dataset/smooth-preview.png").shape[1] >= 4 * 64


def test_options_of_prepare_reach_the_stage_that_they_are_meant_for(film, call, here):
    options = ("--target", 2, "--held-out", 0.5, "--strength", 0.25, "--alike", "loose")
    assert call("prepare", film, *SMALL, *options)[0] == 0
    recipe = tomllib.loads((here / "dataset/animeprep.toml").read_text())
    assert (recipe["choose"]["target"], recipe["choose"]["held_out"]) == (2, 0.05)
    assert "target" not in recipe["exposure"]
    assert (recipe["photos"]["held_out"], recipe["photos"]["size"]) == (0.5, 64)
    assert (recipe["exposure"]["strength"], recipe["dedup"]["alike"]) == (0.25, "loose")


def test_settings_that_made_something_stay_in_the_recipe_when_a_later_stage_fails(film, call, here):
    call("prepare", film, *SMALL)
    dataset = Dataset(here / "dataset")
    decide(dataset, [r["file_name"] for r in dataset.records("dedup")], REJECT)
    code, _, err = call("prepare", "--size", 32)
    assert (code, "are left out" in err) == (1, True)
    recipe = tomllib.loads((here / "dataset/animeprep.toml").read_text())
    assert recipe["crop"]["size"] == 32


def test_a_restored_copy_of_a_held_out_frame_is_held_out(call, here, write_film, scene, soften):
    pictures = [soften(scene(seed, 144, 320), s) for seed in range(6) for s in (0.8, 0.5)]
    film = write_film(here / "movie.mkv", pictures)
    call("prepare", film, "--every", 1, *SMALL)
    call("choose", "--held-out", 0.4)
    dataset = Dataset(here / "dataset")
    copies = [r for r in dataset.records("dedup") if r.get("keeper") in dataset.held_out_frames()]
    assert copies
    call("dedup", "--restore", copies[0]["file_name"])
    assert copies[0]["file_name"] in dataset.held_out_frames()


def test_prepare_works_on_frames_that_were_put_there(here, call, scene):
    for seed in range(3):
        write_png(here / f"dataset/frames/{seed}.png", scene(seed))
    code, _, err = call("prepare", *SMALL)
    assert (code, err) == (0, "")
    style = len(list((here / "dataset/style").iterdir()))
    assert len(list((here / "dataset/gray").iterdir())) == style >= 4


def test_a_misspelt_film_in_the_recipe_is_told_before_anything_is_done(film, call, here):
    (here / "dataset").mkdir()
    (here / "dataset/animeprep.toml").write_text('[films."mvie.mkv"]\nturn = "90"\n')
    _, out, err = call("frames", film, "--every", 4, "--dry-run")
    assert "to do" in out
    assert "[new 3]" in out
    assert "there is no such film here; did you mean movie.mkv?" in err


def test_a_recipe_written_by_an_editor_with_a_mark_of_its_own_is_read(film, call, here):
    (here / "dataset").mkdir()
    (here / "dataset/animeprep.toml").write_bytes(b"\xef\xbb\xbf[frames]\r\nevery = 4\r\n")
    assert call("frames", film)[1].startswith("frames: 3 made")


def test_after_a_full_disk_prepare_goes_on_with_what_it_was_given(film, call, here, monkeypatch):
    def full(path, picture, record):
        raise OutputError(path, "cannot be written (No space left on device)")

    with monkeypatch.context() as patch:
        patch.setattr("animeprep.frame_writer.write_frame", full)
        assert call("prepare", film, "--every", 4, *SMALL)[0] == 1
    assert call("prepare")[1].startswith("frames: 3 made")
