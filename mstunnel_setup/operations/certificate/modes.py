"""Who may read and change what lies below `private`: judged by `cert check`, put right by `cert repair`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from mstunnel_setup.base import paths
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.errors import KEY_MODE
from mstunnel_setup.io.files import Files, FileState
from mstunnel_setup.io.safe_paths import Kind
from mstunnel_setup.operations.certificate.findings import CHAIN_MODE, KEY_OWNER

_BY_OTHERS = 0o077
_INTO_BY_OTHERS = _BY_OTHERS & ~paths.PRIVATE_MODE
_WRITABLE_BY_OTHERS = 0o022


@dataclass(frozen=True)
class _Place:
    """A directory or file, the mode it is made with, and the bits that it must not have."""

    path: str
    kind: Kind
    mode: int
    refused: int = _BY_OTHERS


def mode_findings(files: Files) -> Iterator[Problem]:
    """What others may read or change, or own; the target of a link is the administrator's."""
    for place, state in _present(files):
        if state.mode & place.refused:
            finding = CHAIN_MODE if place.refused == _WRITABLE_BY_OTHERS else KEY_MODE
            yield finding(path=place.path, mode=state.mode, wanted=place.mode)
        if _is_foreign(state):
            yield KEY_OWNER(path=place.path, uid=state.uid)


def mend_modes(files: Files) -> None:
    """Take the rights of others away; the content stays."""
    if any(_is_foreign(state) for _, state in _present(files)):
        files.give(paths.PRIVATE, os.geteuid(), os.getegid())
    for place, state in _present(files):
        if not state.mode & place.refused:
            continue
        if place.kind == "directory":
            files.make_directory(place.path, place.mode)
        else:
            files.write(place.path, files.read(place.path) or b"", place.mode)


def _present(files: Files) -> Iterator[tuple[_Place, FileState]]:
    for place in _places(files):
        state = files.state(place.path)
        if state is not None and state.kind == place.kind:
            yield place, state


def _places(files: Files) -> Iterator[_Place]:
    """From above to below: what is in a directory can be put right once the directory is."""
    yield _directory(paths.PRIVATE)
    yield _Place(paths.SITE_KEY, "file", 0o600)
    yield _Place(paths.SITE_PFX, "file", 0o600)
    yield _directory(paths.GENERATIONS)
    for name in files.names(paths.GENERATIONS):
        directory = generations.directory(name)
        yield _directory(directory)
        yield _Place(f"{directory}/key.pem", "file", 0o600)
        yield _Place(f"{directory}/chain.pem", "file", 0o644, _WRITABLE_BY_OTHERS)
        yield _Place(f"{directory}/root.pem", "file", 0o644, _WRITABLE_BY_OTHERS)


def _directory(path: str) -> _Place:
    return _Place(path, "directory", paths.PRIVATE_MODE, _INTO_BY_OTHERS)


def _is_foreign(state: FileState) -> bool:
    return state.uid not in (0, os.geteuid())
