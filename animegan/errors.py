"""What a user can cause in training and painting: branches of `animeprep.errors`' tree.

InputError
├── CheckpointError     a file of weights is broken, or of another network
├── PaintingError       a picture cannot be painted
└── TrainingError       training cannot start or go on
"""

from animeprep.errors import InputError


class CheckpointError(InputError):
    """A file of weights cannot be used."""


class TrainingError(InputError):
    """Training cannot start or go on."""


class PaintingError(InputError):
    """A picture cannot be painted."""
