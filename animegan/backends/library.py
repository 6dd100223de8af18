"""Libraries that come with an extra."""

import importlib
import importlib.util
from importlib import metadata
from typing import Any

from animeprep.errors import UsageError


def installed(name: str) -> bool:
    """Whether a library is there; it is not imported."""
    return importlib.util.find_spec(name) is not None


def library(name: str, extra: str) -> Any:  # noqa: ANN401 - libraries without types
    """Import a library.

    Args:
        name: what is imported.
        extra: the extra of animeprep that brings it.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"this needs {name}, which is not installed: pip install 'animeprep[{extra}]'"
        ) from error


def version(name: str) -> str:
    """The version of a library, without importing it; empty where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
