"""Directories that Podman makes in the home of an account are removed, but no files of others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.io import podman_home
from mstunnel_setup.io.files import Files

_HOME = "/home/gateway"
_STORE = f"{_HOME}/.local/share/containers"
_OF_PODMAN = {
    **{f"storage/overlay-{name}s/{name}s.json": "[]" for name in ("image", "layer", "container")},
    "storage/overlay-images/images.lock": "",
    "storage/overlay/.has-mount-program": "true",
    "storage/defaultNetworkBackend": "netavark",
    "storage/db.sql": "SQLite",
    "cache/blob-info-cache-v1.sqlite": "SQLite",
}


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Return the files of a host with a new account."""
    places = (f"{_HOME}/.config/containers", f"{_HOME}/.cache/containers", _STORE)
    for name, value in {
        "ROOTLESS": True,
        "OF_PODMAN": places,
        "CONTAINER_STORE": _STORE,
        "STATE": f"{_HOME}/.local/state/mstunnel",
    }.items():
        monkeypatch.setattr(paths, name, value)
    monkeypatch.setattr(podman_home, "_CACHE", f"{_STORE}/cache")
    (tmp_path / "home/gateway").mkdir(parents=True)
    return Files(tmp_path)


def _called(files: Files) -> None:
    """Write the files that Podman makes at its first call."""
    files.make_directories(f"{_HOME}/.config")
    files.make_directories(f"{_HOME}/.cache/containers")
    files.write(f"{_HOME}/.cache/containers/short-name-aliases.conf.lock", b"")
    files.make_directories(f"{_STORE}/storage/volumes")
    for name, content in _OF_PODMAN.items():
        files.make_directories(f"{_STORE}/{name}".rpartition("/")[0])
        files.write(f"{_STORE}/{name}", content.encode())


def test_a_command_leaves_nothing_of_podman_in_a_new_home(account: Files) -> None:
    made = podman_home.absent(account)
    _called(account)
    podman_home.tidy(account, made)
    assert account.names(_HOME) == []


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (f"{_HOME}/.config/containers/storage.conf", ""),
        (f"{_STORE}/storage/overlay-images/images.json", '[{"id": "1"}]'),
        (f"{_STORE}/storage/overlay-images/images.json", "damaged"),
        (f"{_STORE}/storage/volumes/data/_data/file", "x"),
        (f"{_STORE}/storage/networks/mine.json", '{"name": "mine"}'),
        (f"{_STORE}/storage/secrets/filedriver/secretsdata.json", '{"a": "b"}'),
    ],
)
def test_files_of_others_are_kept(account: Files, path: str, content: str) -> None:
    made = podman_home.absent(account)
    _called(account)
    account.make_directories(path.rpartition("/")[0])
    account.write(path, content.encode())
    podman_home.tidy(account, made)
    assert account.read(path) == content.encode()


def _existing_directories(files: Files) -> None:
    files.make_directories(f"{_HOME}/.config")
    files.make_directories(f"{_HOME}/.cache/containers")
    files.write(f"{_HOME}/.cache/containers/short-name-aliases.conf.lock", b"")
    files.make_directories(f"{_STORE}/storage")


def _begun_installation(files: Files) -> None:
    files.make_directories(paths.STATE)
    files.write(f"{paths.STATE}/journal.jsonl", b"")


@pytest.mark.parametrize("earlier", [_existing_directories, _begun_installation])
def test_earlier_directories_and_an_installation_are_kept(
    account: Files, earlier: Callable[[Files], None]
) -> None:
    made = podman_home.absent(account)
    earlier(account)
    made = made if earlier is _begun_installation else podman_home.absent(account)
    _called(account)
    podman_home.tidy(account, made)
    assert {".config", ".local"} <= set(account.names(_HOME))
    assert account.read(f"{_STORE}/storage/db.sql") == b"SQLite"


def test_nothing_is_noted_for_root(account: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "ROOTLESS", False)
    assert podman_home.absent(account) == ()
