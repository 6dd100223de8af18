"""Curves and sheets for TensorBoard, where it is installed."""

import importlib
from pathlib import Path
from typing import Any

from animegan.run import Line
from animeprep.boxes import Picture
from animeprep.files import writing

FOLDER = "tensorboard"


class Board:
    """Writes what TensorBoard shows; does nothing where there is no TensorBoard.

    Args:
        run: the run's folder.
        step: what an earlier attempt wrote after this step is not shown any more.

    Raises:
        OutputError: its files cannot be written.
    """

    def __init__(self, run: Path, step: int) -> None:
        self._writer: Any = None
        try:
            module = importlib.import_module("torch.utils.tensorboard")
        except ImportError:
            return
        with writing(run / FOLDER):
            self._writer = module.SummaryWriter(str(run / FOLDER), purge_step=step + 1)

    def add(self, step: int, terms: Line, measures: Line, sheet: Picture | None) -> None:
        """Add means of terms, measures as [value, low, high], and a sheet of samples."""
        if self._writer is None:
            return
        for name, value in terms.items():
            self._writer.add_scalar(f"terms/{name}", value, step)
        for name, (value, _, _) in measures.items():
            self._writer.add_scalar(f"measures/{name}", value, step)
        if sheet is not None:
            self._writer.add_image("samples", sheet, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """End its thread."""
        if self._writer is not None:
            self._writer.close()
