import numpy as np
import pytest

from animeprep.dataset import Dataset
from animeprep.images import to_gray, write_png


@pytest.fixture
def small_dataset(tmp_path):
    """Five photos and seven style pictures of 64 pixels, with partners, and one held-out photo."""
    rng = np.random.default_rng(0)
    root = tmp_path / "dataset"

    def picture(side=64):
        coarse = rng.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        return np.kron(coarse, np.ones((8, 8, 1), np.uint8))

    for number in range(5):
        write_png(root / "photo" / f"p{number}.png", picture())
    write_png(root / "val" / "v.png", picture(72))
    for number in range(7):
        style = picture()
        smooth = 255 - style
        write_png(root / "style" / f"s{number}.png", style)
        write_png(root / "smooth" / f"s{number}.png", smooth)
        write_png(root / "gray" / f"s{number}.png", to_gray(style))
        write_png(root / "smooth_gray" / f"s{number}.png", to_gray(smooth))
    return Dataset(root)
