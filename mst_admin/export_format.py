"""The formats of an export."""

from enum import StrEnum


class Format(StrEnum):
    """Declarations for `mst-admin apply`, or what another tool reads."""

    YAML = "yaml"
    M365DSC = "m365dsc"
    TERRAFORM = "terraform"
