"""Who may read keys: `cert check` sees every way to get at them, `cert repair` closes it."""

import os
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.certificates import generations
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.certificate.check import fix_permissions, mode_findings

_DIRECTORY = generations.directory("one")
_FILES = {
    paths.SITE_KEY: 0o600,
    paths.SITE_PFX: 0o600,
    f"{_DIRECTORY}/key.pem": 0o600,
    f"{_DIRECTORY}/chain.pem": 0o644,
    f"{_DIRECTORY}/root.pem": 0o644,
}


class _Ports:
    def __init__(self, files: Files) -> None:
        self.files = files
        self.state_directory = paths.STATE


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    found.make_directories(paths.CONFIGURATION)
    for directory in (paths.PRIVATE, paths.GENERATIONS, _DIRECTORY):
        found.make_directory(directory, 0o710)
    for path, mode in _FILES.items():
        found.write(path, path.encode(), mode)
    return found


def ids(files: Files) -> list[str]:
    return [finding.code for finding in mode_findings(files)]


@pytest.mark.parametrize(
    ("path", "mode", "found"),
    [
        (paths.PRIVATE, 0o755, "key-mode"),
        (paths.PRIVATE, 0o711, "key-mode"),
        (paths.GENERATIONS, 0o755, "key-mode"),
        (_DIRECTORY, 0o755, "key-mode"),
        (paths.SITE_KEY, 0o644, "key-mode"),
        (paths.SITE_PFX, 0o640, "key-mode"),
        (f"{_DIRECTORY}/key.pem", 0o644, "key-mode"),
        (f"{_DIRECTORY}/chain.pem", 0o666, "chain-mode"),
        (f"{_DIRECTORY}/root.pem", 0o664, "chain-mode"),
    ],
)
def test_a_mode_that_is_too_open_is_found_and_fixed(files: Files, path: str, mode: int, found: str) -> None:
    assert ids(files) == []
    files.locate(path).chmod(mode)
    (finding,) = mode_findings(files)
    assert finding.code == found
    assert f"{path} has mode {mode:04o}, not" in finding.message
    fix_permissions(files)
    assert ids(files) == []
    assert all(files.read(name) == name.encode() for name in _FILES), "no content is lost"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("path", [paths.PRIVATE, _DIRECTORY, paths.SITE_KEY, f"{_DIRECTORY}/key.pem"])
def test_a_foreign_owner_is_found_and_fixed(files: Files, path: str) -> None:
    os.chown(files.locate(path), 12345, 0)
    (finding,) = mode_findings(files)
    assert (finding.code, "12345" in finding.message) == ("key-owner", True)
    fix_permissions(files)
    assert ids(files) == []


def test_a_narrower_mode_is_fine(files: Files) -> None:
    files.locate(paths.SITE_KEY).chmod(0o400)
    files.locate(f"{_DIRECTORY}/chain.pem").chmod(0o600)
    assert ids(files) == []


def test_where_a_link_leads_is_not_judged(files: Files) -> None:
    files.remove(paths.SITE_KEY)
    elsewhere = files.locate("/live.key")
    elsewhere.write_bytes(b"")
    elsewhere.chmod(0o644)
    files.locate(paths.SITE_KEY).symlink_to(elsewhere)
    assert ids(files) == []
