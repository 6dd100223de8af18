import numpy as np
import pytest

from animeprep import curation
from animeprep.choose import ChooseSettings, choose, farthest_first, hold_out, quota_of
from animeprep.dataset import Dataset
from animeprep.dedup import DedupSettings, dedup
from animeprep.errors import DatasetError
from animeprep.images import write_png


def plainly(points, target, groups, quota, first=()):
    """Farthest first, slowly."""
    whole = points.astype(int)
    mean = whole.mean(axis=0)
    typical = min(range(len(points)), key=lambda n: (round(((whole[n] - mean) ** 2).sum(), 6), n))
    order = list(first) or [typical]

    def may(n):
        return n not in order and sum(groups[one] == groups[n] for one in order) < quota

    def apart(n):
        return min(((whole[n] - whole[one]) ** 2).sum() for one in order)

    while len(order) < target and any(may(n) for n in range(len(points))):
        order.append(max(filter(may, range(len(points))), key=lambda n: (apart(n), -n)))
    return order


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("first", [(), (3,), (8, 3, 0)])
def test_farthest_first_is_what_a_plain_search_finds(seed, first):
    draws = np.random.default_rng(seed)
    points = draws.integers(0, 40, (20, 3), dtype=np.uint8)
    groups = draws.integers(0, 5, 20).tolist()
    for target, quota in ((1, 1), (6, 2), (12, 3), (20, 20), (20, 2)):
        found = farthest_first(points, target, groups, quota, first)
        assert found == plainly(points, target, groups, quota, first)


def test_points_on_a_line_are_halved_again_and_again():
    line = np.arange(0, 129, 2, dtype=np.uint8)[:, None]
    order = [int(line[one, 0]) for one in farthest_first(line, 9, [0] * 65, 65)]
    assert order == [64, 0, 128, 32, 96, 16, 48, 80, 112]


def test_what_is_left_out_is_at_most_twice_as_far_as_the_best_choice_would_leave_it():
    # The best choice of 8 from 0..255 leaves at least 15.5.
    line = np.arange(256, dtype=np.uint8)[:, None]
    chosen = line[farthest_first(line, 8, [0] * 256, 256)].astype(int)
    assert np.abs(line.astype(int) - chosen.T).min(axis=1).max() <= 2 * 15.5


def test_copies_come_last_in_order():
    points = np.array([[9], [0], [9], [0], [9]], np.uint8)
    assert farthest_first(points, 5, [0] * 5, 5) == [0, 1, 2, 3, 4]


def test_protected_points_are_chosen_beyond_quota_and_target():
    points = np.array([[0], [10], [20], [200]], np.uint8)
    assert farthest_first(points, 2, [0, 0, 0, 1], 1, first=[0, 1, 2]) == [0, 1, 2]
    assert farthest_first(points, 4, [0, 0, 0, 1], 1, first=[0, 1]) == [0, 1, 3]


@pytest.mark.parametrize("seed", range(5))
def test_the_quota_is_twice_an_even_share_or_the_least_that_reaches_the_target(seed):
    draws = np.random.default_rng(seed)
    groups = draws.geometric(0.3, 60).tolist()
    sizes = np.unique(groups, return_counts=True)[1]
    for target in (1, 10, 30, 60, 100):
        quota = quota_of(groups, target)
        even = -(-2 * target // len(sizes))
        assert quota >= even
        assert np.minimum(sizes, quota).sum() >= min(target, 60)
        if quota > even:
            assert np.minimum(sizes, quota - 1).sum() < min(target, 60)


@pytest.fixture
def paintings(scene):
    """Five steps of a pan and four other paintings."""
    wide = scene(1, 270, 580)
    pans = {f"pan{n}": wide[:, 24 * n : 24 * n + 480] for n in range(5)}
    return {**pans, **{f"other{seed}": scene(seed) for seed in range(2, 6)}}


@pytest.fixture
def looked_at(dataset, put):
    """Puts frames into the dataset and has dedup look at them; none of them is a copy."""

    def look(**pictures):
        put("frames", **pictures)
        dedup(dataset, DedupSettings(threshold=0))
        return dataset

    return look


def kept(dataset):
    return [path.stem for path in dataset.kept_frames()]


def pans(dataset):
    return [name for name in kept(dataset) if name.startswith("pan")]


#: All for training.
ALL = {"held_out": 0}


def test_a_pan_gives_one_picture_where_others_are_to_be_had(looked_at, paintings):
    dataset = looked_at(**paintings)
    summary = choose(dataset, ChooseSettings(target=5, **ALL))
    assert summary.counts == {"kept": 5, "dropped": 4}
    assert summary.reasons == {"not chosen": 4}
    assert [name[:3] for name in kept(dataset)] == ["oth"] * 4 + ["pan"]
    assert (summary.figures["groups"], summary.figures["per_shot"]) == (5, 2)
    records = dataset.records("choose").named()
    left_out = [record for record in records.values() if record["status"] == "dropped"]
    assert {record["keeper"][:10] for record in left_out} == {"frames/pan"}
    assert max(record["distance"] for record in left_out) == summary.figures["farthest"] < 0.15
    assert len({record["group"] for record in left_out}) == 1


def test_no_shot_gives_more_than_was_asked_for(looked_at, paintings):
    dataset = looked_at(**paintings)
    assert choose(dataset, ChooseSettings(target=8, per_shot=2)).counts["kept"] == 6
    assert choose(dataset, ChooseSettings(per_shot=1)).counts["kept"] == 5
    assert choose(dataset, ChooseSettings(target=8)).counts["kept"] == 8


def test_known_shots_are_the_groups(looked_at, scene):
    dataset = looked_at(**{f"f_{index}": scene(index) for index in range(4)})
    records = dataset.records("frames")
    for index in range(4):
        name = f"frames/f_{index}.png"
        known = {"film_id": "f", "index": index, "shot": index // 2}
        records.update(name, [{"file_name": name, "status": "made", **known}])
    records.tidy()
    choose(dataset, ChooseSettings(target=2, per_shot=1))
    assert sorted(int(name[2:]) // 2 for name in kept(dataset)) == [0, 1]


@pytest.mark.parametrize("target", [0, 9, 100])
def test_all_are_kept_where_there_is_nothing_to_choose(looked_at, paintings, target):
    dataset = looked_at(**paintings)
    assert choose(dataset, ChooseSettings(target=target)).counts == {"kept": 9}
    assert kept(dataset) == sorted(paintings)


def test_without_a_target_all_come_back(looked_at, paintings):
    dataset = looked_at(**paintings)
    choose(dataset, ChooseSettings(target=3))
    assert len(kept(dataset)) == 3
    choose(dataset, ChooseSettings())
    assert len(kept(dataset)) == 9


def test_what_was_kept_by_hand_is_chosen(looked_at, paintings):
    dataset = looked_at(**paintings)
    by_hand = ["frames/pan1.png", "frames/pan2.png", "frames/pan3.png"]
    curation.decide(dataset, by_hand, curation.KEEP)
    choose(dataset, ChooseSettings(target=5, per_shot=1))
    assert pans(dataset) == ["pan1", "pan2", "pan3"]
    curation.decide(dataset, by_hand, None)
    choose(dataset, ChooseSettings(target=5, per_shot=1))
    assert len(pans(dataset)) == 1


def test_what_dedup_left_out_is_not_chosen(looked_at, paintings):
    dataset = looked_at(**paintings)
    choose(dataset, ChooseSettings(target=9))
    curation.decide(dataset, [f"frames/pan{n}.png" for n in range(5)], curation.REJECT)
    dedup(dataset, DedupSettings(threshold=0))
    assert choose(dataset, ChooseSettings(target=9)).counts == {"kept": 4}
    assert len(dataset.records("choose").sources()) == 4


def test_a_second_run_changes_no_file(looked_at, paintings, times_of):
    dataset = looked_at(**paintings)
    choose(dataset, ChooseSettings(target=4))
    before = times_of(dataset.root)
    choose(dataset, ChooseSettings(target=4))
    assert times_of(dataset.root) == before


def test_listing_order_does_not_matter(tmp_path, paintings):
    outcomes = []
    for names in (list(paintings), list(paintings)[::-1]):
        dataset = Dataset(tmp_path / names[0])
        for name in names:
            write_png(dataset.path(f"frames/{name}.png"), paintings[name])
        dedup(dataset, DedupSettings(threshold=0))
        choose(dataset, ChooseSettings(target=4))
        outcomes.append((dataset.root / "choose.jsonl").read_bytes())
    assert outcomes[0] == outcomes[1]


def test_a_dry_run_says_what_would_be_chosen_and_writes_nothing(looked_at, paintings, times_of):
    dataset = looked_at(**paintings)
    before = times_of(dataset.root)
    foreseen = choose(Dataset(dataset.root), ChooseSettings(target=4), dry_run=True)
    assert times_of(dataset.root) == before
    done = choose(dataset, ChooseSettings(target=4))
    assert (foreseen.counts, foreseen.reasons) == (done.counts, done.reasons)
    assert foreseen.figures == done.figures


def test_frames_that_dedup_never_saw_are_kept(looked_at, put, paintings, scene):
    dataset = looked_at(**paintings)
    put("frames", new=scene(7))
    choose(dataset, ChooseSettings(target=1))
    assert "new" in kept(dataset)


def test_without_a_look_the_verb_to_run_is_named(dataset, put, scene):
    with pytest.raises(DatasetError, match="frames"):
        choose(dataset, ChooseSettings(target=4))
    put("frames", a=scene(1))
    with pytest.raises(DatasetError, match="run `animeprep dedup` first"):
        choose(dataset, ChooseSettings(target=4))


def split(dataset):
    return {r["file_name"][7:-4]: r["split"] for r in dataset.records("choose")}


def test_whole_groups_are_held_out(looked_at, paintings):
    dataset = looked_at(**paintings)
    for share in (0.1, 0.3, 0.6, 0.95):
        summary = choose(dataset, ChooseSettings(held_out=share))
        sides = split(dataset)
        assert len({side for name, side in sides.items() if name.startswith("pan")}) == 1
        assert set(sides.values()) == {"train", "val"}
        held = {name for name, side in sides.items() if side == "val"}
        assert summary.figures["held_out"] == len(held)
        assert dataset.held_out_frames() == {f"frames/{name}.png" for name in held}
    choose(dataset, ChooseSettings(held_out=0))
    assert set(split(dataset).values()) == {"train"}


def test_what_was_held_out_stays_so_when_pictures_are_added(looked_at, paintings, scene):
    dataset = looked_at(**paintings)
    choose(dataset, ChooseSettings(held_out=0.3))
    before = split(dataset)
    # More of the pan, and other paintings.
    wide = scene(1, 270, 640)
    looked_at(pan9=wide[:, 130:610], **{f"new{seed}": scene(seed) for seed in range(10, 30)})
    choose(dataset, ChooseSettings(held_out=0.3))
    after = split(dataset)
    assert {name: after[name] for name in before} == before
    assert after["pan9"] == before["pan1"]
    new = [side for name, side in after.items() if name.startswith("new")]
    assert 2 <= new.count("val") <= 10


def test_a_group_that_grows_together_with_a_held_out_one_is_held_out():
    names, before = ["a", "b", "c", "d"], {"a": True, "b": False, "c": False}
    assert hold_out(names, [0, 1, 2, 3], 0.5, before)[:3] == [True, False, False]
    assert hold_out(names, [0, 0, 2, 0], 0.5, before) == [True, True, False, True]


def test_one_group_is_held_out_where_the_share_is_half_of_one_and_never_all():
    assert hold_out(["a", "b"], [0, 0], 0.9, {}) == [False, False]
    assert hold_out(["a", "b"], [0, 1], 0.3, {}).count(True) == 1
    assert hold_out(["a", "b"], [0, 1], 0.01, {}) == [False, False]
    assert hold_out(["a", "b"], [0, 1], 0.999, {}).count(True) == 1
    assert hold_out(["a", "b"], [0, 1], 0, {}) == [False, False]


def test_training_is_never_left_without_a_group():
    assert hold_out(["a", "b"], [0, 1], 0.999, {"a": True}) == [True, False]
    assert hold_out(["a"], [0], 0.5, {"a": True}) == [False]
    assert hold_out(["a", "b"], [0, 1], 0.5, {"a": True, "b": True}).count(False) == 1
