# mypy: allow-untyped-calls
import subprocess
import sys
from itertools import count

import numpy as np
import pytest

import animeprep.records
from animeprep.choose import choose
from animeprep.crop import CropSettings, crop
from animeprep.curation import KEEP, REJECT, decide, kept_crops
from animeprep.dataset import Dataset
from animeprep.dedup import DedupSettings, dedup, examine
from animeprep.edges import edges
from animeprep.errors import InputError
from animeprep.exposure import exposure
from animeprep.frames import FrameSettings, frames
from animeprep.gray import gray
from animeprep.hamming import distances
from animeprep.hashes import hash_picture
from animeprep.images import list_images, write_png
from animeprep.photos import PhotoSettings, photos
from animeprep.pipeline import PrepareSettings, prepare

SETS = ("style", "smooth", "gray", "smooth_gray", "photo", "val")
#: Small pictures, to be quick.
CROPS = {"size": 64, "short_side": 80}


def every(step, **bounds):
    return PrepareSettings(
        frames=FrameSettings(every=step),
        dedup=DedupSettings(**bounds),
        crop=CropSettings.model_validate(CROPS),
        photos=PhotoSettings.model_validate(CROPS),
    )


EVERY_4TH = every(4)


@pytest.fixture(scope="module")
def material(tmp_path_factory, write_film, scene, soften):
    """A film of held drawings that come back sharper or softer, stills, and photos."""
    folder = tmp_path_factory.mktemp("material")
    black, size = np.zeros((144, 320, 3), np.uint8), (144, 320)
    shots = [
        soften(scene(1, *size), 1.5),
        scene(2, *size),
        black,
        soften(scene(1, *size)),
        soften(scene(3, *size)),
        scene(1, *size),
        scene(4, *size),
        soften(scene(2, *size)),
        (scene(5, *size) * 0.12).astype(np.uint8),
        scene(3, *size),
        (scene(6, *size) * 0.6).astype(np.uint8),
    ]
    write_film(folder / "film.mkv", [shot for shot in shots for _ in range(6)])
    write_film(folder / "second.mkv", [scene(7, *size)] * 6 + [scene(4, *size)] * 6)
    write_png(folder / "stills/a still.png", scene(8, *size))
    write_png(
        folder / "stills/sharper.png", np.clip(scene(6, *size) * 0.9, 0, 255).astype(np.uint8)
    )
    for seed in range(20, 25):
        write_png(folder / f"photos/{seed}.png", scene(seed, 80, 200))
    return folder


@pytest.fixture
def inputs(material):
    return [material / "film.mkv", material / "second.mkv", material / "stills"]


@pytest.fixture
def prepared(dataset, material, inputs):
    def run(settings=EVERY_4TH, where=dataset):
        return list(prepare(where, inputs, [material / "photos"], settings))

    return run


def verb_by_verb(dataset, material, inputs, settings=EVERY_4TH):
    frames(dataset, inputs, settings.frames)
    dedup(dataset, settings.dedup)
    choose(dataset, settings.choose)
    crop(dataset, settings.crop)
    exposure(dataset, settings.exposure)
    edges(dataset, settings.edges)
    gray(dataset)
    photos(dataset, [material / "photos"], settings.photos)


def kept(dataset):
    return {r["file_name"] for r in dataset.records("dedup") if r["status"] == "kept"}


def test_prepare_ends_where_the_verbs_one_by_one_end(
    tmp_path, dataset, material, inputs, prepared, snapshot
):
    prepared()
    verbs = Dataset(tmp_path / "verbs")
    verb_by_verb(verbs, material, inputs)
    one, other = snapshot(dataset.root, *SETS), snapshot(verbs.root, *SETS)
    assert one == other
    assert {name.split("/")[0] for name in one} == set(SETS)
    assert kept(dataset) == kept(verbs)
    assert snapshot(dataset.root, "left_out") == snapshot(verbs.root, "left_out")


def test_prepare_keeps_the_sharpest_copy_and_encodes_no_other(dataset, prepared):
    prepared()
    records = dataset.records("dedup").named()
    present = {f"frames/{path.name}" for path in list_images(dataset.root / "frames")}
    assert present == kept(dataset)
    # Drawing 1 comes soft at 0, less soft at 20 and sharp at 32.
    film = [r for r in records.values() if r.get("film_id", "").startswith("film-")]
    states = {r["index"]: (r["status"], r.get("reason")) for r in film}
    assert states[0] == states[4] == states[20] == ("dropped", "copy")
    assert states[32] == ("kept", None)
    assert states[12] == states[16] == ("dropped", "black")
    assert len(states) == 17


def test_every_summary_is_told(prepared):
    stages = [summary.stage for summary in prepared()]
    assert stages == [
        "frames",
        "dedup",
        "choose",
        "crop",
        "exposure",
        "smooth-edges",
        "gray",
        "photos",
    ]


def test_a_rerun_changes_no_file(dataset, prepared, times_of):
    prepared()
    before = times_of(dataset.root)
    prepared()
    assert times_of(dataset.root) == before


class StopMidwayError(Exception):
    """Stands for whatever ends a run."""


def stop_at(monkeypatch, module, name, call):
    """Let the n-th call of a function raise."""
    real, calls = getattr(module, name), count()

    def stopping(*given, **more):
        if next(calls) == call:
            raise StopMidwayError
        return real(*given, **more)

    monkeypatch.setattr(module, name, stopping)


STOPS = [
    ("animeprep.frame_writer", "write_frame", 4),
    ("animeprep.examiner", "examine", 13),
    ("animeprep.pipeline", "_leave_out", 1),
    ("animeprep.records", "write_changed", 3),
    ("animeprep.exposure.stage", "compensate", 2),
    ("animeprep.gray", "to_gray", 9),
]
OTHER_STOPS = [
    ("animeprep.frame_writer", "write_frame", 0),
    ("animeprep.examiner", "examine", 9),
    ("animeprep.pipeline", "dedup", 0),
    ("animeprep.crop", "draw_crops", 3),
    ("animeprep.edges", "smooth_edges", 5),
    ("animeprep.photos", "crops_of", 2),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, material, snapshot):
    """What an undisturbed run leaves."""
    dataset = Dataset(tmp_path_factory.mktemp("whole"))
    inputs = [material / "film.mkv", material / "second.mkv", material / "stills"]
    list(prepare(dataset, inputs, [material / "photos"], EVERY_4TH))
    return snapshot(dataset.root)


@pytest.mark.parametrize(
    "stop",
    [*STOPS, *(pytest.param(stop, marks=pytest.mark.slow) for stop in OTHER_STOPS)],
    ids=lambda stop: " ".join(map(str, stop)),
)
def test_an_interrupted_run_resumes_to_the_same_bytes(dataset, prepared, whole, snapshot, stop):
    module, name, call = stop
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, sys.modules[module], name, call)
        with pytest.raises(StopMidwayError):
            prepared()
    prepared()
    after = snapshot(dataset.root)
    assert sorted(after) == sorted(whole)
    assert [file for file in whole if after[file] != whole[file]] == []


def test_frames_after_prepare_writes_every_nth_picture(
    tmp_path, dataset, inputs, prepared, snapshot
):
    prepared()
    frames(dataset, inputs, EVERY_4TH.frames)
    alone = Dataset(tmp_path / "alone")
    frames(alone, inputs, EVERY_4TH.frames)
    assert snapshot(dataset.root, "frames") == snapshot(alone.root, "frames")
    assert len(list_images(dataset.root / "frames")) == 17 + 3 + 2


def test_prepare_after_frames_examines_what_is_there(dataset, inputs, prepared, whole, snapshot):
    frames(dataset, inputs, EVERY_4TH.frames)
    prepared()
    after = snapshot(dataset.root)
    assert {f: after[f] for f in after if f.split("/")[0] in SETS} == {
        f: whole[f] for f in whole if f.split("/")[0] in SETS
    }


def test_prepare_after_the_verbs_changes_no_set(
    dataset, material, inputs, prepared, whole, snapshot
):
    verb_by_verb(dataset, material, inputs)
    prepared()
    after = snapshot(dataset.root, *SETS)
    assert after == {f: whole[f] for f in whole if f.split("/")[0] in SETS}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(every(8), marks=pytest.mark.slow),
        pytest.param(every(3), marks=pytest.mark.slow),
        pytest.param(every(4, threshold=0), marks=pytest.mark.slow),
        pytest.param(every(4, threshold=200), marks=pytest.mark.slow),
        pytest.param(every(4, night=0.001, black=10), marks=pytest.mark.slow),
        every(4, flat=38),
    ],
    ids=["every 8", "every 3", "threshold 0", "threshold 200", "looser", "stricter"],
)
def test_other_settings_end_as_if_they_had_been_there_first(
    tmp_path, dataset, prepared, snapshot, times_of, settings
):
    prepared()
    prepared(settings)
    fresh = Dataset(tmp_path / "fresh")
    prepared(settings, fresh)
    pictures = ("frames", "crops", "left_out", "photo", "val")
    assert sorted(snapshot(dataset.root, *pictures)) == sorted(snapshot(fresh.root, *pictures))
    assert snapshot(dataset.root, *pictures) == snapshot(fresh.root, *pictures)
    before = times_of(dataset.root)
    prepared(settings)
    assert times_of(dataset.root) == before


def test_a_winner_that_was_passed_over_is_decoded_again(tmp_path, dataset, write_film, scene):
    # B is passed over for the sharper A, near it; then A falls to the still sharper C, far from B.
    rng = np.random.default_rng(3)
    one, other = (scene(seed, 144, 320).astype(float) for seed in (1, 2))
    a, b, c = (
        np.clip(one * (1 - t) + other * t + rng.normal(0, noise, one.shape), 0, 255).astype(
            np.uint8
        )
        for t, noise in ((0.15, 16), (0, 0), (0.3, 32))
    )
    sharpness = [examine(picture, DedupSettings())["sharpness"] for picture in (b, a, c)]
    assert sharpness == sorted(sharpness)
    near = max(int(distances(hash_picture(a), hash_picture(x)[None])[0]) for x in (b, c))
    far = int(distances(hash_picture(b), hash_picture(c)[None])[0])
    assert far - near > 8
    film = write_film(tmp_path / "blend.mkv", [a, b, c])
    settings = every(1, threshold=(near + far) // 2)
    list(prepare(dataset, [film], [], settings))
    status = [record["status"] for record in dataset.records("dedup")]
    assert status == ["dropped", "kept", "kept"]
    present = {f"frames/{path.name}" for path in list_images(dataset.root / "frames")}
    assert present == kept(dataset)
    verbs = Dataset(tmp_path / "verbs")
    frames(verbs, [film], settings.frames)
    dedup(verbs, settings.dedup)
    assert kept(verbs) == kept(dataset)


def test_the_order_of_the_inputs_changes_no_set(tmp_path, material, inputs, whole, snapshot):
    dataset = Dataset(tmp_path / "turned")
    list(prepare(dataset, inputs[::-1], [material / "photos"], EVERY_4TH))
    after = snapshot(dataset.root, *SETS)
    assert after == {f: whole[f] for f in whole if f.split("/")[0] in SETS}


def test_a_film_that_is_no_film_does_not_stop_the_others(tmp_path, dataset, inputs):
    (tmp_path / "text.mkv").write_text("no film")
    summary = frames(dataset, [tmp_path / "text.mkv", *inputs], EVERY_4TH.frames)
    assert summary.counts == {"made": 22, "failed": 1}
    assert "text.mkv" in summary.problems[0]


def test_where_no_input_can_be_used_the_first_problem_is_told(tmp_path, dataset):
    with pytest.raises(InputError, match=r"missing\.mkv: there is no such file; check the name"):
        frames(dataset, [tmp_path / "missing.mkv"], FrameSettings())


def test_ctrl_c_before_the_first_picture_is_no_fault_of_the_film(dataset, inputs, monkeypatch):
    def stop(*given, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("animeprep.frames.pictures", stop)
    with pytest.raises(KeyboardInterrupt):
        frames(dataset, inputs, EVERY_4TH.frames)


def test_a_frame_record_tells_film_index_and_time(dataset, inputs):
    frames(dataset, inputs, EVERY_4TH.frames)
    records = [r for r in dataset.records("frames") if r.get("film") == "film.mkv"]
    assert [(r["index"], r["seconds"]) for r in records] == [
        (index, pytest.approx(index * 0.04, abs=0.002)) for index in range(0, 66, 4)
    ]
    film = next(r for r in dataset.records("films") if r["file_name"] == "film.mkv")
    assert (film["pictures"], film["every"], film["corrupt"]) == (66, 4, 0)


def test_a_dry_run_writes_nothing(dataset, material, inputs):
    done = list(prepare(dataset, inputs, [material / "photos"], EVERY_4TH, dry_run=True))
    assert [summary.stage for summary in done] == ["frames", "photos"]
    assert not dataset.root.exists()


def test_a_killed_process_resumes_to_the_same_bytes(
    dataset, material, inputs, prepared, whole, snapshot
):
    script = (
        "import os, sys; from pathlib import Path\n"
        "import animeprep.examiner as e, animeprep.pipeline as p\n"
        "real, calls = e.examine, []\n"
        "def examine(*given):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 12: os.kill(os.getpid(), 9)\n"
        "    return real(*given)\n"
        "e.examine = examine\n"
        "small = {'size': 64, 'short_side': 80}\n"
        "settings = p.PrepareSettings(\n"
        "    frames=p.FrameSettings(every=4),\n"
        "    crop=p.CropSettings(**small),\n"
        "    photos=p.PhotoSettings(**small),\n"
        ")\n"
        "root, photos, *inputs = map(Path, sys.argv[1:])\n"
        "list(p.prepare(p.Dataset(root), inputs, [photos], settings))\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, dataset.root, material / "photos", *inputs],
        check=False,
        timeout=60,
    )
    assert killed.returncode == -9
    # Drawings are held, and looked at once.
    assert len(dataset.records("dedup").sources()) == 17
    prepared()
    assert snapshot(dataset.root) == whole


def test_a_killed_change_leaves_nothing_when_one_goes_back(
    tmp_path, dataset, inputs, monkeypatch, snapshot
):
    films = inputs[:2]
    frames(dataset, films, FrameSettings(every=8))
    clean = snapshot(dataset.root)
    with monkeypatch.context() as patched:
        stop_at(patched, animeprep.records.Records, "put", 9)
        with pytest.raises(StopMidwayError):
            frames(dataset, films, FrameSettings(every=3))
    assert snapshot(dataset.root) != clean
    frames(dataset, films, FrameSettings(every=8))
    assert snapshot(dataset.root) == clean
    other = Dataset(tmp_path / "other")
    frames(other, films, FrameSettings(every=8))
    assert snapshot(other.root) == clean


@pytest.mark.slow
def test_another_hash_is_taken_up_by_the_next_prepare(tmp_path, dataset, prepared, snapshot):
    prepared()
    before = kept(dataset)
    # Copies were not encoded: dedup alone cannot hash them anew.
    dedup(dataset, DedupSettings(hash="dhash-64"))
    assert kept(dataset) <= before
    settings = EVERY_4TH.model_copy(update={"dedup": DedupSettings(hash="dhash-64")})
    prepared(settings)
    fresh = Dataset(tmp_path / "fresh")
    prepared(settings, fresh)
    assert snapshot(dataset.root, *SETS) == snapshot(fresh.root, *SETS)
    assert kept(dataset) == kept(fresh)


def choose_by_hand(dataset):
    """Reject a kept frame, and keep one that was left out as black."""
    records = dataset.records("dedup")
    rejected = next(r["file_name"] for r in records if r["status"] == "kept" and "index" in r)
    black = next(r["file_name"] for r in records if r.get("reason") == "black")
    decide(dataset, [rejected], REJECT)
    decide(dataset, [black], KEEP)
    return rejected, black


def test_what_was_chosen_by_hand_is_honoured_and_taken_back(dataset, prepared, whole, snapshot):
    prepared()
    rejected, black = choose_by_hand(dataset)
    prepared()
    assert rejected not in kept(dataset)
    assert black in kept(dataset)
    assert dataset.path(black).exists()
    assert not dataset.path(rejected).exists()
    prepared()
    assert black in kept(dataset)
    decide(dataset, [rejected, black], None)
    (dataset.root / "curation.jsonl").unlink()
    prepared()
    after = snapshot(dataset.root, *SETS, "frames", "left_out")
    assert after == {f: whole[f] for f in whole if f.split("/")[0] in (*SETS, "frames", "left_out")}


def test_a_rejected_crop_takes_its_pictures_along(dataset, prepared):
    prepared()
    crop_name = dataset.file_name(kept_crops(dataset)[0])
    style = crop_name.replace("crops/", "style/")
    assert dataset.path(style).exists()
    decide(dataset, [crop_name], REJECT)
    prepared()
    for folder in ("style", "smooth", "gray", "smooth_gray"):
        assert not dataset.path(style.replace("style/", f"{folder}/")).exists()
    assert dataset.path(crop_name).exists()
    decide(dataset, [crop_name], None)
    prepared()
    assert dataset.path(style).exists()


OTHER_RECORDS = ["frames", "films", "dedup", "choose", "smooth-edges"]


@pytest.mark.parametrize(
    "stage", ["crop", *(pytest.param(s, marks=pytest.mark.slow) for s in OTHER_RECORDS)]
)
def test_records_cut_off_by_a_crash_are_told_and_made_good(
    dataset, prepared, whole, snapshot, stage
):
    prepared()
    path = dataset.root / f"{stage}.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    problems = [problem for summary in prepared() for problem in summary.problems]
    assert any(f"{stage}.jsonl: 1 line cut off" in problem for problem in problems)
    assert snapshot(dataset.root) == whole
    assert [problem for summary in prepared() for problem in summary.problems] == []


@pytest.mark.slow
def test_counts_of_a_stricter_rerun_add_up(dataset, prepared):
    first = prepared()[0]
    total = first.counts["made"] + first.counts["dropped"]
    again = prepared(every(4, flat=38))[0]
    assert min(again.counts.values()) >= 0
    assert again.counts["dropped"] > 0
    assert sum(again.counts.values()) == total
