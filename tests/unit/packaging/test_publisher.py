"""Who publishes a release: one file says it, and a release is refused until it does."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from scripts import ROOT
from scripts.bundle import dist
from scripts.release import publisher, sums

GIVEN = {"HOMEPAGE": "https://git.example.net/gateway", "MAINTAINER": "Releases <releases@example.net>"}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A pair of keys of minisign, `ours`, and another one."""
    for name in ("ours", "other"):
        files = ("-p", str(tmp_path / f"{name}.pub"), "-s", str(tmp_path / f"{name}.key"))
        subprocess.run(["minisign", "-G", "-W", *files], check=True, capture_output=True, timeout=60)
    return tmp_path


@pytest.fixture
def known(keys: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The publisher is known, and has `ours`."""
    for name, value in {**GIVEN, "PUBLIC_KEY": (keys / "ours.pub").read_text().splitlines()[1]}.items():
        monkeypatch.setenv(name, value)
    for page in publisher.READMES:
        shutil.copy(ROOT / page, keys)
    monkeypatch.chdir(keys)
    publisher.main("--fill")
    return keys


def signed(directory: Path, key: Path) -> Path:
    """The checksums of a release with its install.sh, signed."""
    made = directory / "dist"
    made.mkdir()
    (made / "install.sh").write_text(dist.installer())
    sums.finish(made, "1767225600")
    listed = made / "SHA256SUMS"
    command = ["minisign", "-S", "-s", str(key), "-m", str(listed)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return listed


def test_the_repository_invents_no_publisher() -> None:
    assert publisher.publisher() == dict.fromkeys(("homepage", "maintainer", "public_key"), "")
    with pytest.raises(SystemExit, match="homepage is not set\n  maintainer is not set\n  public_key is not"):
        publisher.main()
    assert dist.installer() == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("homepage", "git.example.net"),
        ("maintainer", "Releases"),
        ("public_key", "untrusted comment: minisign public key"),
        ("public_key", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO"),
    ],
)
def test_a_wrong_form_is_named(name: str, value: str, known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name.upper(), value)
    with pytest.raises(SystemExit, match=f"{name}: '"):
        publisher.main()


def test_a_release_that_the_publisher_signed_is_accepted(known: Path) -> None:
    sums = signed(known, known / "ours.key")
    publisher.main(str(sums))
    installer = (sums.parent / "install.sh").read_text()
    assert f"from='https://git.example.net/gateway/releases/download/v{__version__}'" in installer


def test_another_key_is_refused(known: Path) -> None:
    with pytest.raises(SystemExit, match="signed with another key"):
        publisher.main(str(signed(known, known / "other.key")))


def test_an_installer_without_the_key_is_refused(known: Path) -> None:
    sums = signed(known, known / "ours.key")
    (sums.parent / "install.sh").write_text("key=''\n")
    with pytest.raises(SystemExit, match="lacks the publisher's key"):
        publisher.main(str(sums))


@pytest.mark.parametrize("name", publisher.READMES, ids=str)
def test_readme_without_an_address_of_the_installer_is_refused(known: Path, name: Path) -> None:
    line = "curl -fLO {}/releases/latest/download/install.sh\nless install.sh\n"
    assert line.format(GIVEN["HOMEPAGE"]) in name.read_text()
    shutil.copy(ROOT / name, known)
    assert line.format("HOMEPAGE") in name.read_text()
    with pytest.raises(
        SystemExit, match=rf"--fill` and commit:\n  {name} fetches install.sh from \['HOMEPAGE"
    ):
        publisher.main()
