"""What all declared objects that have a file each have in common."""

from pydantic import Field

from mstunnel_setup.answers.values import Line, Part


class NamedObject(Part):
    """An object that is found again by its name."""

    name: Line = Field(description="Name in the admin center", examples=["Defender"])
