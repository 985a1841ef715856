"""What the account of a rootless gateway can have root read: /etc/mstunnel is its own."""

import os
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from tests.attack.record import record

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")

UID = 65534


def test_root_follows_no_link_of_the_account_to_its_settings(tmp_path: Path) -> None:
    treasure, settings = tmp_path / "treasure", tmp_path / "etc/mstunnel"
    treasure.write_text("root:$y$hash\n")
    treasure.chmod(0o600)
    settings.mkdir(parents=True)
    (settings / "env.sh").symlink_to(treasure)
    os.chown(settings, UID, UID)
    os.chown(settings / "env.sh", UID, UID, follow_symlinks=False)
    with pytest.raises(FileError) as caught:
        Files(tmp_path).read(paths.ENVIRONMENT)
    assert caught.value.code == "file-irregular"
    assert "hash" not in f"{caught.value.message} {caught.value.hint}"
    record("local user", "have root read its file through a link in place of env.sh", "file-irregular")
