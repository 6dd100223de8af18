"""Pictures of a film, taken stretch by stretch."""

from collections.abc import Iterator

from animeprep.errors import FilmError
from animeprep.film import Film, FilmPicture, Selection, pictures


class InOrder:
    """Pictures of a film as they are shown.

    Args:
        film: from `probe`.
        indexes: which; one that comes too late, because it was looked for again, is left out.

    Attributes:
        problem: why there are no more, should the film have broken off.
    """

    def __init__(self, film: Film, indexes: list[int]) -> None:
        self.problem: FilmError | None = None
        self._found = pictures(film, Selection(only=tuple(indexes)), in_order=True)
        self._next: FilmPicture | None = None
        self._index = -1

    def next(self) -> FilmPicture | None:
        """The next one, which stays the next one; None at the end."""
        try:
            while self._next is None:
                one = next(self._found)
                if one.index > self._index:
                    self._next, self._index = one, one.index
        except StopIteration:
            return None
        except FilmError as error:
            self.problem = error
        return self._next

    def before(self, end: int) -> Iterator[FilmPicture]:
        """Take those before an index."""
        while (one := self.next()) is not None and one.index < end:
            self._next = None
            yield one

    def close(self) -> None:
        """Let the decoder go."""
        self._found.close()  # type: ignore[attr-defined]  # a generator has it
