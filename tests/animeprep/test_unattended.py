"""The whole program, as it is run: killed at any moment, on one core, in any order."""

# mypy: allow-untyped-calls
import os
import random
import subprocess
import sys

import pytest

from animeprep.images import write_png

pytestmark = pytest.mark.slow

SMALL = ("--every", "3", "--size", "64", "--short-side", "80", "--target", "14")


@pytest.fixture(scope="module")
def material(tmp_path_factory, write_film, scene, soften):
    """Two films of held drawings, and photos."""
    folder, size = tmp_path_factory.mktemp("material"), (144, 320)
    for film, seeds in (("one", range(10)), ("two", range(5, 20))):
        shots = [soften(scene(seed, *size), 0.5 + seed % 3) for seed in seeds]
        write_film(folder / f"{film}.mkv", [shot for shot in shots for _ in range(6)])
    for seed in range(20, 25):
        write_png(folder / f"photos/{seed}.png", scene(seed, 80, 200))
    return folder


def command(material, where, *films):
    inputs = [material / f"{film}.mkv" for film in films or ("one", "two")]
    photos = ("--photos", material / "photos")
    return [sys.executable, "-m", "animeprep", "prepare", *inputs, *photos, *SMALL, "-d", where]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, material, snapshot):
    """What an undisturbed run leaves."""
    where = tmp_path_factory.mktemp("whole") / "dataset"
    subprocess.run(command(material, where), check=True, timeout=120, capture_output=True)
    return snapshot(where)


def test_it_leaves_all_sets(whole):
    folders = {name.split("/")[0] for name in whole if "/" in name}
    assert folders >= {"frames", "left_out", "crops", "style", "smooth", "gray", "photo"}
    assert "animeprep.toml" in whole


@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(
    tmp_path, material, whole, snapshot, seed
):
    where = tmp_path / "dataset"
    moments = random.Random(seed)  # noqa: S311 - moments, no secrets
    for _ in range(4):
        run = subprocess.Popen(
            command(material, where), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            run.wait(moments.uniform(0.4, 5))
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
    last = subprocess.run(
        command(material, where), check=True, timeout=120, capture_output=True, text=True
    )
    assert last.stderr == ""
    after = snapshot(where)
    assert sorted(after) == sorted(whole)
    assert [name for name in whole if name != "animeprep.toml" and after[name] != whole[name]] == []


def test_one_core_and_another_order_end_in_the_same_bytes(tmp_path, material, whole, snapshot):
    where = tmp_path / "dataset"
    one_core = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})"
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"{one_core}; import runpy; runpy.run_module('animeprep', run_name='__main__')",
            *command(material, where, "two", "one")[3:],
        ],
        check=True,
        timeout=120,
        capture_output=True,
    )
    after = snapshot(where)
    assert sorted(after) == sorted(whole)
    assert [name for name in whole if name != "animeprep.toml" and after[name] != whole[name]] == []
