"""`mstunnel-setup self update`: installs the program of a signed feed, and can roll back."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.result import Result
from mstunnel_setup.exchange import release_feed as feed
from mstunnel_setup.exchange.release_feed import PROGRAM_TARGETS
from mstunnel_setup.install.installed import PROGRAM_UPDATES
from mstunnel_setup.io import bundle
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.self_update import install_program, self_update
from tests.unit.exchange.publisher import Publisher, release, served
from tests.unit.install.scenes import Scene
from tests.unit.operators import operator_of
from tests.unit.schemas import validate

Offer: TypeAlias = Callable[..., Path]
INSTALLED = "/usr/sbin/mstunnel-setup"
NAME = PROGRAM_TARGETS[os.uname().machine]
# Like the real program it installs itself below its own root and prints its version.
PROGRAM = """#!/bin/sh
[ "$1" = --version ] && echo mstunnel-setup {version} && exit
[ "$1 $2" = "self install" ] || exit 9
{act}
cp "$0" "${{0%/var/lib/*}}/usr/sbin/mstunnel-setup"
"""


def program(version: str, act: str = ":") -> str:
    return PROGRAM.format(version=version, act=act)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "publisher")


@pytest.fixture
def host(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """Return a server that follows the feed, with this version installed as one file."""
    (tmp_path / "host").mkdir()
    scene = Scene(tmp_path / "host")
    for directory in ("/etc/mstunnel-setup", "/run", "/usr/sbin", paths.STATE):
        scene.files.make_directories(directory)
    scene.remember("answers", {})
    scene.files.write(INSTALLED, program(__version__).encode(), 0o755)
    monkeypatch.setattr(bundle, "one_file", lambda: str(scene.files.locate(INSTALLED)))
    publisher.publish(release(1))
    with served(publisher) as url:
        scene.files.write(feed.SETTINGS, f'url = "{url}"\n'.encode())
        scene.files.write(feed.ROOT, publisher.root)
        yield scene.files


@pytest.fixture
def offer(publisher: Publisher, tmp_path: Path) -> Offer:
    """Return a function that publishes a program of a version and returns the served file."""

    def publish(version: str, act: str = ":") -> Path:
        file = tmp_path / "program"
        file.write_text(program(version, act))
        publisher.publish(release(1), programs={NAME: (file, version)})
        (found,) = publisher.directory.glob(f"targets/*.{NAME}")
        return found

    return publish


def update(host: Files, *, check: bool = False, rollback: bool = False) -> Result:
    found = self_update(operator_of(host.root), check=check, rollback=rollback)
    envelope = {"schema": "mstunnel/1", "command": "mstunnel-setup self update", "status": found.status}
    validate({**envelope, "data": found.data, "warnings": [], "errors": []})
    return found


def refusal(host: Files, *, rollback: bool = False) -> SetupError:
    """Return the error of an update that must not change the installed program."""
    before = host.read(INSTALLED)
    with pytest.raises(SetupError) as caught:
        update(host, rollback=rollback)
    assert host.read(INSTALLED) == before
    assert "new" not in host.names(PROGRAM_UPDATES)
    return caught.value


def test_newer_program_is_installed_and_can_be_rolled_back(host: Files, offer: Offer) -> None:
    earlier, newer = host.read(INSTALLED), program("99.1")
    offer("99.1")
    versions = {"before": __version__, "offered": "99.1"}
    assert update(host, check=True).data == {**versions, "installed": __version__}
    assert host.read(INSTALLED) == earlier
    assert update(host).data == {**versions, "installed": "99.1"}
    assert host.read(INSTALLED) == newer.encode()
    assert host.names(PROGRAM_UPDATES) == ["previous"]
    assert update(host, rollback=True).data["installed"] == __version__
    assert host.read(INSTALLED) == earlier
    assert refusal(host, rollback=True).code == "program-previous-missing"


def test_check_is_ok_and_update_and_rollback_are_changes(host: Files, offer: Offer) -> None:
    offer("99.1")
    found = [update(host, check=True), update(host), update(host, rollback=True)]
    assert [result.status for result in found] == ["ok", "changed", "changed"]


def test_installing_the_installed_program_changes_nothing(host: Files) -> None:
    found = [install_program(operator_of(host.root), older=False) for _ in range(2)]
    assert [result.status for result in found] == ["changed", "unchanged"]


@pytest.mark.parametrize("version", [__version__, "0.0.9"])
def test_same_or_older_version_is_not_installed(host: Files, offer: Offer, version: str) -> None:
    offer(version)
    assert update(host).status == "unchanged"


def test_feed_without_a_program_is_reported(host: Files) -> None:
    assert refusal(host).code == "program-not-offered"


def test_feed_keeps_the_program_when_releases_change(host: Files, publisher: Publisher, offer: Offer) -> None:
    offer("99.1")
    publisher.publish(release(1), release(2))
    assert update(host).data["installed"] == "99.1"


@pytest.mark.parametrize(
    "changed", [program("99.1", "rm -rf /important"), program("99.1")[:-9], program("99.1") + "#" * 99]
)
def test_file_with_a_wrong_digest_is_refused(host: Files, offer: Offer, changed: str) -> None:
    offer("99.1").write_text(changed)
    assert refusal(host).code in {"program-refused", "answer-too-large"}


def test_program_missing_on_the_feed_server_is_named(host: Files, offer: Offer) -> None:
    offer("99.1").unlink()
    assert refusal(host).code == "program-unavailable"


def test_failed_self_installation_keeps_the_earlier_program(host: Files, offer: Offer) -> None:
    offer("99.1", "echo 'error: the disk is full' >&2; exit 7")
    found = refusal(host)
    assert found.code == "program-not-installed"
    assert "the disk is full" in found.message


def test_updates_exclude_each_other(host: Files, offer: Offer) -> None:
    free = f'flock --nonblock "${{0%/var/lib/*}}{paths.FEED_LOCK}" true && exit 8'
    offer("99.1", free)
    assert update(host).data["installed"] == "99.1"


def test_package_is_left_to_its_package_manager(host: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "one_file", lambda: None)
    assert "apt upgrade mstunnel-setup" in refusal(host).hint


def test_update_without_an_installation_is_refused(host: Files) -> None:
    host.remove_tree(paths.STATE)
    host.make_directories(paths.STATE)
    assert refusal(host).code == "not-installed"
