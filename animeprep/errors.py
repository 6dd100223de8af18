"""Everything a user can cause, as a tree.

    AnimeprepError
    ├── UsageError          the command says something impossible          exit code 2
    ├── InputError          a file or folder cannot be used as it is        exit code 1
    │   ├── PictureError
    │   ├── FilmError
    │   └── DatasetError    the dataset folder lacks what a verb needs
    └── OutputError         something cannot be written                     exit code 1

The command line prints one line for each and ends with the exit code; `--debug` shows the rest.
"""

from pathlib import Path


class AnimeprepError(Exception):
    """A problem that the user can solve, told in one line."""

    exit_code = 1


class UsageError(AnimeprepError):
    """The command asks for something impossible."""

    exit_code = 2


class InputError(AnimeprepError):
    """A file or folder cannot be used: which one, what is wrong, what to do.

    >>> str(InputError("a.mkv", "the file is empty", "copy it again"))
    'a.mkv: the file is empty; copy it again'
    """

    def __init__(self, path: Path | str, problem: str, remedy: str = "") -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{path}: {problem}" + (f"; {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, str, str]]:
        """Let errors travel between worker processes."""
        return type(self), (str(self.path), self.problem, self.remedy)


class PictureError(InputError):
    """A picture cannot be read or is too large."""


class FilmError(InputError):
    """A film cannot be read, or is of a kind that this version refuses."""


class DatasetError(InputError):
    """The dataset folder lacks what a verb needs."""


class OutputError(InputError):
    """A file or folder cannot be written."""
