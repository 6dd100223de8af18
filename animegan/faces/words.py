"""The words that a face is asked for by: a colour of hair and one of eyes, as numbers.

A condition is two one-hot vectors beside each other, 12 + 11 = 23 numbers; an attribute that
nothing is said of is all zeros.
"""

import re
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from animeprep.errors import UsageError

HAIR = ("orange", "white", "aqua", "gray", "green", "red", "purple", "pink", "blue", "black",
        "brown", "blonde")  # fmt: skip
EYES = ("gray", "black", "orange", "pink", "yellow", "aqua", "purple", "green", "brown", "red",
        "blue")  # fmt: skip
#: Attribute → its colours, in the order of the condition.
COLOURS = {"hair": HAIR, "eyes": EYES}
#: Numbers of a condition.
WIDTH = len(HAIR) + len(EYES)
#: The place of a colour that nothing is said of.
UNSAID = -1
#: What people also write → the name of it here.
SYNONYMS = {"grey": "gray", "blond": "blonde", "eye": "eyes"}


class Words(NamedTuple):
    """What is said of a face.

    Attributes:
        hair: one of `HAIR`; None where nothing is said.
        eyes: one of `EYES`; None where nothing is said.
    """

    hair: str | None = None
    eyes: str | None = None

    def __str__(self) -> str:
        said = zip((self.hair, self.eyes), COLOURS, strict=True)
        return " ".join(f"{colour} {attribute}" for colour, attribute in said if colour)

    def places(self) -> tuple[int, int]:
        """The colours' places in `HAIR` and `EYES`; `UNSAID` where nothing is said.

        >>> Words("blue", None).places()
        (8, -1)
        """
        return (
            UNSAID if self.hair is None else HAIR.index(self.hair),
            UNSAID if self.eyes is None else EYES.index(self.eyes),
        )

    @classmethod
    def of(cls, hair: int, eyes: int) -> "Words":
        """The reverse of `places`.

        >>> Words.of(8, -1)
        Words(hair='blue', eyes=None)
        """
        return cls(
            None if hair == UNSAID else HAIR[hair],
            None if eyes == UNSAID else EYES[eyes],
        )


def parse_words(text: str) -> Words:
    """Read `blue hair red eyes`: either order, one of the two may be missing.

    Raises:
        UsageError: nothing is said, something is said twice, or a colour is not one of those that
            are known, which the message lists.

    >>> parse_words("Red eyes, grey hair")
    Words(hair='gray', eyes='red')
    >>> str(parse_words("blond hair"))
    'blonde hair'
    """
    said = [SYNONYMS.get(word, word) for word in re.split(r"[\s,]+", text.strip().lower()) if word]
    found: dict[str, str] = {}
    for colour, attribute in zip(said[::2], said[1::2], strict=False):
        if attribute not in COLOURS:
            break
        if attribute in found:
            raise UsageError(f"{text!r} names {attribute} twice; name one colour")
        if colour not in COLOURS[attribute]:
            known = ", ".join(COLOURS[attribute])
            raise UsageError(f"{text!r}: {colour} is no colour of {attribute}; say one of {known}")
        found[attribute] = colour
    if not found or 2 * len(found) != len(said):
        raise UsageError(f"{text!r} is not understood; say for example: blue hair red eyes")
    return Words(**found)


def conditions(hair: Tensor, eyes: Tensor) -> Tensor:
    """Conditions of places: int64 N and N, `UNSAID` where nothing is said → float N×23.

    >>> conditions(torch.tensor([8, -1]), torch.tensor([9, 9])).nonzero().tolist()
    [[0, 8], [0, 21], [1, 21]]
    """
    parts = [
        functional.one_hot(places + 1, len(colours) + 1)[:, 1:]
        for places, colours in ((hair, HAIR), (eyes, EYES))
    ]
    return torch.cat(parts, 1).float()
