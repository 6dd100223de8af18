# mypy: allow-untyped-calls
import json

import numpy as np
import pytest
from pydantic import ValidationError

from animeprep.crop import CropSettings, crop
from animeprep.dataset import Dataset
from animeprep.errors import DatasetError
from animeprep.exposure import ExposureSettings, exposure
from animeprep.exposure.tones import METHODS, Scene, change_of, compensate
from animeprep.images import read_rgb, write_png
from animeprep.light import Light, log_average, to_levels, to_linear

FULL = ExposureSettings(strength=1.0)
ONE_EACH = CropSettings(count=1, contrast=0)
ALL = sorted(METHODS)


def exposed(picture, stops):
    """The picture with another exposure, as a camera would make it."""
    return to_levels(np.clip(to_linear(picture) * 2.0**stops, 0, 1))


@pytest.fixture
def muted(scene):
    """A drawing with room above, so that no exposure within 1 EV clips it."""
    return lambda seed, **size: (40 + scene(seed, **size) * 0.3).astype(np.uint8)


STOPS = (-0.7, -0.2, 0.0, 0.4, 0.7)


@pytest.fixture
def uneven(dataset, put, muted):
    """Crops of one drawing in five exposures."""
    put("frames", **{f"f{n}": exposed(muted(1), stops) for n, stops in enumerate(STOPS)})
    crop(dataset, ONE_EACH)
    return dataset


def gains(dataset):
    return [record["gain_ev"] for record in dataset.records("exposure")]


def test_a_set_is_brought_to_its_median(uneven, muted):
    summary = exposure(uneven, FULL)
    assert summary.counts == {"made": 5}
    assert gains(uneven) == pytest.approx([-stops for stops in STOPS], abs=0.05)
    target = stored(uneven)["median"]
    assert target == pytest.approx(log_average(muted(1)), rel=0.02)
    assert summary.figures["spread_before_ev"] == pytest.approx(np.std(STOPS), abs=0.05)
    assert summary.figures["spread_after_ev"] < 0.05
    assert summary.figures["newly_clipped"] == summary.figures["flat_changed"] == 0
    assert summary.figures["hue_shift"] < 1


def stored(dataset):
    return json.loads((dataset.root / "exposure.json").read_text())


def test_style_is_the_compensated_crop(uneven):
    exposure(uneven, FULL)
    for record in uneven.records("crop"):
        light = Light(record["log_average"], record["peak"])
        tone = METHODS["key"].tone(
            Scene(light, light, light), (stored(uneven)["median"],), 1.0, 1.0
        )
        before = read_rgb(uneven.path(record["file_name"]))
        after = read_rgb(uneven.path(record["file_name"].replace("crops/", "style/")))
        assert (after == compensate(before, change_of(tone))).all()


def test_half_strength_halves_the_spread(uneven):
    figures = exposure(uneven, ExposureSettings()).figures
    share = figures["spread_after_ev"] / figures["spread_before_ev"]
    assert share == pytest.approx(0.5, abs=0.03)


def test_all_crops_of_a_picture_get_one_gain(dataset, put, scene):
    put("frames", a=scene(1, 300, 900), b=exposed(scene(2, 300, 900), -0.6))
    crop(dataset, CropSettings())
    exposure(dataset, FULL)
    found = gains(dataset)
    assert len(found) == 4
    assert found[0] == found[1] != found[2] == found[3]


def test_style_is_never_compensated_twice(uneven, times_of):
    exposure(uneven, FULL)
    before = times_of(uneven.root / "style")
    assert exposure(uneven, FULL).counts == {"unchanged": 5}
    assert times_of(uneven.root / "style") == before


def test_another_strength_starts_from_the_crops_again(tmp_path, uneven, snapshot):
    exposure(uneven, FULL)
    exposure(uneven, ExposureSettings())
    twice = snapshot(uneven.root, "style")
    for path in (uneven.root / "style").iterdir():
        path.unlink()
    exposure(uneven, ExposureSettings())
    assert snapshot(uneven.root, "style") == twice


def test_the_median_is_stored_for_films_that_come_later(uneven, put, muted):
    exposure(uneven, FULL)
    target = stored(uneven)["median"]
    put("frames", g=exposed(muted(1), 0.9), h=exposed(muted(1), 0.9), i=exposed(muted(1), 0.9))
    crop(uneven, ONE_EACH)
    assert exposure(uneven, FULL).counts == {"made": 3, "unchanged": 5}
    assert stored(uneven)["median"] == target
    assert gains(uneven)[-1] == pytest.approx(-0.9, abs=0.05)


def test_a_target_can_be_set(uneven, muted):
    wanted = round(log_average(muted(1)) * 2**0.2, 6)
    exposure(uneven, ExposureSettings(strength=1, target=wanted))
    assert gains(uneven) == pytest.approx([0.2 - stops for stops in STOPS], abs=0.05)


@pytest.mark.parametrize("method", ["key", pytest.param("gamma", marks=pytest.mark.slow)])
def test_a_target_holds_for_as_long_as_it_is_given(uneven, method):
    plain = ExposureSettings(method=method, strength=1, clamp=4)
    exposure(uneven, plain)
    whole = (uneven.root / "exposure.json").read_bytes(), gains(uneven)
    for target in (0.9, 0.6):
        aimed = ExposureSettings(method=method, strength=1, clamp=4, target=target)
        assert exposure(uneven, aimed).counts == {"made": 5}
        assert stored(uneven)["reference"] == [target]
        assert stored(uneven)["median"] == json.loads(whole[0])["median"]
    assert exposure(uneven, plain).counts == {"made": 5}
    assert ((uneven.root / "exposure.json").read_bytes(), gains(uneven)) == whole


def test_the_median_is_found_beside_a_target(uneven):
    exposure(uneven, ExposureSettings(target=0.9))
    of_the_first = stored(uneven)["median"]
    exposure(uneven, FULL)
    assert stored(uneven)["reference"] == [of_the_first]
    assert gains(uneven) == pytest.approx([-stops for stops in STOPS], abs=0.05)


def test_the_method_none_copies_the_crops(uneven):
    exposure(uneven, ExposureSettings(method="none"))
    for path in sorted((uneven.root / "crops").iterdir()):
        assert (read_rgb(path) == read_rgb(uneven.root / "style" / path.name)).all()


def test_crops_dropped_in_are_compensated_by_their_own_light(uneven, put, muted):
    picture = exposed(muted(1), 0.5)
    put("crops", own=picture)
    exposure(uneven, FULL)
    target = stored(uneven)["median"]
    own = uneven.records("exposure").of("crops/own.png")[0]
    assert own["gain_ev"] == pytest.approx(np.log2(target / log_average(picture)), abs=0.01)


def test_names_that_are_no_utf8_are_compensated(dataset, put, muted):
    put("crops", **{"\udcff": muted(1), "b": exposed(muted(1), 0.5)})
    assert exposure(dataset, FULL).counts == {"made": 2}
    assert dataset.path("style/\udcff.png").exists()
    assert exposure(dataset, FULL).counts == {"unchanged": 2}


def test_crops_alone_are_made_into_a_set(dataset, put, muted):
    put("crops", a=muted(1), b=exposed(muted(1), 0.5))
    exposure(dataset, FULL)
    style = sorted((dataset.root / "style").iterdir())
    assert [path.name for path in style] == ["a.png", "b.png"]
    dark, bright = (log_average(read_rgb(path)) for path in style)
    assert np.log2(bright / dark) == pytest.approx(0, abs=0.05)


def test_a_damaged_file_is_found_anew(uneven):
    exposure(uneven, FULL)
    whole = (uneven.root / "exposure.json").read_bytes()
    for content in ("", "{", "[1]", '{"median": "high"}', '{"median": 7.0}'):
        (uneven.root / "exposure.json").write_text(content)
        exposure(uneven, FULL)
        assert (uneven.root / "exposure.json").read_bytes() == whole, content


def test_a_dry_run_writes_nothing(uneven, snapshot):
    before = snapshot(uneven.root)
    assert exposure(uneven, FULL, dry_run=True).counts == {"to do": 5}
    assert snapshot(uneven.root) == before


def test_black_crops_do_no_harm(tmp_path, scene):
    dataset = Dataset(tmp_path)
    write_png(dataset.path("crops/black.png"), np.zeros((64, 64, 3), np.uint8))
    write_png(dataset.path("crops/white.png"), np.full((64, 64, 3), 255, np.uint8))
    assert exposure(dataset, ExposureSettings(target=0.2)).counts == {"made": 2}
    assert read_rgb(dataset.path("style/black.png")).max() == 0


@pytest.mark.parametrize("values", [{"strength": 1.5}, {"clamp": -1}, {"method": "clahe"}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(ValidationError):
        ExposureSettings(**values)


def test_without_crops_the_verb_to_run_is_named(dataset):
    with pytest.raises(DatasetError, match="run `animeprep crop` first"):
        exposure(dataset, FULL)


def test_where_all_crops_are_rejected_that_is_said(uneven):
    records = uneven.records("curation")
    for path in uneven.pictures("crops"):
        name = uneven.file_name(path)
        records.update(name, [{"file_name": name, "status": "reject"}])
    records.tidy()
    with pytest.raises(DatasetError, match="all 5 pictures are rejected"):
        exposure(uneven, FULL)


# --- shots and films ---------------------------------------------------------------------------


def tell_frames(dataset, **known):
    """Record what `frames` would of pictures: {name: (film, shot or None)}."""
    for name, (film, shot) in known.items():
        file_name = f"frames/{name}.png"
        record = {"file_name": file_name, "status": "made", "film_id": film}
        records = dataset.records("frames")
        records.put(file_name, [record if shot is None else {**record, "shot": shot}])


def gain_of(dataset, name):
    return dataset.records("exposure").of(f"crops/{name}_0.png")[0]["gain_ev"]


@pytest.fixture
def shots(dataset, put, muted):
    """Film a with two shots of two pictures each, film b with one picture, and a still."""
    put("frames", a1=muted(1), a2=exposed(muted(1), 0.4))
    put("frames", a3=exposed(muted(2), -0.5), a4=exposed(muted(2), -0.1))
    put("frames", b1=exposed(muted(3), 0.3), still=muted(4))
    crop(dataset, ONE_EACH)
    tell_frames(dataset, a1=("a", 0), a2=("a", 0), a3=("a", 1), a4=("a", 1), b1=("b", 0))
    return dataset


def test_all_pictures_of_a_shot_get_one_gain(shots):
    exposure(shots, FULL)
    frames = {record["source"]: record["log_average"] for record in shots.records("crop")}
    logs = {name: np.log2(frames[f"frames/{name}.png"]) for name in ("a1", "a2", "a3", "a4")}
    target = np.log2(stored(shots)["median"])
    for pair in (("a1", "a2"), ("a3", "a4")):
        wanted = target - np.mean([logs[name] for name in pair])
        assert [gain_of(shots, name) for name in pair] == pytest.approx([wanted] * 2, abs=1e-3)
    assert gain_of(shots, "a1") != gain_of(shots, "a3")
    assert gain_of(shots, "b1") != gain_of(shots, "still")


def test_without_shots_the_frame_is_the_unit(shots):
    tell_frames(shots, a1=("a", None), a2=("a", None))
    exposure(shots, FULL)
    assert gain_of(shots, "a1") - gain_of(shots, "a2") == pytest.approx(0.4, abs=0.02)


def test_shots_of_different_films_are_different(shots):
    tell_frames(shots, b1=("b", 1))
    exposure(shots, FULL)
    assert gain_of(shots, "b1") != gain_of(shots, "a3")


def test_another_picture_of_a_shot_redoes_that_shot_only(shots, put, muted):
    exposure(shots, FULL)
    put("frames", a5=exposed(muted(1), 0.7))
    crop(shots, ONE_EACH)
    tell_frames(shots, a5=("a", 0))
    assert exposure(shots, FULL).counts == {"made": 3, "unchanged": 4}


def test_a_film_gets_one_gain_and_its_fade_another(dataset, put, muted):
    for name, seed, stops in (("a", 1, 0.4), ("b", 1, -0.4)):
        pictures = {f"{name}{n}": exposed(muted(seed), stops) for n in range(3)}
        put("frames", **pictures)
        tell_frames(dataset, **dict.fromkeys(pictures, (name, 0)))
    put("frames", a3=exposed(muted(1), -0.6))
    tell_frames(dataset, a3=("a", 0))
    crop(dataset, ONE_EACH)
    exposure(dataset, ExposureSettings(method="film", strength=1, clamp=2))
    assert len({gain_of(dataset, f"a{n}") for n in range(3)}) == 1
    assert gain_of(dataset, "b0") - gain_of(dataset, "a0") == pytest.approx(0.8, abs=0.1)
    assert gain_of(dataset, "a3") - gain_of(dataset, "a0") == pytest.approx(1.0, abs=0.1)
    light = [log_average(read_rgb(path)) for path in dataset.pictures("style")]
    assert np.ptp(np.log2(light)) < 0.15


# --- all methods -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ALL)
def test_no_method_drops_anything_or_depends_on_what_was(uneven, snapshot, method):
    settings = ExposureSettings(method=method, strength=1)
    exposure(uneven, ExposureSettings(method="gamma" if method != "gamma" else "lab"))
    exposure(uneven, settings)
    after = snapshot(uneven.root)
    assert sum(name.startswith("style/") for name in after) == len(STOPS)
    assert exposure(uneven, settings).counts == {"unchanged": 5}
    assert snapshot(uneven.root) == after
    for name in ("exposure.json", "exposure.jsonl"):
        (uneven.root / name).unlink()
    for path in (uneven.root / "style").iterdir():
        path.unlink()
    exposure(uneven, settings)
    assert snapshot(uneven.root) == after


@pytest.mark.parametrize("method", sorted(set(ALL) - {"none"}))
def test_all_methods_even_the_set_out(uneven, method):
    figures = exposure(uneven, ExposureSettings(method=method, strength=1)).figures
    assert figures["spread_after_ev"] < 0.1
    assert figures["flat_changed"] == 0


@pytest.mark.parametrize("method", sorted(set(ALL) - {"none"}))
def test_references_are_stored_for_films_that_come_later(uneven, put, muted, method):
    settings = ExposureSettings(method=method, strength=1)
    exposure(uneven, settings)
    before = stored(uneven)
    put("frames", **{f"g{n}": exposed(muted(1), 0.9) for n in range(4)})
    crop(uneven, ONE_EACH)
    assert exposure(uneven, settings).counts == {"made": 4, "unchanged": 5}
    after = stored(uneven)
    assert (after["reference"], after["median"]) == (before["reference"], before["median"])
    assert after["basis"] != before["basis"]


@pytest.fixture
def no_reading(monkeypatch):
    """Lets no picture be decoded from when it is called."""

    def forbid():
        def refuse(*_):
            raise AssertionError

        for module in ("exposure.survey", "folders"):
            monkeypatch.setattr(f"animeprep.{module}.decode_rgb", refuse)
        for module in ("figures", "stage"):
            monkeypatch.setattr(f"animeprep.exposure.{module}.read_rgb", refuse)

    return forbid


@pytest.mark.parametrize("method", ALL)
def test_an_unchanged_set_is_not_decoded_again(uneven, put, muted, no_reading, method):
    put("crops", own=muted(3))
    settings = ExposureSettings(method=method, neutralise=True)
    exposure(uneven, settings)
    no_reading()
    assert exposure(uneven, settings).counts == {"unchanged": 6}
    assert exposure(uneven, settings, dry_run=True).counts == {"unchanged": 6}


def test_light_that_was_measured_is_kept_while_it_is_needed(uneven, put, muted, snapshot):
    settings = ExposureSettings(method="lab")
    exposure(uneven, settings)
    first = {record["file_name"]: record for record in uneven.records("light")}
    assert sorted(first) == [f"frames/f{n}.png" for n in range(5)]
    put("frames", f0=muted(5))
    (uneven.root / "frames" / "f4.png").unlink()
    crop(uneven, ONE_EACH)
    before = snapshot(uneven.root)
    exposure(uneven, settings, dry_run=True)
    assert snapshot(uneven.root) == before
    exposure(uneven, settings)
    now = {record["file_name"]: record for record in uneven.records("light")}
    assert sorted(now) == [f"frames/f{n}.png" for n in range(4)]
    assert now["frames/f0.png"]["counts"] != first["frames/f0.png"]["counts"]
    assert {name: now[name] for name in now if name != "frames/f0.png"} == {
        name: first[name] for name in now if name != "frames/f0.png"
    }
    exposure(uneven, FULL)
    assert not (uneven.root / "light.jsonl").exists()


def test_frames_that_cannot_be_read_leave_the_crop_to_itself(uneven):
    (uneven.root / "frames" / "f0.png").write_bytes(b"broken")
    (uneven.root / "frames" / "f1.png").unlink()
    assert exposure(uneven, ExposureSettings(method="lab")).counts == {"made": 5}
    exposure(uneven, FULL)
    assert gains(uneven) == pytest.approx([-stops for stops in STOPS], abs=0.05)


def test_what_the_clamp_cut_is_recorded(uneven):
    summary = exposure(uneven, ExposureSettings(strength=1, clamp=0.5))
    records = [uneven.records("exposure").of(f"crops/f{n}_0.png")[0] for n in range(5)]
    assert [record.get("clamped") for record in records] == [True, None, None, None, True]
    assert summary.figures["clamped"] == 2
    assert [abs(records[n]["gain_ev"]) for n in (0, 4)] == [0.5, 0.5]


def test_broken_crops_are_failures_and_no_obstacle(uneven):
    uneven.path("crops/own.png").write_bytes(b"broken")
    uneven.path("crops/f0_0.png").write_bytes(b"broken")
    summary = exposure(uneven, FULL)
    assert summary.counts == {"made": 4, "failed": 2}
    assert summary.figures["compared"] == 4


# --- figures, colours, held-out pictures --------------------------------------------------------


def test_figures_are_stored_with_histograms_before_and_after(uneven):
    told = exposure(uneven, FULL).figures
    kept = stored(uneven)["figures"]
    assert {name: kept[name] for name in told} == told
    assert "histograms" not in told
    for pair in kept["histograms"].values():
        assert sum(pair["before"]) == pytest.approx(1, abs=1e-3)
        assert sum(pair["after"]) == pytest.approx(1, abs=1e-3)
    assert exposure(uneven, FULL).figures == told


def test_figures_of_another_set_are_measured_anew(uneven):
    exposure(uneven, FULL)
    whole = stored(uneven)
    (uneven.root / "exposure.json").write_text(json.dumps({**whole, "basis": "other"}))
    assert exposure(uneven, FULL).figures["compared"] == 5
    assert stored(uneven) == whole


def test_a_cast_is_told_and_taken_away(dataset, put, scene):
    cast = np.array((1.25, 1.0, 0.75))
    gray = {f"g{n}": np.repeat(scene(n)[..., :1] // 2 + 30, 3, axis=2) for n in range(3)}
    put("crops", **{name: to_levels(to_linear(p) * cast) for name, p in gray.items()})
    plain = exposure(dataset, ExposureSettings()).figures["data_mean"]
    assert plain[0] > 5 > -5 > plain[2]
    neutral = ExposureSettings(neutralise=True)
    before = snapshot_of_light(dataset)
    assert np.abs(exposure(dataset, neutral).figures["data_mean"]).max() < 1
    assert snapshot_of_light(dataset) == pytest.approx(before, rel=0.1)
    gains_of_channels = stored(dataset)["channel_gains"]
    put("crops", other=to_levels(to_linear(scene(9)) * 0.4))
    assert exposure(dataset, neutral).counts == {"made": 1, "unchanged": 3}
    assert stored(dataset)["channel_gains"] == gains_of_channels
    exposure(dataset, ExposureSettings())
    assert stored(dataset)["channel_gains"] is None


def snapshot_of_light(dataset):
    return [log_average(read_rgb(path)) for path in dataset.pictures("style")]


def test_crops_of_held_out_frames_go_to_their_own_folder(uneven):
    exposure(uneven, FULL)
    whole = {path.name: path.read_bytes() for path in (uneven.root / "style").iterdir()}
    records = uneven.records("choose")
    for name, split in (("frames/f1.png", "val"), ("frames/f2.png", "train")):
        records.update(name, [{"file_name": name, "status": "kept", "split": split}])
    records.tidy()
    summary = exposure(uneven, FULL)
    assert summary.counts == {"made": 1, "removed": 1, "unchanged": 4}
    assert summary.figures["compared"] == 4
    assert [path.name for path in (uneven.root / "style_val").iterdir()] == ["f1_0.png"]
    assert uneven.path("style_val/f1_0.png").read_bytes() == whole.pop("f1_0.png")
    assert {p.name: p.read_bytes() for p in (uneven.root / "style").iterdir()} == whole
    records.path.unlink()
    exposure(uneven, FULL)
    assert not list((uneven.root / "style_val").iterdir())
