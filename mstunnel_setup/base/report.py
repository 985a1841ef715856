"""What a command found or did, as a value of its own type: its JSON data and its schema are made from it."""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Moment: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time in ISO 8601."""
Day: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date"})]
"""A date in ISO 8601."""


class Report(BaseModel):
    """The data of one command, or a part of it.

    The docstring of the whole and the descriptions of the fields go into docs/reference/schemas. A field with
    a default is left out where it is not given.
    """

    model_config = ConfigDict(frozen=True)

    @property
    def data(self) -> dict[str, Any]:
        """As JSON data."""
        left_out = set(type(self).model_fields) - self.model_fields_set
        return self.model_dump(mode="json", by_alias=True, exclude=left_out)
