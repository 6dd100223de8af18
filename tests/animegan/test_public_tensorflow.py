import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from animegan import public
from animegan.errors import CheckpointError
from animegan.public import sstable
from animegan.public.crc32c import crc32c
from animegan.public.layouts import layouts, shapes_of
from animegan.public.sstable import read_table
from animegan.public.tensorflow import index_of, open_bundle

TYPES = {"float32": 1, "float64": 2, "int64": 9, "float16": 19}


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def entry(array, offset, data, shape=None, shard=0):
    dimensions = b"".join(message(2, number(1, size)) for size in shape or array.shape)
    head = number(1, TYPES[str(array.dtype)]) + message(2, dimensions)
    place = number(3, shard) + number(4, offset) + number(5, len(data))
    return head + place + varint(6 << 3 | 5) + masked(data)


def block(entries, kind=0):
    """Sorted entries, each key without what it shares with the key before; one restart point."""
    out, last = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    out += bytes(4) + (1).to_bytes(4, "little") + bytes([kind])
    return out + masked(out)


def table(entries, in_a_block=16, kind=0):
    entries = sorted(entries.items())
    out, index = b"", []
    for first in range(0, len(entries), in_a_block):
        part = entries[first : first + in_a_block]
        written = block(part, kind)
        index.append((part[-1][0], varint(len(out)) + varint(len(written) - 5)))
        out += written
    handles = b""
    for written in (block([]), block(index)):
        handles += varint(len(out)) + varint(len(written) - 5)
        out += written
    return out + handles.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def write(prefix, arrays, shards=1):
    """NAME.index and its data files; arrays go to the files in turn. Returns the index's path."""
    entries = {b"": number(1, shards) + message(3, number(1, 1))}
    files = [b""] * shards
    for turn, (name, array) in enumerate(sorted(arrays.items())):
        shard = turn % shards
        data = np.ascontiguousarray(array).tobytes()
        entries[name.encode()] = entry(array, len(files[shard]), data, shard=shard)
        files[shard] += data
    for shard, data in enumerate(files):
        prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{shards:05d}").write_bytes(data)
    index = prefix.with_name(f"{prefix.name}.index")
    index.write_bytes(table(entries))
    return index


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "a/weights": rng.normal(size=(3, 3, 2, 5)).astype(np.float32),
        "a/beta": rng.normal(size=5).astype(np.float16),
        "b": rng.normal(size=(2, 1)),
        "global_step": np.array([7]),
    }


@pytest.mark.parametrize("shards", [1, 3])
def test_a_bundle_comes_back_as_it_was_written(tmp_path, arrays, shards):
    bundle = open_bundle(write(tmp_path / "x.ckpt", arrays, shards))
    assert set(bundle.shapes) == {"a/weights", "a/beta", "b"}  # no whole numbers
    for name, shape in bundle.shapes.items():
        assert shape == arrays[name].shape
        np.testing.assert_array_equal(bundle.read(name), arrays[name].astype(np.float32))


def test_a_table_of_many_blocks_comes_back():
    entries = {f"scope/layer_{n}/weights".encode(): varint(n * n) for n in range(300)}
    for in_a_block in (1, 7, 1000):
        assert read_table(table(entries, in_a_block)) == entries


def test_a_checkpoint_may_be_named_by_any_of_its_files(tmp_path, arrays):
    index = write(tmp_path / "Hayao-60.ckpt", arrays)
    for ending in ("", ".index", ".meta", ".data-00000-of-00001"):
        assert index_of(tmp_path / f"Hayao-60.ckpt{ending}") == index
    for other in (tmp_path / "other", tmp_path, tmp_path / "."):
        assert index_of(other) is None


def network_arrays(network):
    """A TensorFlow checkpoint of a network, in its own names and axes, with random values."""
    rng = np.random.default_rng(0)
    layout = next(layout for layout in layouts() if layout.network == network)
    arrays = {}
    for ours, shape in shapes_of(network).items():
        source = layout.sources[ours]
        value = rng.normal(size=shape).astype(np.float32)
        arrays[source.name] = value if source.axes is None else value.transpose(
            np.argsort(source.axes)
        )  # fmt: skip
    return arrays


def test_a_training_checkpoint_gives_its_generator(tmp_path):
    arrays = network_arrays("animeganv2-lite-tf")
    weights = arrays["generator/G_MODEL/Conv/weights"]
    optimiser = {
        "discriminator/conv/w": weights,
        "generator/G_MODEL/Conv/weights/Adam": weights,
        "beta1_power": np.array([0.5], np.float32),
    }
    index = write(tmp_path / "x.ckpt", arrays | optimiser)
    network, tensors = public.read(index)
    assert network == "animeganv2-lite-tf"
    np.testing.assert_array_equal(tensors["full.1.weight"], weights.transpose(3, 2, 0, 1))


def test_the_real_index_is_understood(shared):
    lines = (shared / "reference" / "animegan_v1_tf_tensors.txt").read_text().splitlines()
    bundle = open_bundle(shared / "reference" / "animegan_v1_tf.ckpt.index")
    assert [f"{name} {list(shape)}" for name, shape in bundle.shapes.items()] == lines
    layout = next(layout for layout in layouts() if layout.network == "animegan-tf")
    assert {source.name for source in layout.sources.values()} == set(bundle.shapes)


def lowest_bits():
    """What flipping the lowest bits of the last 30 numbers does to a CRC, triangular over GF(2)."""
    basis: dict[int, tuple[int, set[tuple[int, int]]]] = {}
    for number in range(60):
        place = (4 * (number // 2 + 1), number % 2)  # bytes from the end, bit
        flipped = (1 << place[1]).to_bytes(place[0], "little")
        effect, places = crc32c(flipped) ^ crc32c(bytes(place[0])), {place}
        while effect and effect.bit_length() in basis:
            other, others = basis[effect.bit_length()]
            effect, places = effect ^ other, places ^ others
        if effect:
            basis[effect.bit_length()] = effect, places
    return basis


def with_checksum(values, masked_crc, basis):
    """The same numbers, some lowest bits changed so that the checksum becomes another.

    A CRC is linear, so the bits solve a linear system.
    """
    data = bytearray(values.astype("<f4").tobytes())
    turned = masked_crc - 0xA282EAD8 & 0xFFFFFFFF
    left = crc32c(bytes(data)) ^ (turned << 15 | turned >> 17) & 0xFFFFFFFF
    wanted: set[tuple[int, int]] = set()
    while left:
        effect, places = basis[left.bit_length()]
        left, wanted = left ^ effect, wanted ^ places
    for before_end, bit in wanted:
        data[-before_end] ^= 1 << bit
    return bytes(data)


def test_the_real_index_reads_a_data_file(shared, tmp_path):
    real = (shared / "reference" / "animegan_v1_tf.ckpt.index").read_bytes()
    (tmp_path / "x.ckpt.index").write_bytes(real)
    rng = np.random.default_rng(0)
    written, data, basis = {}, bytearray(), lowest_bits()
    for key, value in sorted(read_table(real).items()):
        if key:
            at = public.tensorflow._entry(value)
            written[key.decode()] = rng.normal(size=at.shape)
            assert at.offset == len(data)
            data += with_checksum(written[key.decode()], at.crc, basis)
    (tmp_path / "x.ckpt.data-00000-of-00001").write_bytes(data)
    network, tensors = public.read(tmp_path / "x.ckpt")
    assert network == "animegan-tf"
    assert sum(tensor.numel() for tensor in tensors.values()) == 3_956_096
    kernel = written["generator/G_MODEL/m/r3/Conv_1/weights"].transpose(3, 2, 0, 1)
    np.testing.assert_allclose(
        tensors["bottleneck.2.project.0.weight"], kernel, atol=1e-5, rtol=1e-6
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    index = write(folder / "x.ckpt", network_arrays("animeganv2-lite-tf"))
    return index.read_bytes(), (folder / "x.ckpt.data-00000-of-00001").read_bytes()


def refused(folder, index, data, why):
    (folder / "x.ckpt.index").write_bytes(index)
    (folder / "x.ckpt.data-00000-of-00001").write_bytes(data)
    with pytest.raises(CheckpointError, match=why) as caught:
        public.read(folder / "x.ckpt.index")
    assert "\n" not in str(caught.value)


def test_damaged_files_are_one_clear_line(tmp_path, whole):
    index, data = whole
    refused(tmp_path, index[:-1], data, "truncated")
    refused(tmp_path, b"", data, "truncated")
    refused(tmp_path, index, data[:-1], "lies behind its end")
    refused(tmp_path, index, data[:1000] + bytes([data[1000] ^ 1]) + data[1001:], "checksum")
    refused(tmp_path, index[:50] + bytes([index[50] ^ 1]) + index[51:], data, "checksum of index")
    refused(tmp_path, bytes(5 * 2**20) + index, data, "too large")
    (tmp_path / "x.ckpt.data-00000-of-00001").unlink()
    (tmp_path / "x.ckpt.index").write_bytes(index)
    with pytest.raises(CheckpointError, match="data-00000-of-00001 is not beside it"):
        public.read(tmp_path / "x.ckpt")


def test_absurd_claims_of_an_index_are_refused(tmp_path, whole):
    index, data = whole
    entries = read_table(index)
    name = b"generator/G_MODEL/Conv/weights"
    honest = np.zeros((7, 7, 3, 32), np.float32)
    raw = honest.tobytes()

    def claim(new, why):
        refused(tmp_path, table(entries | {name: new}), data, why)

    claim(entry(honest, 0, raw, shape=(2**40, 2**20, 3, 32)), "another network")
    claim(entry(honest, 2**62, raw), "behind its end")
    claim(entry(honest, 0, raw[:-4]), "wrong size")
    claim(entry(honest, 0, raw, shard=77), "data-00077-of-00001")
    claim(b"\x12\xff\xff\xff\xff\x7f", "damaged")  # a field longer than the message
    claim(b"\x80" * 30, "damaged")
    claim(entries[name] + message(7, b""), "slices")
    refused(tmp_path, table(entries, kind=1), data, "compressed")
    refused(tmp_path, table({b"k" * 2000: b""}), data, "damaged")
    refused(
        tmp_path, table({f"{n:06d}".encode(): b"" for n in range(21_000)}, 999), data, "too many"
    )


def test_blocks_that_are_named_again_and_again_are_not_read_again_and_again(monkeypatch):
    out = block([(b"key", bytes(1000))])
    handles = varint(0) + varint(len(out) - 5)
    index = block([(f"{n:05d}".encode(), handles) for n in range(10_000)])
    for written in (block([]), index):
        handles += varint(len(out)) + varint(len(written) - 5)
        out += written
    footer = handles[len(varint(0) + varint(len(block([(b"key", bytes(1000))])) - 5)) :]
    summed = []

    def counted(data):
        summed.append(len(data))
        return crc32c(data)

    monkeypatch.setattr(sstable, "crc32c", counted)
    with pytest.raises(ValueError, match="blocks overlap"):
        read_table(out + footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db"))
    assert sum(summed) < 3 * len(out)


def test_a_huge_index_is_not_read_whole(tmp_path, monkeypatch):
    with (tmp_path / "x.ckpt.index").open("wb") as stream:
        stream.truncate(2**33)  # takes no room
    with pytest.raises(ValueError, match="too large"):
        open_bundle(tmp_path / "x.ckpt.index")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_any_wrong_byte_of_an_index_is_noticed_or_harmless(place, change):
    entries = {
        f"layer_{n}/weights".encode(): entry(np.zeros(n, np.float32), 0, b"") for n in range(40)
    }
    index = bytearray(table(entries))
    index[place % len(index)] ^= change
    with contextlib.suppress(ValueError):
        assert read_table(bytes(index)) == entries


def test_values_that_are_no_numbers_are_refused(tmp_path):
    arrays = network_arrays("animeganv2-lite-tf")
    arrays["generator/G_MODEL/LayerNorm/beta"][3] = np.nan
    index = write(tmp_path / "x.ckpt", arrays)
    with pytest.raises(CheckpointError, match="LayerNorm/beta holds values that are no numbers"):
        public.read(index)


def test_half_precision_becomes_float32(tmp_path):
    arrays = {n: a.astype(np.float16) for n, a in network_arrays("animeganv2-lite-tf").items()}
    _, tensors = public.read(write(tmp_path / "x.ckpt", arrays))
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
