"""What the account of a rootless gateway can have root read: /etc/mstunnel is its own."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mstunnel_setup.answers.load import AnswersError
from mstunnel_setup.base import paths
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.install.rootless import answers_of_account
from mstunnel_setup.install.steps import proxy
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from tests.attack.record import record
from tests.unit.install.scenes import Scene

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
    assert "hash" not in f"{caught.value.message!s} {caught.value.hint!s}"
    record("local user", "have root read its file through a link in place of env.sh", "file-irregular")


def test_the_account_sets_no_proxy_for_all_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither through what it sends to root's part, nor through `env.sh`, which is its own."""
    with pytest.raises(AnswersError):
        answers_of_account(b'{"environment": {"https_proxy": "http://evil.example:3128"}}')
    monkeypatch.setattr(paths, "ROOTLESS", False)
    monkeypatch.setattr(os, "environ", {})
    scene = Scene(tmp_path)
    scene.write(paths.ENVIRONMENT, "https_proxy=http://evil.example:3128\n")
    run = scene.opened(mode="rootless")
    run = replace(run, host=replace(run.host, scope=Scope.HOST))
    assert scene.run(proxy.SYSTEM, run) == ()
    assert scene.files.read(proxy.PROFILE) is None
    record(
        "local user",
        "set the proxy of all users through root's part (standard input, env.sh)",
        "answers-invalid; env.sh is not read",
    )
