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


def clock(seconds: float) -> str:
    """A time to a tenth of a second.

    Args:
        seconds: finite, 0 or more.

    >>> clock(5.04), clock(59.97), clock(3725)
    ('0:05.0', '1:00.0', '1:02:05.0')
    """
    minutes, rest = divmod(round(seconds * 10), 600)
    hours, minutes = divmod(minutes, 60)
    told = f"{rest // 10:02}.{rest % 10}"
    return f"{hours}:{minutes:02}:{told}" if hours else f"{minutes}:{told}"


#: Seconds from the film's beginning.
Time = Annotated[float, BeforeValidator(seconds_of), Field(ge=0)]
