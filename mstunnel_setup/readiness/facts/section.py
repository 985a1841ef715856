"""Sections of the facts: their base class, the planned gateway, and functions to read files."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

EngineName: TypeAlias = Literal["podman", "docker"]


class Section(BaseModel):
    """A group of facts."""

    # Schemas are built on first use: an installation uses few of them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Settings(Section):
    """The planned gateway. `devices` is the expected number, `port` serves TCP and UDP.

    `bridge` is the future range of the engine's bridge, empty to keep the present one.
    """

    mode: Literal["rootful", "rootless"] = "rootful"
    engine: Literal["auto", "podman", "docker"] = "auto"
    cloud: str = "public"
    port: int = 443
    devices: int = 1000
    account: str = "mstunnel"
    bridge: str = ""


def text_of(files: Files, path: str) -> str:
    """Return the text at `path`; empty if there is none or it is not readable for this user."""
    try:
        content = files.read(path)
    except FileError:
        return ""
    return (content or b"").decode("utf-8", errors="replace")


def texts_below(files: Files, directories: tuple[str, ...], ending: str) -> dict[str, str]:
    """Return the texts of all files with this ending, by path, in the order in which they apply.

    The order is systemd's: by name across directories; of two files with the same name the one in the first
    directory counts.
    """
    chosen: dict[str, str] = {}
    for directory in directories:
        for name in files.names(directory):
            if name.endswith(ending):
                chosen.setdefault(name, f"{directory}/{name}")
    return {chosen[name]: text_of(files, chosen[name]) for name in sorted(chosen)}
