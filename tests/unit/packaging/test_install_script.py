"""`install.sh` of a release: downloads for this machine, checks, and runs nothing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from scripts.bundle import debian, dist
from scripts.release import sums

PROGRAM = "#!/bin/sh\ntouch ran\n"
IMAGES = f"mstunnel-images-{__version__}-{debian.here().debian}.tar"
SBOM = f"mstunnel-setup-{__version__}-{debian.here().debian}.cdx.json"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of a project with a release; the folder of its files is returned."""
    folder = tmp_path / f"project/releases/download/v{__version__}"
    folder.mkdir(parents=True)
    (folder / dist.release_file(debian.here()).name).write_text(PROGRAM)
    (folder / IMAGES).write_text("images")
    (folder / SBOM).write_text("{}")
    for name in ("ours", "other"):
        keys = ("-p", str(tmp_path / f"{name}.pub"), "-s", str(tmp_path / f"{name}.key"))
        subprocess.run(["minisign", "-G", "-W", *keys], check=True, capture_output=True, timeout=60)
    monkeypatch.setenv("HOMEPAGE", f"file://{tmp_path}/project")
    monkeypatch.setenv("PUBLIC_KEY", (tmp_path / "ours.pub").read_text().splitlines()[1])
    publish(folder, tmp_path / "ours.key")
    return folder


def publish(folder: Path, key: Path) -> None:
    """Checksums of what is there, and a signature over them."""
    sums.finish(folder, "1767225600")
    command = ["minisign", "-S", "-s", str(key), "-m", "SHA256SUMS"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


def installed(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the release in an empty directory."""
    directory = tmp_path / "server"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (tmp_path / "install.sh").write_text(dist.installer())
    command = ["sh", str(tmp_path / "install.sh"), *arguments]
    given = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=directory, env=given, capture_output=True, text=True, check=False, timeout=60
    )


def files(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "server").iterdir()}


def without(tmp_path: Path, *programs: str) -> str:
    """A search path that lacks some programs."""
    directory = tmp_path / "path"
    directory.mkdir()
    for name in (
        "cat",
        "chmod",
        "curl",
        "find",
        "grep",
        "id",
        "mktemp",
        "mv",
        "rm",
        "sh",
        "sha256sum",
        "tail",
        "uname",
    ):
        found = shutil.which(name)
        if found and name not in programs:
            (directory / name).symlink_to(found)
    return str(directory)


def test_a_signed_release_is_downloaded_and_not_run(page: Path, tmp_path: Path) -> None:
    done = installed(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "verified against the signature with the key RW" in done.stdout
    assert "sudo ./mstunnel-setup" in done.stdout
    assert files(tmp_path) == {"mstunnel-setup"}
    program = tmp_path / "server/mstunnel-setup"
    assert (program.read_text(), os.access(program, os.X_OK)) == (PROGRAM, True)


def test_the_images_come_along_if_wanted(page: Path, tmp_path: Path) -> None:
    assert installed(tmp_path, "--images").returncode == 0
    assert files(tmp_path) == {"mstunnel-setup", IMAGES}


@pytest.mark.parametrize("changed", [dist.release_file(debian.here()).name, IMAGES, "SHA256SUMS"])
def test_nothing_is_left_of_a_release_that_was_changed(changed: str, page: Path, tmp_path: Path) -> None:
    with (page / changed).open("a") as file:
        file.write("changed")
    done = installed(tmp_path, "--images")
    assert done.returncode == 1
    assert (
        "is not signed" in done.stderr if changed == "SHA256SUMS" else "has a wrong checksum" in done.stderr
    )
    assert files(tmp_path) == set()


def test_a_release_that_somebody_else_signed_is_refused(page: Path, tmp_path: Path) -> None:
    publish(page, tmp_path / "other.key")
    done = installed(tmp_path)
    assert (done.returncode, files(tmp_path)) == (1, set())
    assert "the release is not signed with the key RW" in done.stderr
    assert installed(tmp_path, "--key", str(tmp_path / "other.pub")).returncode == 0


def test_a_key_file_may_end_in_a_blank_line_and_must_have_a_key(page: Path, tmp_path: Path) -> None:
    blank, empty = tmp_path / "blank.pub", tmp_path / "empty.pub"
    for name, code in (("ours", 0), ("other", 1)):
        blank.write_text((tmp_path / f"{name}.pub").read_text() + "\n")
        assert installed(tmp_path, "--key", str(blank)).returncode == code
    for content in ("", "\n"):
        empty.write_text(content)
        without_key = installed(tmp_path, "--key", str(empty))
        assert (without_key.returncode, files(tmp_path)) == (1, set())
        assert f"{empty} has no public key" in without_key.stderr


def test_another_release_with_its_signature_is_not_this_one(page: Path, tmp_path: Path) -> None:
    (page / SBOM).rename(page / SBOM.replace(__version__, "0.0.1"))
    publish(page, tmp_path / "ours.key")
    refused = installed(tmp_path)
    assert (refused.returncode, files(tmp_path)) == (1, set())
    assert f"the checksums of the release are not those of version {__version__}" in refused.stderr


def test_without_minisign_the_checksum_is_compared(page: Path, tmp_path: Path) -> None:
    path = without(tmp_path, "minisign")
    done = installed(tmp_path, PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "verified against the checksum in the release" in done.stdout
    refused = installed(tmp_path, "--key", str(tmp_path / "ours.pub"), PATH=path)
    assert (refused.returncode, files(tmp_path)) == (1, set())
    assert "minisign is not installed" in refused.stderr


def test_a_machine_without_a_program_is_named(page: Path, tmp_path: Path) -> None:
    path = Path(without(tmp_path, "uname"))
    (path / "uname").write_text('#!/bin/sh\n[ "$1" = -s ] && echo Linux || echo riscv64\n')
    (path / "uname").chmod(0o755)
    done = installed(tmp_path, PATH=str(path))
    assert done.returncode == 1
    assert "no program for Linux on riscv64" in done.stderr


def test_it_is_read_in_a_minute_and_only_made_for_a_release(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for line in dist.installer().splitlines() if line.strip()]
    assert len(lines) < 105
    assert "sudo" not in " ".join(lines[:-1])
    monkeypatch.delenv("HOMEPAGE")
    assert dist.installer() == ""
