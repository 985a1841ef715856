"""Directories that Podman makes in the home of an account at its first call, removed if they are unused.

Every command may be the first one that calls Podman. It removes them at its end, unless an installation has
begun: the journal of an installation lists them, and the uninstallation removes them.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.systemd import Systemd

# Podman's own files where nothing is stored: its database, the backend it has chosen, locks, and empty lists.
_OWN_FILES = frozenset({"db.sql", "db.sql-journal", "bolt_state.db", "defaultNetworkBackend"})
_OWN_SUFFIXES = (".lock", ".has-mount-program")
_SERVICE = "podman.service"
# Podman caches facts about registries here.
_CACHE = f"{paths.CONTAINER_STORE}/cache"


def absent(files: Files) -> Sequence[str]:
    """Return the directories that Podman would make for the account of this process, topmost first."""
    if not paths.ROOTLESS:
        return ()
    return tuple(dict.fromkeys(directory for place in paths.OF_PODMAN for directory in files.missing(place)))


def tidy(files: Files, made: Sequence[str], systemd: Systemd | None = None) -> None:
    """Remove the directories that this command made, unless the journal of an installation lists them.

    Podman's service writes to the store again when it ends, so it must have ended. A service that `systemd`
    manages is stopped.
    """
    if not made or files.state(f"{paths.STATE}/journal.jsonl") is not None:
        return
    with suppress(SetupError):
        if systemd is not None and paths.CONTAINER_STORE in made and systemd.active(_SERVICE):
            systemd.stop(_SERVICE)
        for place in paths.OF_PODMAN:
            if place in made and not any(_used(files, place)):
                files.remove_tree(place)
        for directory in reversed(made):
            files.remove_directory(directory)


def _used(files: Files, directory: str) -> Iterator[str]:
    """Yield all files except those that Podman keeps where no images, volumes or settings are stored."""
    for name in files.names(directory):
        path = f"{directory}/{name}"
        state = files.state(path)
        if state is not None and state.kind == "directory":
            yield from () if path == _CACHE else _used(files, path)
        elif name not in _OWN_FILES and not name.endswith(_OWN_SUFFIXES) and not _is_empty_list(files, path):
            yield path


def _is_empty_list(files: Files, path: str) -> bool:
    try:
        return path.endswith(".json") and not json_value(files.read(path) or b"")
    except ValueError:
        return False
