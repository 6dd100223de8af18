"""A run's classifiers: kept, judged, told of."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from animegan import checkpoint
from animegan.checkpoint import Header
from animegan.errors import CheckpointError
from animegan.faces import classifiers, examiner, teachers
from animegan.faces.answers import Answers, classifier_sections, compare
from animegan.faces.classifiers import ColourClassifiers
from animegan.faces.examiner import Examiner
from animegan.faces.learning import CPU, Schedule
from animegan.faces.teachers import answered, load_examiner, prepare_classifiers
from animegan.faces.words import EYES, HAIR, UNSAID
from animeprep.page import write_page
from tests.animegan.faces.drawing import drawn_faces

FILES = ("classifiers.safetensors", "examiner.safetensors", "classifiers.json")


TRAIN, HELD_OUT = drawn_faces(8), drawn_faces(12, seed=1)


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        for module in (classifiers, examiner):
            patch.setattr(module, "SCHEDULE", Schedule(1, 8, 1e-3, 0.1))
        yield


def prepare(run, faces=TRAIN, seed=0, unseen=HELD_OUT):
    told: list[str] = []
    made = prepare_classifiers(run, faces, unseen, CPU, seed, told.append)
    return made, told


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, _short):
    """A run's folder, the classifiers, and what was told."""
    folder = tmp_path_factory.mktemp("run")
    return folder, *prepare(folder)


@pytest.fixture
def run(prepared, tmp_path):
    """A copy of that folder."""
    return Path(shutil.copytree(prepared[0], tmp_path / "run"))


def test_they_are_trained_once(prepared, run, snapshot):
    _, made, told = prepared
    assert [line.split()[0] for line in told] == ["training", "training"]
    files = snapshot(run)
    assert sorted(files) == sorted(FILES)
    again, told = prepare(run)
    assert told == []
    assert snapshot(run) == files
    assert again.report == made.report
    written = json.loads((run / "classifiers.json").read_text())
    assert [Answers.model_validate(one) for one in written] == made.report
    for one, other in ((made.classifiers, again.classifiers), (made.examiner, again.examiner)):
        assert not one.training
        assert not any(value.requires_grad for value in one.parameters())
        ours, theirs = one.state_dict(), other.state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_stopped_training_goes_on_with_what_is_missing(run, snapshot):
    files = snapshot(run)
    (run / "examiner.safetensors").unlink()
    _, told = prepare(run)
    assert told == ["training the examiner on 8 faces"]
    assert snapshot(run) == files


@pytest.mark.parametrize("change", [{"seed": 1}, {"faces": drawn_faces(7)}])
def test_those_of_other_faces_or_seeds_are_made_anew(run, change):
    _, told = prepare(run, **change)
    assert [("other faces or settings" in line) for line in told] == [True, False] * 2


@pytest.mark.parametrize("content", [b"", b"no tensors", None])
def test_a_broken_or_foreign_file_is_made_anew(run, snapshot, content):
    files = snapshot(run)
    path = run / "examiner.safetensors"
    if content is None:
        header = checkpoint.read_header(path)
        checkpoint.write(path, {"evil": torch.zeros(3)}, header)
    else:
        path.write_bytes(content)
    _, told = prepare(run)
    assert len(told) == 2
    assert "made anew" in told[0]
    assert snapshot(run) == files


def test_the_examiner_is_loaded_alone(prepared, run):
    _, made, _ = prepared
    loaded = load_examiner(run / "examiner.safetensors")
    for one, other in zip(
        answered(loaded, HELD_OUT.pictures), answered(made.examiner, HELD_OUT.pictures), strict=True
    ):
        assert (one == other).all()


def test_no_other_file_is_an_examiner(tmp_path, run):
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_examiner(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="holds a classifiers; name a run's examiner"):
        load_examiner(run / "classifiers.safetensors")
    path = tmp_path / "other.safetensors"
    checkpoint.write(path, {"evil": torch.zeros(3)}, Header("examiner", "faces", 1, {}))
    with pytest.raises(CheckpointError, match="of another network"):
        load_examiner(path)


def test_nothing_held_out_is_told_as_that(run):
    made, _ = prepare(run, unseen=TRAIN.take(np.zeros(0, np.int64)))
    assert [(one.faces, one.accuracy, one.majority) for one in made.report] == [(0, None, None)] * 4
    write_page(run / "page.html", "Faces", "", classifier_sections(made.report))


def test_answers_are_those_of_the_network():
    """Alone and in batches."""
    network = ColourClassifiers()
    pictures = np.concatenate([HELD_OUT.pictures] * 12)
    hair, eyes = answered(network, pictures)
    one_hair, one_eyes = answered(network, HELD_OUT.pictures)
    assert hair.tolist() == one_hair.tolist() * 12
    assert eyes.tolist() == one_eyes.tolist() * 12
    assert not any(one.requires_grad for one in Examiner().see(torch.zeros(2, 3, 64, 64)))


def test_the_report_counts():
    """Known answers: eight faces, one of them unsaid, five of the others right."""
    faces = drawn_faces(8)
    said = np.array([0, 0, 0, 1, 1, 5, 5, UNSAID])
    given = np.array([0, 0, 1, 1, 1, 5, 1, 3])
    faces = type(faces)(faces.names, faces.pictures, said, np.full(8, UNSAID))
    hair, eyes = compare("examiner", (given, given), faces, faces)
    assert (hair.network, hair.attribute, hair.faces) == ("examiner", "hair", 7)
    assert hair.accuracy is not None
    assert hair.accuracy.value == pytest.approx(5 / 7)
    assert hair.accuracy.low < 5 / 7 < hair.accuracy.high
    assert hair.commonest == HAIR[0]
    assert hair.majority == pytest.approx(3 / 7)
    recalls = [hair.recall[HAIR[place]] for place in (0, 1, 5)]
    assert [one.value for one in recalls if one] == pytest.approx([2 / 3, 1, 1 / 2])
    assert hair.recall[HAIR[2]] is None
    confusion = np.zeros((12, 12), int)
    confusion[0, :2], confusion[1, 1], confusion[5, [1, 5]] = (2, 1), 2, 1
    assert np.array_equal(hair.confusion, confusion)
    assert (eyes.faces, eyes.accuracy, eyes.majority) == (0, None, None)
    assert set(eyes.recall) == set(EYES)


def test_the_page_says_what_is_mixed_up():
    faces = drawn_faces(3, hair=("red",))
    given = np.array([HAIR.index(colour) for colour in ("red", "pink", "pink")])
    report = compare("classifier", (given, faces.eyes), faces, faces)
    section = classifier_sections(report)[0]
    assert "33.3 %" in str(section.tables[0].rows[0])
    by_colour, matrix = section.parts[0].tables
    row = next(row for row in by_colour.rows if row[0] == "red")
    assert row[1:] == (3, row[2], "pink 2")
    assert sum(cell for row in matrix.rows for cell in row[1:] if isinstance(cell, int)) == 3
    assert json.dumps(teachers._Report(report).model_dump(mode="json"))
