"""The base of all settings: typed, documented for each field, checked when made."""

from pydantic import BaseModel, ConfigDict

from animeprep.files import sha256


class Settings(BaseModel):
    """Base of all stages' settings: frozen, checked when made, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any value."""
        return sha256(self.model_dump_json().encode())[:12]
