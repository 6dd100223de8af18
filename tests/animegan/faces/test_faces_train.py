"""The verb `faces train` on drawn faces: a whole run, going on, bad inputs; words are heeded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from animegan import checkpoint
from animegan.checkpoint import Header
from animegan.faces.reading import read_faces
from animegan.faces.settings import Reading
from animegan.faces.teachers import load_examiner
from animegan.run import read_lines
from animeprep.__main__ import main
from tests.animegan.faces.drawing import drawn_faces, faces_set, words_csv, write_folder, write_tar

HAIR, EYES = ("red", "green", "blue"), ("red", "green", "yellow")
#: Small enough for a test, every part of a step in use.
TINY = ("--recipe", "tiny", "--filters", "4", "--start", "16", "--batch", "4", "--every", "2")


class Told(NamedTuple):
    """How a call ended: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """Runs `faces train` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        capsys.readouterr()
        code = main(["faces", "train", *(str(arg) for arg in args), "--device", "cpu"])
        return Told(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def taught(tmp_path_factory, source):
    """A run's folder with the classifiers of the source."""
    folder = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        args = ["faces", "train", str(source), *TINY, "--steps", "0", "--device", "cpu"]
        assert main(args) == 0
    return folder / "runs" / "drawn"


@pytest.fixture
def run_of(tmp_path, taught):
    """Makes a run's folder that has its classifiers already."""

    def make(name):
        run = tmp_path / "runs" / name
        run.mkdir(parents=True)
        for file in ("classifiers.safetensors", "examiner.safetensors"):
            shutil.copy(taught / file, run)
        return run

    return make


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    drawn = drawn_faces(40, hair=HAIR, eyes=EYES)
    return write_tar(tmp_path_factory.mktemp("faces") / "drawn.tar", faces_set(drawn))


def test_a_run_from_faces_to_page(train, run_of, source, capsys):
    run = run_of("drawn")
    done = train(source, *TINY, "--steps", "4", "--json")
    assert done.code == 0, done.err
    assert not done.err
    read, trained = json.loads(done.out)
    assert read["counts"] == {"kept": 40, "read": 40}
    assert trained["counts"]["steps made"] == 4
    assert trained["run"] == "runs/drawn"
    assert {path.name for path in run.iterdir()} >= {
        "best.safetensors", "generator.safetensors", "classifiers.safetensors",
        "examiner.safetensors", "classifiers.json", "index.html", "recipe.json",
    }  # fmt: skip
    assert [line["step"] for line in read_lines(run / "metrics.jsonl")] == [0, 2, 4]
    for line in read_lines(run / "metrics.jsonl"):
        assert line["measures"].keys() >= {"hair", "eyes", "both", "distance"}
    assert main(["faces", "evaluate", "drawn", "--json", "--device", "cpu"]) == 0
    measured = json.loads(capsys.readouterr().out)[-1]["measures"]
    # The faces that the best step was chosen by are not those that it is judged by.
    chosen_by = [line["measures"]["distance"] for line in read_lines(run / "metrics.jsonl")]
    assert measured["distances"]["joint"]["drawn"] not in chosen_by
    page = (run / "index.html").read_text()
    for told in ("faces from words", "Through time", "Loss terms", "joint distance", "examiner"):
        assert told in page


def test_an_evaluation_finds_the_set_of_the_run(train, tmp_path, run_of, source, capsys):
    run_of("mine")
    elsewhere = shutil.copy(source, tmp_path / "moved.tar")
    assert train(elsewhere, *TINY, "--steps", "0", "--name", "mine", "--held-out", "0.1").code == 0
    evaluate = ["faces", "evaluate", "mine", "--dry-run", "--device", "cpu"]
    assert main(evaluate) == 0
    Path(elsewhere).unlink()
    capsys.readouterr()
    assert main(evaluate) == 1
    assert "moved.tar: there is no such" in capsys.readouterr().err
    assert main([*evaluate, "--data", str(source)]) == 0
    (tmp_path / "runs" / "mine" / "faces.json").unlink()
    assert main(evaluate) == 1
    assert "does not say what it learned from; name the set: --data" in capsys.readouterr().err


def test_what_was_learned_from_is_not_measured_or_rated(train, tmp_path, run_of, source, capsys):
    run = run_of("mine")
    assert train(source, *TINY, "--steps", "0", "--name", "mine").code == 0
    other = {"faces": read_faces(source, Reading(split_seed=1)).train.fingerprint()}
    weights = load_examiner(run / "examiner.safetensors").state_dict()
    examiner = tmp_path / "examiner.safetensors"
    checkpoint.write(examiner, weights, Header("examiner", "faces", 1, other))
    others = ["faces", "evaluate", "mine", "--split-seed", "1", "--examiner", str(examiner)]
    for verb in (others, ["faces", "rate", "mine", "--split-seed", "1", "--dry-run"]):
        assert main(verb) == 1
        told = capsys.readouterr().err
        assert "generator.safetensors: learned from other faces than those that are left" in told


def test_what_is_no_number_any_more_is_told_with_what_helps(train, run_of, source):
    run_of("drawn")
    done = train(source, *TINY, "--steps", "4", "--generator-lr", "1e30", "--critic-lr", "1e30")
    assert done.code == 1
    assert "not a number any more" in done.err
    assert "lower --generator-lr and --critic-lr" in done.err
    assert "--discriminator-lr" not in done.err


def test_a_longer_run_goes_on_to_the_same_bytes(train, tmp_path, run_of, source, snapshot):
    for name, lengths in (("whole", [6]), ("parts", [2, 6])):
        run_of(name)
        for steps in lengths:
            done = train(source, *TINY, "--steps", steps, "--name", name)
            assert done.code == 0, done.err
            assert ("going on from step 2" in done.err) == ((name, steps) == ("parts", 6))
    compared = ("best.safetensors", "generator.safetensors", "checkpoints", "log.jsonl",
                "metrics.jsonl", "samples", "examiner.safetensors")  # fmt: skip
    whole, parts = (snapshot(tmp_path / "runs" / name, *compared) for name in ("whole", "parts"))
    assert whole == parts


def test_a_dry_run_tells_the_recipe_and_does_nothing(train, tmp_path, source):
    done = train(source, "--recipe", "quick", "--without", "classifiers", "--dry-run")
    assert done.code == 0, done.err
    assert "faces train: 80 steps to make (dry run: nothing was done)\n" in done.out
    assert "  hair 0.0\n  eyes 0.0\n" in done.out
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_counts_the_steps_that_are_left(train, run_of, source):
    run_of("drawn")
    assert train(source, *TINY, "--steps", "2").code == 0
    done = train(source, *TINY, "--steps", "5", "--dry-run", "--json")
    assert done.code == 0, done.err
    _, told = json.loads(done.out)
    assert told["counts"] == {"steps to make": 3}
    assert told["steps"] == 5
    assert told["recipe"]["filters"] == 4
    assert "faces train: nothing to do" in train(source, *TINY, "--steps", "2", "--dry-run").out


def test_another_recipe_is_another_run(train, tmp_path, run_of, source, snapshot):
    run_of("run")
    assert train(source, *TINY, "--steps", "0", "--name", "run").code == 0
    before = snapshot(tmp_path / "runs")
    done = train(source, *TINY, "--steps", "2", "--name", "run", "--penalty", "5")
    assert done.code == 1
    assert "this run was started with penalty 10.0, not 5.0" in done.err
    for other, told in (
        (("--seed", "1"), "seed 0, not 1"),
        (("--held-out", "0.3"), "other held-out"),
    ):
        done = train(source, *TINY, "--steps", "2", "--name", "run", *other)
        assert done.code == 1
        assert told in done.err
    assert snapshot(tmp_path / "runs") == before


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--name", "../run"), "say a plain name"),
        (("--generator-lr", "0"), "--generator-lr: Input should be greater than 0"),
        (("--fake", "0"), "nothing would be learned"),
        (("--held-out", "0.9"), "--held-out"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(train, source, args, told):
    done = train(source, *args)
    assert done.code == 2
    assert told in done.err


def test_one_colour_may_be_missing_but_one_word_is_too_few(train, tmp_path):
    few = drawn_faces(20, hair=("red",), eyes=("blue",))
    folder = write_folder(tmp_path / "few", faces_set(few))
    done = train(folder, *TINY, "--steps", "2")
    assert done.code == 1
    assert "no two faces: differ in a colour" in done.err


@pytest.mark.slow
def test_faces_without_held_out_ones_train_to_the_last_step(train, tmp_path, source):
    done = train(source, *TINY, "--steps", "2", "--held-out", "0", "--name", "all")
    assert done.code == 0, done.err
    assert "there are too few held-out faces to measure" in done.out


def test_tags_alone_are_no_set(train, tmp_path):
    folder = write_folder(tmp_path / "tags", {"tags.csv": words_csv(drawn_faces(3)).encode()})
    done = train(folder)
    assert done.code == 1
    assert "no face is left (tags without picture 3)" in done.err


def test_learning_faces_needs_no_film_libraries(source):
    code = (
        "import sys; sys.modules.update(av=None, ffmpeg=None)\n"
        "import animegan.faces.train\n"
        "from animeprep.__main__ import main\n"
        f"raise SystemExit(main(['faces', 'train', {str(source)!r}, '--dry-run']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_tiny_recipe_makes_colours_follow_words(train, tmp_path):
    drawn = drawn_faces(480, hair=HAIR, eyes=EYES)
    source = write_tar(tmp_path / "more.tar", faces_set(drawn))
    done = train(
        source, "--recipe", "tiny", "--steps", "400", "--every", "200", "--held-out", "0.2"
    )
    assert done.code == 0, done.err
    first, *_, last = read_lines(tmp_path / "runs" / "more" / "metrics.jsonl")
    assert first["measures"]["hair"][0] < 0.6
    for attribute in ("hair", "eyes"):
        value, low, _ = last["measures"][attribute]
        assert value > 0.7, attribute
        assert low > 0.5, attribute
