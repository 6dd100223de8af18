import pickle
import tracemalloc

import numpy as np
import pytest

from animegan.public.pickled import StoredArray, open_npy, read_dictionary


def write(path, dictionary):
    np.save(path, np.array(dictionary, dtype=object), allow_pickle=True)
    return path


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
def test_arrays_come_back_whatever_their_type_and_order(tmp_path, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    file = write(tmp_path / "x.npy", {"c": array, "f": np.asfortranarray(array), "t": array.T})
    arrays = open_npy(file)
    assert arrays.shapes == {"c": (2, 3, 4), "f": (2, 3, 4), "t": (4, 3, 2)}
    for name in "cf":
        np.testing.assert_array_equal(arrays.read(name), array)
    np.testing.assert_array_equal(arrays.read("t"), array.T)


def python_2(dictionary):
    """The pickle of numpy's old days: protocol 2, bytes as text, the module's old name."""
    content = pickle.dumps(np.array(dictionary, dtype=object), protocol=2)
    content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def test_old_pickles_are_read(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 5)).astype(np.float32)
    (tmp_path / "x.npy").write_bytes(python_2({"conv1_1": [kernel, kernel[0, 0, 0]]}))
    stored = read_dictionary(tmp_path / "x.npy")["conv1_1"]
    assert isinstance(stored, list)
    assert [type(one) for one in stored] == [StoredArray, StoredArray]
    np.testing.assert_array_equal(stored[0].array(), kernel)


def raw(path, content):
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content)
    return path


@pytest.mark.parametrize(
    "name",
    ["os.system", "builtins.eval", "numpy.load", "numpy.testing._private.utils.runstring",
     "numpy.core.multiarray.fromfile", "_codecs.decode"],
)  # fmt: skip
def test_every_other_name_is_refused(tmp_path, name):
    module, function = name.rsplit(".", 1)
    content = f"c{module}\n{function}\n(S'1'\ntR.".encode()
    with pytest.raises(pickle.UnpicklingError, match=f"asks for {name}"):
        read_dictionary(raw(tmp_path / "x.npy", content))


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    "content",
    [
        # An index far beyond the memo; an array of 2^60 numbers; attributes of what it is given.
        b"\x80\x02]r\xff\xff\xff\x7f.",
        RECONSTRUCT + b"(cnumpy\nndarray\n(L1152921504606846976L\ntS'b'\ntR.",
        RECONSTRUCT + b"N}S'__call__'\nS'x'\ns\x86b.",
        b"cnumpy\ndtype\n(S'V9999999999'\nI0\nI1\ntR.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0f.",
        b"(" * 1000 + b".",
    ],
)
def test_hostile_pickles_are_refused_without_memory(tmp_path, content):
    tracemalloc.start()
    with pytest.raises(
        (pickle.UnpicklingError, TypeError, EOFError, IndexError, MemoryError, AttributeError)
    ):
        read_dictionary(raw(tmp_path / "x.npy", content))
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()
    # What it was given is as it was.
    array = np.ones((2, 2), np.float32)
    assert open_npy(write(tmp_path / "y.npy", {"a": array})).shapes == {"a": (2, 2)}


def test_an_array_that_lies_about_its_size_is_refused(tmp_path):
    stored = StoredArray()
    array = np.ones(5, np.float32)
    file = write(tmp_path / "x.npy", {"a": array})
    lied = file.read_bytes().replace(b"K\x05\x85", b"K\x07\x85")
    file.write_bytes(lied)
    arrays = open_npy(file)
    assert arrays.shapes == {"a": (7,)}
    with pytest.raises(ValueError, match="not of the size it says"):
        arrays.read("a")
    assert stored.shape == ()
