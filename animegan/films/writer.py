"""Finishing and encoding paintings, in a thread beside the painting."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from animegan.films.encode import Encoder
from animegan.films.parts import Parts
from animegan.films.plan import Part
from animeprep.boxes import Picture

#: Paintings that wait to be encoded.
_WAITING = 4


class Writer:
    """Writes parts, one after the other; a context.

    Args:
        parts: where to.
        new_encoder: what encodes a file: of its height, width and format.
    """

    def __init__(self, parts: Parts, new_encoder: Callable[..., Encoder]) -> None:
        self._parts, self._new_encoder = parts, new_encoder
        self._encoder: Encoder | None = None
        self._begin = 0.0
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def add(self, seconds: float, finish: Callable[[], Picture]) -> None:
        """Add a picture to the part that is being written.

        Args:
            seconds: when it is shown.
            finish: makes it, in the thread.

        Raises:
            OutputError: one before could not be written.
        """
        self._waiting.append(self._thread.submit(self._encode, seconds, finish))
        while len(self._waiting) > _WAITING:
            self._waiting.popleft().result()

    def end(self, part: Part) -> None:
        """The part is whole; one without any picture is not kept.

        Raises:
            OutputError: it could not be written.
        """
        self._waiting.append(self._thread.submit(self._end, part))

    def _encode(self, seconds: float, finish: Callable[[], Picture]) -> None:
        picture = finish()
        if self._encoder is None:
            self._encoder = self._new_encoder(self._parts.draft, picture.shape[:2])
            self._begin = seconds
        self._encoder.write(picture, seconds - self._begin)

    def _end(self, part: Part) -> None:
        if self._encoder is not None:
            encoder, self._encoder = self._encoder, None
            encoder.close()
            self._parts.keep(part, self._begin)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._thread.shutdown()  # what waits may end a part
            if self._encoder is not None:
                self._encoder.abort()
                self._parts.draft.unlink(missing_ok=True)
