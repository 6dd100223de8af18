"""Other people's programs that benchmarks run beside ours."""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

#: `imagededup` imports these for what no hash needs.
_UNUSED = (
    "torchvision", "torchvision.models", "torchvision.models.vision_transformer",
    "torchvision.transforms", "sklearn", "sklearn.metrics", "sklearn.metrics.pairwise", "pywt",
)  # fmt: skip


def imagededup_phash() -> Callable[..., str] | None:
    """`PHash.encode_image` with its defaults; None where imagededup is not installed.

    To install it without what it does not need here: `pip install --no-deps imagededup tqdm`.
    """
    if importlib.util.find_spec("imagededup") is None:
        return None
    for name in _UNUSED:
        sys.modules.setdefault(name, MagicMock())
    methods: Any = importlib.import_module("imagededup.methods")
    logging.disable(logging.INFO)
    encode: Callable[..., str] = methods.PHash(verbose=False).encode_image
    return encode
