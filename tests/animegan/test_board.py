import sys
import types
from typing import Any, ClassVar

import numpy as np

from animegan.board import Board


class Writer:
    made: ClassVar[list["Writer"]] = []

    def __init__(self, folder, purge_step):
        self.calls: list[tuple[Any, ...]] = [("open", folder, purge_step)]
        self.made.append(self)

    def __getattr__(self, name):
        return lambda *args, **_: self.calls.append((name, *args))


def test_terms_measures_and_samples_reach_tensorboard(tmp_path, monkeypatch):
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = Board(tmp_path, 40)
    sheet = np.zeros((2, 2, 3), np.uint8)
    board.add(50, {"gram": 2.0}, {"style": [0.5, 0.4, 0.6]}, sheet)
    board.close()
    calls = Writer.made[-1].calls
    assert calls[0] == ("open", str(tmp_path / "tensorboard"), 41)
    assert ("add_scalar", "terms/gram", 2.0, 50) in calls
    assert ("add_scalar", "measures/style", 0.5, 50) in calls
    assert ("add_image", "samples", sheet, 50) in calls
    assert calls[-1] == ("close",)


def test_without_tensorboard_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = Board(tmp_path, 0)
    board.add(1, {"gram": 2.0}, {}, np.zeros((2, 2, 3), np.uint8))
    board.close()
    assert list(tmp_path.iterdir()) == []
