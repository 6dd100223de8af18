"""Paint from Python: load once, paint as many pictures as you like.

python examples/paint.py photo.jpg painted.png              # by the newest run
python examples/paint.py photo.jpg painted.png my_run       # or by any run or file
"""

import sys
from pathlib import Path

from animegan import Painter
from animeprep.images import read_rgb, write_png


def main() -> None:
    """Paint one photo and say whether it fitted into memory."""
    photo, painted, *model = sys.argv[1:]
    painter = Painter.load(*model)
    rgb = read_rgb(Path(photo))  # uint8 H×W×3; uint16 is painted as finely as it is given
    write_png(Path(painted), painter.paint(rgb))
    print("whole" if painter.fits(*rgb.shape[:2]) else "in tiles", painter.described())


if __name__ == "__main__":
    main()
