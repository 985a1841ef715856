"""`mst-cli backup`: what is written can be restored, whatever happens meanwhile."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.certificates.load import load_identity
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.backup import LARGEST, backup, unpack
from tests.refusals import refused
from tests.unit.operations.conftest import Command
from tests.unit.operators import operator_of


@pytest.fixture
def private() -> Iterator[Path]:
    """A directory whose parents no other user can change: elsewhere no backup is written."""
    with tempfile.TemporaryDirectory(dir=pwd.getpwuid(os.geteuid()).pw_dir) as directory:
        yield Path(directory)


def test_chain_and_key_are_of_one_certificate(
    installed: Command, tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    link = root / paths.ACTIVE.lstrip("/")
    earlier = link.readlink()
    (tmp_path / "chain.pem").write_bytes(
        (tmp_path / "next.pem").read_bytes() + (tmp_path / "ca.pem").read_bytes()
    )
    given = ("--cert", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "next.key"))
    assert installed("import_cert", *given)[0] == 0
    read = Files.read

    def read_and_renew(self: Files, path: str) -> bytes | None:
        content = read(self, path)
        if path.endswith("/chain.pem"):
            link.unlink()
            link.symlink_to(earlier)
        return content

    monkeypatch.setattr(Files, "read", read_and_renew)
    backup(operator_of(root), private / "backup.tar.gz")

    _manifest, files = unpack((private / "backup.tar.gz").read_bytes())
    load_identity(files[paths.SITE_CERTIFICATE], files[paths.SITE_KEY])


@pytest.mark.usefixtures("installed")
def test_what_could_not_be_restored_is_not_written(tmp_path: Path, private: Path) -> None:
    authority = tmp_path / "root" / DEVICE_AUTHORITY.lstrip("/")
    authority.write_bytes(os.urandom(LARGEST))
    with refused(StepError, "backup-too-large") as caught:
        backup(operator_of(tmp_path / "root"), private / "backup.tar.gz")
    assert DEVICE_AUTHORITY in caught.value.message
    assert not (private / "backup.tar.gz").exists()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("content", [os.urandom(LARGEST), b"x" * (LARGEST + 1)], ids=["packed", "alone"])
def test_a_revocation_list_that_is_too_long_is_left_out(
    tmp_path: Path, private: Path, content: bytes
) -> None:
    revocations = tmp_path / "root" / DEVICE_REVOCATIONS.lstrip("/")
    revocations.write_bytes(content)
    result = backup(operator_of(tmp_path / "root"), private / "backup.tar.gz")
    _manifest, files = unpack((private / "backup.tar.gz").read_bytes())
    assert DEVICE_REVOCATIONS not in files
    assert {paths.SITE_CERTIFICATE, paths.SITE_KEY} <= set(files)
    (notice,) = (each for each in result.warnings if each.code == "backup-without-list")
    assert f"{DEVICE_REVOCATIONS}, which has {len(content)} bytes" in notice.message
    revocations.write_bytes(b"short")
    complete = backup(operator_of(tmp_path / "root"), private / "next.tar.gz")
    assert [each.code for each in complete.warnings] == ["backup-holds-key"]
