"""A file of named arrays, whatever its format: shapes first, values on demand."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor


class Arrays(NamedTuple):
    """What a file of weights holds. Only floating-point arrays are listed.

    Attributes:
        shapes: name → shape; learnt without reading values, so that a file's claims cost nothing.
        read: reads one array by its name.
    """

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Tensor]
