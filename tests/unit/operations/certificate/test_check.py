"""`mst-cli cert check|repair`: findings, and the repair with the same certificate unless agreed otherwise."""

import os
import shutil
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.certificates import generations
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.certificate.check import fix_permissions, mode_findings
from tests.testbed.certificates import Authority
from tests.unit.certificates.revocation_material import revocation_list
from tests.unit.operations.conftest import Server


def lose_what_is_in_use(server: Server) -> None:
    """Damage every copy of the certificate's key."""
    (server.file(paths.ACTIVE) / "key.pem").write_bytes(b"")
    server.file(paths.SITE_KEY).unlink()


def findings(server: Server) -> tuple[int, dict[str, str]]:
    code, found = server.json("cert", "check")
    return code, {item["id"]: item["message"] for item in found["data"]["findings"]}


def test_repair_leaves_an_intact_certificate_unchanged(installed: Server) -> None:
    before = installed.in_use
    code, found = installed.json("cert", "repair")
    assert (code, found["status"], installed.in_use) == (0, "unchanged", before)


def test_damaged_generation_is_restored_from_the_usual_place(installed: Server) -> None:
    before, key = installed.in_use, installed.file(paths.ACTIVE) / "key.pem"
    content = key.read_bytes()
    key.write_bytes(content[:40])
    assert installed("cert", "repair")[0] == 0
    assert (installed.in_use, key.read_bytes(), key.stat().st_mode & 0o777) == (before, content, 0o600)


def test_directory_instead_of_the_link_is_repaired(installed: Server) -> None:
    before, link = installed.in_use, installed.file(paths.ACTIVE)
    shutil.copytree(link, installed.root / "flat")
    link.unlink()
    (installed.root / "flat").rename(link)
    code, found = findings(installed)
    assert (code, "link-flattened" in found) == (ExitCode.CERTIFICATE, True)
    assert installed("cert", "repair")[0] == 0
    assert installed.in_use == before


def test_other_certificate_is_used_only_with_consent(installed: Server) -> None:
    first = installed.in_use
    assert installed("import_cert", *installed.given("next"), "--yes")[0] == 0
    second = installed.in_use
    assert first != second

    lose_what_is_in_use(installed)
    code, found = installed.json("cert", "repair")
    assert (code, found["errors"][0]["code"]) == (ExitCode.CERTIFICATE, "repair-unsure")
    assert installed.in_use == second

    assert installed("cert", "repair", "--yes")[0] == 0
    assert installed.in_use == first


def test_repair_without_an_intact_copy_is_refused(installed: Server) -> None:
    before = installed.in_use
    lose_what_is_in_use(installed)
    code, found = installed.json("cert", "repair", "--yes")
    assert (code, found["errors"][0]["code"]) == (ExitCode.CERTIFICATE, "repair-impossible")
    assert installed.in_use == before


_DIRECTORY = generations.directory("one")
_FILES = {
    paths.SITE_KEY: 0o600,
    paths.SITE_PFX: 0o600,
    f"{_DIRECTORY}/key.pem": 0o600,
    f"{_DIRECTORY}/chain.pem": 0o644,
    f"{_DIRECTORY}/root.pem": 0o644,
}


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
def test_too_open_mode_is_found_and_fixed(files: Files, path: str, mode: int, found: str) -> None:
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
def test_foreign_owner_is_found_and_fixed(files: Files, path: str) -> None:
    os.chown(files.locate(path), 12345, 0)
    (finding,) = mode_findings(files)
    assert (finding.code, "12345" in finding.message) == ("key-owner", True)
    fix_permissions(files)
    assert ids(files) == []


def test_stricter_mode_is_accepted(files: Files) -> None:
    files.locate(paths.SITE_KEY).chmod(0o400)
    files.locate(f"{_DIRECTORY}/chain.pem").chmod(0o600)
    assert ids(files) == []


def test_target_of_a_link_is_not_checked(files: Files) -> None:
    files.remove(paths.SITE_KEY)
    elsewhere = files.locate("/live.key")
    elsewhere.write_bytes(b"")
    elsewhere.chmod(0o644)
    files.locate(paths.SITE_KEY).symlink_to(elsewhere)
    assert ids(files) == []


def test_outdated_or_foreign_revocation_list_is_an_error(installed: Server) -> None:
    authority = Authority()
    installed.file(DEVICE_AUTHORITY).write_bytes(authority.pem)
    listed = installed.file(DEVICE_REVOCATIONS)
    listed.write_bytes(authority.revocation_list())
    assert "devices-not-checked" not in findings(installed)[1]
    listed.write_bytes(revocation_list())
    code, found = findings(installed)
    assert code == ExitCode.CERTIFICATE
    assert "not one of the CAs" in found["devices-not-checked"]
    assert "out of date" in found["devices-not-checked"]
