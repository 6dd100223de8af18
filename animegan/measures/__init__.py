"""What is measured of painted pictures: one family of measures a file.

All are pure functions on pictures or features. None of them is a loss of the training, and the one
that says how near the style is looks through a network that the training never saw.
"""

from animegan.measures.interval import Interval, Measures

__all__ = ["Interval", "Measures"]
