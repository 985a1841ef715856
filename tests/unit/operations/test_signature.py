"""`mstunnel-setup self verify` with the signature of real minisign, and `self licences`."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import CheckError, UsageError
from mstunnel_setup.cli import setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.io import bundle
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.version import self_verify, signed_digests
from tests.refusals import refused
from tests.unit.results import lines_of


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A release in a directory: the program that runs, its signed sums, and the keys of two people."""
    payload = b"payload"
    program = tmp_path / "mstunnel-setup"
    program.write_bytes(
        b"digest='%s'\n__PAYLOAD__\n" % hashlib.sha256(payload).hexdigest().encode() + payload
    )
    (tmp_path / "SHA256SUMS").write_text(
        f"{hashlib.sha256(program.read_bytes()).hexdigest()}  mstunnel-setup\n"
    )
    for name in ("ours", "other"):
        minisign(tmp_path, "-G", "-W", "-p", f"{name}.pub", "-s", f"{name}.key")
    minisign(tmp_path, "-S", "-s", "ours.key", "-m", "SHA256SUMS")
    (tmp_path / "unpacked").mkdir()
    (tmp_path / "unpacked/manifest").write_text("end\n")
    monkeypatch.setattr(bundle, "one_file", lambda: str(program))
    monkeypatch.setattr(bundle, "directory", lambda: tmp_path / "unpacked")
    return tmp_path


def minisign(directory: Path, *words: str) -> None:
    subprocess.run(["minisign", *words], cwd=directory, check=True, capture_output=True, timeout=60)


def test_a_program_of_a_signed_release_is_verified(release: Path) -> None:
    found = self_verify(Files(), release / "ours.pub")
    assert found.data["signed"] is True
    assert lines_of(found)[-1] == f"The release is signed with the key in {release}/ours.pub."


def test_without_a_key_nothing_is_said_of_a_signature(release: Path) -> None:
    found = self_verify(Files())
    assert (found.data["signed"], len(lines_of(found))) == (False, 1)


def test_the_older_form_of_a_signature_counts_as_well(release: Path) -> None:
    minisign(release, "-S", "-l", "-s", "ours.key", "-m", "SHA256SUMS")
    assert signed_digests(Files(), f"{release}/SHA256SUMS", f"{release}/ours.pub")


@pytest.mark.parametrize(
    ("name", "old", "new"), [("SHA256SUMS", b"  m", b" *m"), ("SHA256SUMS.minisig", b"file:", b"file;")]
)
def test_sums_or_a_comment_that_were_changed_since_are_refused(
    release: Path, name: str, old: bytes, new: bytes
) -> None:
    file = release / name
    assert old in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(old, new))
    with pytest.raises(CheckError, match=r"was not signed with the key in .*, or was changed since"):
        self_verify(Files(), release / "ours.pub")


def test_the_key_of_another_is_refused(release: Path) -> None:
    with refused(CheckError, "signature-wrong"):
        self_verify(Files(), release / "other.pub")


def test_a_program_of_another_release_is_refused(release: Path) -> None:
    (release / "SHA256SUMS").write_text(f"{'0' * 64}  mstunnel-setup\n")
    minisign(release, "-S", "-s", "ours.key", "-m", "SHA256SUMS")
    with refused(CheckError, "program-not-listed"):
        self_verify(Files(), release / "ours.pub")


@pytest.mark.parametrize("name", ["SHA256SUMS", "SHA256SUMS.minisig", "ours.pub"])
def test_a_file_that_is_not_there_is_named(release: Path, name: str) -> None:
    (release / name).unlink()
    with pytest.raises(UsageError, match=f"there is no file {release}/{name}$") as refused:
        self_verify(Files(), release / "ours.pub")
    assert refused.value.code == "signature-missing"


@pytest.mark.parametrize("name", ["SHA256SUMS.minisig", "ours.pub"])
@pytest.mark.parametrize(
    "content", [b"", b"one line", b"comment\nno base64!\n", b"comment\nAAAA\ncomment\nAAAA\n"]
)
def test_what_minisign_did_not_write_is_refused(release: Path, name: str, content: bytes) -> None:
    (release / name).write_bytes(content)
    with pytest.raises((UsageError, CheckError)) as refused:
        self_verify(Files(), release / "ours.pub")
    assert refused.value.code in {"signature-unreadable", "signature-wrong"}


@pytest.mark.parametrize("word", ["licences", "licenses"])
def test_the_notices_are_shown_in_either_spelling(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "licenses").write_text("libc6 (Debian)\n\nGNU LESSER GENERAL PUBLIC LICENSE\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    assert run_app(setup.app, "mstunnel-setup", ("self", word)) == 0
    assert "libc6 (Debian)\n\nGNU LESSER GENERAL PUBLIC LICENSE\n" in capsys.readouterr().out
