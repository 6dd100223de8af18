"""The base of all settings: typed, documented for each field, checked when made."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from animeprep.files import sha256


class Settings(BaseModel):
    """Base of all stages' settings: frozen, checked when made, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    #: Groups of fields that are ways of saying the same: at most one of each is given.
    ALTERNATIVES: ClassVar[tuple[tuple[str, ...], ...]] = ()

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        for names in self.ALTERNATIVES:
            given = [name.replace("_", "-") for name in names if name in self.model_fields_set]
            if len(given) > 1:
                raise ValueError(f"{' and '.join(given)} say the same in other ways: give one")
        return self

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any value."""
        return sha256(self.model_dump_json().encode())[:12]


def problem_of(kind: type[Settings], error: ValidationError) -> tuple[str, str]:
    """The first field that is wrong, empty where it is several, and what is wrong with it.

    >>> class Example(Settings):
    ...     size: int = 1
    >>> try:
    ...     Example(size="large")
    ... except ValidationError as error:
    ...     problem_of(Example, error)[0]
    'size'
    """
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "string_pattern_mismatch":
        meaning = (kind.model_fields[name].description or "").replace("\n", " ")
        return name, f"{first['input']!r} is not understood; it is the {meaning}"
    return name, first["msg"].removeprefix("Value error, ")
