"""Times as people write them."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field


def seconds_of(text: object) -> object:
    """Seconds of a time: `90`, `1:30` or `0:01:30.5`; anything else as it is.

    >>> seconds_of("1:30"), seconds_of("0:01:30.5"), seconds_of(2.5)
    (90.0, 90.5, 2.5)

    Raises:
        ValueError: a text that is no time.
    """
    if not isinstance(text, str):
        return text
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise ValueError(f"{text} is no time; write 90, 1:30 or 0:01:30.5")
    parts = [float(part) for part in text.split(":")]
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))


#: Seconds from the film's beginning.
Time = Annotated[float, BeforeValidator(seconds_of), Field(ge=0)]
