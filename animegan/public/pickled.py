"""Pickled numpy arrays, read without running anything.

Old weights such as `vgg19.npy` are a pickled dictionary. This unpickler knows the four names that
numpy's arrays need and builds from them records of its own; an array is made from such a record
only after its type and size are checked.
"""

import math
import pickle
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from animegan.public.arrays import Arrays

_FLOATS = ("f2", "f4", "f8")


class StoredType:
    """A dtype as its pickle holds it."""

    def __init__(self, code: object) -> None:
        if code not in (*_FLOATS, "O", "O8"):
            raise pickle.UnpicklingError("it holds arrays of other than numbers")
        self.code = str(code)
        self.order = "="

    def __setstate__(self, state: tuple[int, str]) -> None:
        """Take the byte order; the rest is for types that are refused."""
        if state[1] in {"<", ">"}:
            self.order = state[1]


class StoredArray:
    """An array as its pickle holds it."""

    shape: tuple[int, ...] = ()
    type: StoredType
    values: object = None
    order = "C"

    def __setstate__(self, state: tuple[int, tuple[int, ...], StoredType, bool, object]) -> None:
        """Take shape, type, order and bytes, or a list for an array of objects; copy nothing."""
        _, shape, self.type, fortran, self.values = state
        self.shape = tuple(int(size) for size in shape)
        self.order = "F" if fortran else "C"

    def array(self) -> NDArray[np.floating]:
        """The array itself, not to be written to.

        Raises:
            ValueError: it does not hold as many numbers as it says.
        """
        # Python 2 pickled bytes as text.
        text = self.values
        raw = text.encode("latin1") if isinstance(text, str) else text
        if not isinstance(raw, bytes) or self.type.code not in _FLOATS:
            raise ValueError("an array of it holds no numbers")
        dtype = np.dtype(self.type.code).newbyteorder(self.type.order)  # type: ignore[arg-type]  # "<", ">" or "="
        if len(raw) != math.prod(self.shape) * dtype.itemsize:
            raise ValueError("an array of it is not of the size it says")
        flat = np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="), copy=False)
        return flat.reshape(self.shape, order="F" if self.order == "F" else "C")


# The C unpickler clears as much memory as an index in the file asks for; Python's does not.
class _ArraysOnly(pickle._Unpickler):  # noqa: SLF001 - see above
    """Unpickles dicts, lists, numbers, strings and `StoredArray`s; refuses every other name."""

    def find_class(self, module: str, name: str) -> object:
        # Made anew for each request: a pickle can set attributes of what it is given.
        known = {
            "numpy.core.multiarray._reconstruct": lambda *_: StoredArray(),
            "numpy._core.multiarray._reconstruct": lambda *_: StoredArray(),
            "numpy.ndarray": lambda: None,
            "numpy.dtype": lambda code, *_: StoredType(code),
            "_codecs.encode": lambda text, _: text,
        }
        if f"{module}.{name}" not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}"[:100])
        return known[f"{module}.{name}"]


def read_dictionary(file: Path) -> dict[str, object]:
    """The dictionary of a `.npy` file: values are `StoredArray`s, or lists of them.

    Raises:
        pickle.UnpicklingError: it asks for anything else.
        ValueError, TypeError: not a dictionary in a numpy file.
    """
    with file.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"numpy file of version {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        if shape != () or dtype != np.dtype(object):
            raise ValueError("not a dictionary of layers")
        outer = _ArraysOnly(stream, encoding="latin1").load()
    values = outer.values if isinstance(outer, StoredArray) else None
    content = values[0] if isinstance(values, list) and values else None
    if not isinstance(content, dict):
        raise TypeError("not a dictionary of layers")
    return {str(name): value for name, value in content.items()}


def open_npy(file: Path) -> Arrays:
    """The arrays of a pickled dictionary.

    Raises:
        pickle.UnpicklingError, ValueError, TypeError, OSError: as `read_dictionary`.
    """
    arrays = {n: v for n, v in read_dictionary(file).items() if isinstance(v, StoredArray)}
    return Arrays(
        {name: stored.shape for name, stored in arrays.items()},
        lambda name: torch.from_numpy(np.array(arrays[name].array())),
    )
