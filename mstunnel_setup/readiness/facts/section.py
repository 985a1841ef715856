"""Sections of the facts: their base, the planned gateway, and how files are read."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

EngineName: TypeAlias = Literal["podman", "docker"]


class Section(BaseModel):
    """A part of the facts."""

    # An installation uses few of them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Settings(Section):
    """The planned gateway. `devices` is how many are expected, `port` serves TCP and UDP.

    `bridge` is the range that the engine's bridge will move to, empty to keep it.
    """

    mode: Literal["rootful", "rootless"] = "rootful"
    engine: Literal["auto", "podman", "docker"] = "auto"
    cloud: str = "public"
    port: int = 443
    devices: int = 1000
    account: str = "mstunnel"
    bridge: str = ""


def text_of(files: Files, path: str) -> str:
    """The text at `path`; empty when there is none, or when it is not for us to read."""
    try:
        content = files.read(path)
    except FileError:
        return ""
    return (content or b"").decode("utf-8", errors="replace")


def texts_below(files: Files, directories: tuple[str, ...], ending: str) -> dict[str, str]:
    """The texts of all files with this ending in the directories, by path, in the order they are applied.

    As systemd reads them: by name across directories; of two files of one name that in the first directory.
    """
    chosen: dict[str, str] = {}
    for directory in directories:
        for name in files.names(directory):
            if name.endswith(ending):
                chosen.setdefault(name, f"{directory}/{name}")
    return {chosen[name]: text_of(files, chosen[name]) for name in sorted(chosen)}
