# mypy: allow-untyped-calls
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from animegan import checkpoint
from animegan.checkpoint import Header
from animegan.faces import evaluation
from animegan.faces.collection import Faces
from animegan.faces.detector import Detector
from animegan.faces.evaluation import grid_words, measure, words_of
from animegan.faces.examiner import Examiner
from animegan.faces.learning import new
from animegan.faces.networks import FaceGenerator
from animegan.faces.reading import read_faces
from animegan.faces.sampling import Sampler
from animegan.faces.settings import Reading
from animegan.faces.teachers import EXAMINER_FILE
from animegan.faces.words import EYES, HAIR, UNSAID, Words
from animeprep.__main__ import main
from tests.animegan.faces.drawing import drawn_face, drawn_faces, files_of, words_csv

CPU = torch.device("cpu")
SHAPE = {"noise": 4, "start": 8, "filters": 2, "norm": "none"}
COLOURS = ("red", "green", "blue", "black")


class _Answers:
    """An examiner of drawn faces that knows the answers: it finds a face among those it knows."""

    def __init__(self, *known):
        self.known = {
            faces.pictures[n].tobytes(): (faces.hair[n], faces.eyes[n])
            for faces in known
            for n in range(len(faces))
        }

    def see(self, faces):
        pictures = ((faces + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
        said = [self.known.get(one.numpy().tobytes(), (0, 0)) for one in pictures]
        hair, eyes = torch.tensor(np.array(said)).T
        one_hot = torch.nn.functional.one_hot
        features = torch.nn.functional.avg_pool2d(faces, 16).flatten(1)
        return one_hot(hair, len(HAIR)), one_hot(eyes, len(EYES)), features


@pytest.fixture(scope="module")
def faces():
    """Training faces, held-out ones, and others drawn for the same words."""
    train, held_out = (drawn_faces(count, count, COLOURS, COLOURS) for count in (90, 60))
    rng = np.random.default_rng(0)
    said = zip(held_out.hair, held_out.eyes, strict=True)
    drawn = [drawn_face(rng, HAIR[hair], EYES[eyes]) for hair, eyes in said]
    return SimpleNamespace(
        train=train, held_out=held_out, drawn=replace(held_out, pictures=np.array(drawn, np.uint8))
    )


def test_faces_of_the_right_words_are_right_and_those_of_others_at_the_zero_line(faces):
    examiner = _Answers(faces.train, faces.held_out, faces.drawn)
    right = measure(faces.drawn, faces.held_out, faces.train, examiner, CPU)
    assert {name: found.right.value for name, found in right.accuracy.items()} == {
        "hair": 1, "eyes": 1, "both": 1,
    }  # fmt: skip
    assert {one.right.value for one in right.ceiling.values()} == {1}
    order = np.random.default_rng(1).permutation(len(faces.drawn))
    turned = replace(faces.drawn, pictures=faces.drawn.pictures[order])
    wrong = measure(turned, faces.held_out, faces.train, examiner, CPU)
    for name in ("hair", "eyes"):
        found = wrong.accuracy[name]
        assert found.right.value == pytest.approx(found.shuffled, abs=0.15)
        assert found.shuffled == pytest.approx(right.accuracy[name].shuffled, abs=0.02)
    assert wrong.distances["joint"]["drawn"].value > right.distances["joint"]["drawn"].value
    assert right.distances["joint"]["shuffled"].value > right.distances["joint"]["real"].value
    assert [one.attribute for one in right.answers] == ["hair", "eyes"]
    assert sum(map(sum, right.answers[0].confusion)) == len(faces.drawn)


def test_mirrored_copies_of_training_faces_are_copies(faces):
    examiner = _Answers(faces.train, faces.held_out)
    mirrored = np.ascontiguousarray(faces.train.pictures[:60, :, ::-1])
    copied = measure(replace(faces.drawn, pictures=mirrored), faces.held_out, faces.train,
                     examiner, CPU)  # fmt: skip
    fresh = measure(faces.drawn, faces.held_out, faces.train, examiner, CPU)
    for name in ("features", "pixels"):
        assert copied.memorising[name].ratio.value < 0.01
        assert copied.nearest[name].places.tolist() == list(range(60))
        assert copied.memorising[name].nearer[1].value == 1
        assert 0.8 < fresh.memorising[name].ratio.value < 1.2


def test_one_face_for_each_words_has_no_diversity(faces):
    words = words_of(faces.held_out)
    first = [words.index(one) for one in words]
    same = replace(faces.drawn, pictures=faces.drawn.pictures[first])
    examiner = _Answers(faces.train, faces.held_out)
    for name, value in measure(same, faces.held_out, faces.train, examiner, CPU).diversity.items():
        assert value is not None
        assert value.value == pytest.approx(0, abs=1e-6), name
    fresh = measure(faces.drawn, faces.held_out, faces.train, examiner, CPU)
    assert fresh.diversity["pixels"] is not None
    assert 0.7 < fresh.diversity["pixels"].value < 1.3


def test_what_is_not_said_is_not_measured(faces):
    nothing = np.full(len(faces.drawn), UNSAID)
    drawn, held_out = (replace(one, eyes=nothing) for one in (faces.drawn, faces.held_out))
    found = measure(drawn, held_out, faces.train, _Answers(faces.train, faces.drawn), CPU)
    assert found.accuracy.keys() == {"hair"}
    assert found.diversity == {"features": None, "pixels": None}
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_face_for_the_words_of_each_and_no_two_of_one_noise():
    generator = new(lambda: FaceGenerator(4, 8, 2), 0, CPU)
    with torch.no_grad():
        for weights in generator.parameters():
            weights.mul_(8)
    hair, eyes = np.array([0, 1, 0, UNSAID]), np.array([2, 2, 2, 2])
    some = Faces(tuple("abcd"), np.zeros((4, 64, 64, 3), np.uint8), hair, eyes)
    assert words_of(some)[1:] == [
        Words(HAIR[1], EYES[2]),
        Words(HAIR[0], EYES[2]),
        Words(None, EYES[2]),
    ]
    sampler = Sampler(generator, CPU, 3)
    drawn = evaluation.drawn_like(some, sampler)
    assert np.array_equal(drawn[[0, 2]], sampler.faces([Words(HAIR[0], EYES[2])], 2))
    assert not np.array_equal(drawn[0], drawn[2])


def test_the_grid_asks_for_what_is_commonest():
    hair, eyes = np.array([3, 3, 3, 1, 1, 5, UNSAID]), np.array([4, 4, 2, 2, 2, 0, 0])
    some = Faces(tuple("abcdefg"), np.zeros((7, 64, 64, 3), np.uint8), hair, eyes)
    assert grid_words(some) == [
        Words(HAIR[3], EYES[2]), Words(HAIR[1], EYES[0]), Words(HAIR[5], EYES[4]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of untrained networks, and its set of faces."""
    folder = tmp_path_factory.mktemp("work")
    data = folder / "set"
    (data / "images").mkdir(parents=True)
    some = drawn_faces(60, 5, COLOURS, COLOURS)
    (data / "tags.csv").write_text(words_csv(some))
    for name, content in files_of(some).items():
        (data / name).write_bytes(content)
    train = read_faces(data, Reading(held_out=0.1)).train
    runs = folder / "runs" / "mine"
    generator = new(lambda: FaceGenerator(4, 8, 2), 0, CPU)
    header = Header("generator", "faces", 1234, SHAPE)
    checkpoint.write(runs / "generator.safetensors", generator.state_dict(), header)
    checkpoint.write(
        runs / EXAMINER_FILE,
        new(Examiner, 0, CPU).state_dict(),
        Header("examiner", "faces", 1, {"faces": train.fingerprint()}),
    )
    return folder


@pytest.fixture
def at_run(run, monkeypatch):
    monkeypatch.chdir(run)
    return run


def test_the_verb_writes_a_page_and_figures(at_run, capsys):
    assert main(["faces", "evaluate", "mine", "--data", "set", "-o", "one", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)[-1]
    assert told["stage"] == "faces evaluate"
    assert told["counts"]["made"] == 6
    assert told["step"] == 1234
    figures = json.loads((at_run / "one" / "evaluation.json").read_text())
    assert figures["accuracy"] == told["measures"]["accuracy"]
    assert figures["accuracy"].keys() == {"hair", "eyes", "both"}
    assert figures["accuracy"]["hair"].keys() == {"right", "shuffled", "majority", "ceiling"}
    assert figures["distances"].keys() == {"joint", "examiner", "untrained"}
    page = (at_run / "one" / "index.html").read_text()
    shown = re.findall(r"<figcaption>\d+: ", page)
    assert page.count("data:image/jpeg") == 4 * 5 + 1 + 2 * len(shown)
    assert "1,234" in page
    assert "detector" not in page
    assert main(["faces", "evaluate", "mine", "--data", "set", "-o", "other"]) == 0
    assert "hair right" in capsys.readouterr().out
    for name in ("evaluation.json", "index.html"):
        assert (at_run / "one" / name).read_bytes() == (at_run / "other" / name).read_bytes()
    assert main(["faces", "evaluate", "mine", "--data", "set", "-o", "other", "--seed", "1"]) == 0
    assert (at_run / "one" / name).read_bytes() != (at_run / "other" / name).read_bytes()


def test_a_dry_run_writes_nothing(at_run, capsys):
    command = ["faces", "evaluate", "mine", "--data", "set", "-o", "none", "--dry-run"]
    assert main(command) == 0
    assert "6 to do" in capsys.readouterr().out
    assert not (at_run / "none").exists()


def test_faces_that_were_learned_from_are_no_held_out_ones(at_run, capsys):
    command = ["faces", "evaluate", "mine", "--data", "set", "--split-seed", "1"]
    for more in ([], ["--dry-run"]):
        assert main([*command, *more]) == 1
        error = capsys.readouterr().err
        assert "examiner.safetensors: did not learn from the faces that are left" in error
        assert "--split-seed" in error
    assert not (at_run / "evaluation").exists()


def test_without_held_out_faces_nothing_is_measured_or_rated(at_run, capsys):
    every = read_faces(at_run / "set", Reading(held_out=0)).train
    examiner = at_run / "all.safetensors"
    header = Header("examiner", "faces", 1, {"faces": every.fingerprint()})
    checkpoint.write(examiner, new(Examiner, 0, CPU).state_dict(), header)
    command = ["mine", "--data", "set", "--held-out", "0"]
    assert main(["faces", "evaluate", *command, "--examiner", str(examiner)]) == 1
    assert "0 held-out faces are too few" in capsys.readouterr().err
    assert main(["faces", "rate", *command]) == 2
    assert "nothing to rate: raise --held-out" in capsys.readouterr().err


def test_an_examiner_is_found_or_named(at_run, capsys):
    steps = at_run / "runs" / "mine" / "checkpoints"
    steps.mkdir(exist_ok=True)
    one = steps / "generator_0000007.safetensors"
    one.write_bytes((at_run / "runs/mine/generator.safetensors").read_bytes())
    assert main(["faces", "evaluate", str(one), "--data", "set", "--dry-run"]) == 0
    alone = at_run / "a" / "b" / "alone.safetensors"
    alone.parent.mkdir(parents=True, exist_ok=True)
    alone.write_bytes(one.read_bytes())
    capsys.readouterr()
    command = ["faces", "evaluate", str(alone), "--data", "set", "--dry-run"]
    assert main(command) == 1
    assert "alone.safetensors: has no examiner.safetensors beside it" in capsys.readouterr().err
    assert main([*command, "--examiner", "runs/mine/examiner.safetensors"]) == 0
    for other, told in (
        (str(one), "holds a generator; name"),
        ("nowhere", "there is no such file"),
    ):
        assert main([*command, "--examiner", other]) == 1
        assert f"{other}: {told}" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_drawn(
    at_run, capsys, monkeypatch
):
    (at_run / "file").write_text("")
    monkeypatch.setattr("animegan.faces.evaluate.drawn_like", None)  # would be called in vain
    assert main(["faces", "evaluate", "mine", "--data", "set", "-o", "file"]) == 1
    assert "file: cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_what_is_no_detector_is_told(at_run, capfd, content):
    model = at_run / "detector.onnx"
    model.unlink(missing_ok=True)
    if content is not None:
        model.write_bytes(content)
    command = ["faces", "evaluate", "mine", "--data", "set", "--detector", str(model)]
    assert main(command) == 1
    assert "detector.onnx: " in capfd.readouterr().err


def _finds_what_is_bright(path):
    """A detector with YuNet's outputs, whose every score is sigmoid(mean / 25)."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    make, floats = onnx.helper, onnx.TensorProto.FLOAT
    constants = {"mean": np.full((1, 3, 1, 1), 1 / 75, np.float32), "flat": np.array([1, 1, 1])}
    nodes = [
        make.make_node("GlobalAveragePool", ["input"], ["colours"]),
        make.make_node("Conv", ["colours", "mean"], ["level"]),
        make.make_node("Sigmoid", ["level"], ["score"]),
        make.make_node("Reshape", ["score", "flat"], ["scores"]),
    ]
    outputs = []
    for kind, width in {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}.items():
        for stride in (8, 16, 32):
            name, places = f"{kind}_{stride}", (320 // stride) ** 2
            constants[f"of {name}"] = np.full((1, places, width), width == 1, np.float32)
            nodes.append(make.make_node("Mul", ["scores", f"of {name}"], [name]))
            outputs.append(make.make_tensor_value_info(name, floats, [1, places, width]))
    picture = make.make_tensor_value_info("input", floats, [1, 3, 320, 320])
    stored = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = make.make_graph(nodes, "bright", [picture], outputs, stored)
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 13)], ir_version=8), path)


def test_the_detector_counts_faces_that_it_finds(tmp_path):
    model = tmp_path / "model.onnx"
    _finds_what_is_bright(model)
    shades = [np.full((64, 64, 3), shade, np.uint8) for shade in (0, 250, 200, 30, 255)]
    assert Detector(model).count(shades) == 3


def test_the_page_tells_what_the_detector_found(at_run, capsys):
    model = at_run / "bright.onnx"
    _finds_what_is_bright(model)
    command = ["faces", "evaluate", "mine", "--data", "set", "-o", "found", "--json"]
    assert main([*command, "--detector", str(model)]) == 0
    told = json.loads(capsys.readouterr().out)[-1]
    assert told["detected"] == 20
    assert "finds a face in 20 of the 20" in (at_run / "found" / "index.html").read_text()


def test_the_verb_rate_begins_with_the_faces_of_all_sources(at_run, capsys, monkeypatch):
    begun = []

    def serve(items, marks, **_more):
        begun.append((items, marks))
        return marks.summary()

    monkeypatch.setattr("animegan.faces.rating.serve", serve)
    command = ["faces", "rate", "mine", "--data", "set", "--prompts", "3", "--rater", "ann"]
    assert main([*command, "--dry-run"]) == 0
    assert "6 left" in capsys.readouterr().out
    assert begun == []
    assert main([*command, "--no-browser"]) == 0
    ((items, marks),) = begun
    sources = [item.source for item in items.values()]
    drawn = "runs/mine/generator.safetensors (step 1234)"
    assert sorted(sources) == ["real"] * 3 + [drawn] * 3
    words = {source: sorted(str(item.words) for item in items.values() if item.source == source)
             for source in sources}  # fmt: skip
    assert words["real"] == words[drawn]
    assert marks.rater == "ann"
    assert main([*command[:2], "nothing", *command[3:]]) == 1
    assert "nothing: there is no such model or run" in capsys.readouterr().err
