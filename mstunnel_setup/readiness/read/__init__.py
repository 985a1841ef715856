"""Readers: each finds out one section of the facts through the ports and decides nothing."""

from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files


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
