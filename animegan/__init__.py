"""Networks, losses, training and painting.

Tensors are float32 N×3×H×W RGB in [-1, 1] everywhere in this package.

    from animegan import Painter
    painted = Painter.load("my_run").paint(rgb)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from animegan.painter import Painter

__all__ = ["Painter"]


def __getattr__(name: str) -> object:
    """Import torch only when a painter is asked for."""
    if name in __all__:
        from animegan import painter

        return getattr(painter, name)
    raise AttributeError(name)
