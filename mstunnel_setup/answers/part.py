"""The base of every section of an answer file."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A section: frozen, strict about keys; a number where text is wanted is taken as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    def given(self) -> dict[str, object]:
        """The keys that were answered, with their values."""
        return {key: value for key, value in self if value is not None and key in self.model_fields_set}
