# mypy: allow-untyped-calls
import cv2
import imagehash
import numpy as np
import pytest
import skimage.data
from PIL import Image

from animeprep.errors import PictureError
from animeprep.film import Selection, pictures, probe
from animeprep.hamming import distances
from animeprep.hashes import THRESHOLDS, hash_file, hash_picture, hash_pictures
from animeprep.images import encode_jpeg, encode_png, read_rgb

PEERS = {
    "phash-256": lambda image: imagehash.phash(image, hash_size=16),
    "phash-64": imagehash.phash,
    "dhash-64": imagehash.dhash,
}
KINDS = pytest.mark.parametrize("kind", PEERS)
METHODS = pytest.mark.parametrize("method", ["exact", "fast"])


def peer(picture, kind):
    return np.packbits(PEERS[kind](Image.fromarray(picture)).hash)


def same(batch, kind):
    return np.array_equal(hash_pictures(batch, kind), [peer(one, kind) for one in batch])


@KINDS
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field"])
def test_hashes_of_photos_are_those_of_imagehash(name, kind):
    assert same([getattr(skimage.data, name)()], kind)


@KINDS
def test_hashes_of_a_film_are_those_of_imagehash(demo_film, kind):
    frames = [frame.rgb for frame in pictures(probe(demo_film), Selection(every=79))]
    assert len(frames) == 10
    assert same(frames, kind)


@KINDS
@pytest.mark.parametrize("shape", [(64, 64), (65, 63), (9, 200), (300, 200), (1, 1)])
def test_hashes_of_noise_are_those_of_imagehash(shape, kind):
    rng = np.random.default_rng(shape[0])
    assert same([rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(20)], kind)


@KINDS
def test_hashes_of_drawings_are_those_of_imagehash(scene, kind):
    assert same([scene(seed) for seed in range(20)], kind)


@KINDS
def test_hashes_of_stills_are_those_of_imagehash(shared, kind):
    stills = sorted((shared / "data" / "anime_frames").iterdir())[::11]
    assert same([read_rgb(path) for path in stills], kind)


@KINDS
@METHODS
def test_a_batch_answers_as_one_picture_after_the_other(scene, kind, method):
    batch = [scene(seed, 90 + seed, 160) for seed in range(10)]
    ones = [hash_picture(picture, kind, method) for picture in batch]
    assert np.array_equal(hash_pictures(batch, kind, method), ones)


def test_long_batches_are_cut(monkeypatch, scene):
    batch = [scene(seed, 40, 60) for seed in range(7)]
    whole = hash_pictures(batch)
    for size in (1, 3, 7):
        monkeypatch.setattr("animeprep.hashes._BATCH", size)
        assert np.array_equal(hash_pictures(batch), whole)


@KINDS
@METHODS
def test_no_pictures_have_no_hashes(kind, method):
    assert hash_pictures([], kind, method).shape == (0, 32 if kind == "phash-256" else 8)


@KINDS
def test_fast_hashes_are_near_exact_ones(scene, kind):
    drawings = [scene(seed, 540, 960) for seed in range(12)]
    pairs = zip(hash_pictures(drawings, kind), hash_pictures(drawings, kind, "fast"), strict=True)
    assert max(distances(one, other[None])[0] for one, other in pairs) <= 12


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (192, 384), (193, 385)])
def test_fast_hashes_take_any_size(shape):
    rng = np.random.default_rng(0)
    assert hash_picture(rng.integers(0, 256, (*shape, 3), np.uint8), method="fast").shape == (32,)


@METHODS
def test_softer_and_smaller_copies_are_near_and_other_drawings_far(scene, soften, method):
    drawings = hash_pictures([scene(seed) for seed in range(12)], method=method)
    copies = hash_pictures([soften(scene(seed)) for seed in range(12)], method=method)
    for number, (one, copy) in enumerate(zip(drawings, copies, strict=True)):
        assert distances(one, copy[None])[0] <= THRESHOLDS["phash-256"]["normal"]
        others = np.delete(drawings, number, axis=0)
        assert distances(one, others).min() > THRESHOLDS["phash-256"]["loose"]


def test_presets_widen():
    for presets in THRESHOLDS.values():
        assert presets["strict"] < presets["normal"] < presets["loose"]


@KINDS
def test_a_file_hashes_as_its_picture(tmp_path, scene, kind):
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(scene(0)))
    for method in ("exact", "fast"):
        assert np.array_equal(hash_file(path, kind, method), hash_picture(scene(0), kind, method))


@KINDS
def test_reduced_jpeg_hashes_are_near_those_of_the_whole(tmp_path, scene, kind):
    path = tmp_path / "a.jpg"
    for seed in range(8):
        path.write_bytes(encode_jpeg(scene(seed, 540, 960)))
        fast, exact = hash_file(path, kind, "fast"), hash_file(path, kind)
        assert distances(fast, exact[None])[0] <= 12


def test_reduced_jpegs_are_turned_as_their_tag_says(tmp_path, scene):
    tags = Image.Exif()
    tags[0x0112] = 6
    picture = Image.fromarray(scene(1, 540, 960))
    picture.save(tmp_path / "turned.jpg", exif=tags, quality=95)
    turned = np.rot90(np.asarray(picture), k=-1)
    fast = hash_file(tmp_path / "turned.jpg", method="fast")
    assert distances(fast, hash_picture(np.ascontiguousarray(turned))[None])[0] <= 12


def test_cmyk_jpegs_are_decoded_whole(tmp_path, scene):
    path = tmp_path / "print.jpg"
    Image.fromarray(scene(2)).convert("CMYK").save(path)
    assert np.array_equal(
        hash_file(path, method="fast"), hash_picture(read_rgb(path), method="fast")
    )


@METHODS
@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\xff\xd8\xff", encode_jpeg(np.eye(99, dtype=np.uint8))[:400]]
)
def test_broken_files_end_as_when_they_are_read(tmp_path, content, method):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(PictureError) as expected:
        read_rgb(path)
    with pytest.raises(PictureError) as raised:
        hash_file(path, method=method)
    assert str(raised.value) == str(expected.value)


@METHODS
def test_a_missing_file_is_told(tmp_path, method):
    with pytest.raises(PictureError, match="cannot be opened"):
        hash_file(tmp_path / "none.jpg", method=method)


def test_huge_jpegs_are_refused_however_they_are_read(tmp_path, monkeypatch, scene):
    path = tmp_path / "huge.jpg"
    path.write_bytes(encode_jpeg(cv2.resize(scene(0), (600, 600))))
    monkeypatch.setattr("animeprep.hashes.MAX_PIXELS", 1000)
    monkeypatch.setattr("animeprep.images.MAX_PIXELS", 1000)
    with pytest.raises(PictureError, match="too large"):
        hash_file(path, method="fast")
