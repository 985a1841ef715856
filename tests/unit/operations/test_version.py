"""`mst-cli version`, and `mstunnel-setup self verify|licences` with the signature of real minisign."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli import setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.containers.release_images import ReleaseImages
from mstunnel_setup.exchange.release_catalogue import CATALOGUE, Digests, ReleaseCatalogue
from mstunnel_setup.io import bundle
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations import version
from mstunnel_setup.operations.version import self_verify, signed_digests
from tests.places import for_other_users
from tests.refusals import refused
from tests.unit.fakes import ports_of
from tests.unit.operators import operator_of
from tests.unit.results import lines_of
from tests.unit.schemas import validate


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a release in a directory: the running program, its signed sums, and two public keys."""
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


def test_program_of_a_signed_release_is_verified(release: Path) -> None:
    found = self_verify(Files(), release / "ours.pub")
    assert found.data["signed"] is True
    assert lines_of(found)[-1] == f"The release is signed with the key in {release}/ours.pub."
    without_key = self_verify(Files())
    assert (without_key.data["signed"], len(lines_of(without_key))) == (False, 1)


def test_legacy_minisign_signature_is_accepted(release: Path) -> None:
    minisign(release, "-S", "-l", "-s", "ours.key", "-m", "SHA256SUMS")
    assert signed_digests(Files(), f"{release}/SHA256SUMS", f"{release}/ours.pub")


@pytest.mark.parametrize(
    ("name", "old", "new"), [("SHA256SUMS", b"  m", b" *m"), ("SHA256SUMS.minisig", b"file:", b"file;")]
)
def test_changed_sums_or_comment_are_refused(release: Path, name: str, old: bytes, new: bytes) -> None:
    file = release / name
    assert old in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(old, new))
    with pytest.raises(CheckError, match=r"was not signed with the key in .*, or was changed since"):
        self_verify(Files(), release / "ours.pub")


def test_other_key_or_program_of_other_release_is_refused(release: Path) -> None:
    with refused(CheckError, "signature-wrong"):
        self_verify(Files(), release / "other.pub")
    (release / "SHA256SUMS").write_text(f"{'0' * 64}  mstunnel-setup\n")
    minisign(release, "-S", "-s", "ours.key", "-m", "SHA256SUMS")
    with refused(CheckError, "program-not-listed"):
        self_verify(Files(), release / "ours.pub")


@pytest.mark.parametrize("name", ["SHA256SUMS", "SHA256SUMS.minisig", "ours.pub"])
def test_missing_file_is_named(release: Path, name: str) -> None:
    (release / name).unlink()
    with pytest.raises(UsageError, match=f"there is no file {release}/{name}$") as refused:
        self_verify(Files(), release / "ours.pub")
    assert refused.value.code == "signature-missing"


@pytest.mark.parametrize("name", ["SHA256SUMS.minisig", "ours.pub"])
@pytest.mark.parametrize(
    "content", [b"", b"one line", b"comment\nno base64!\n", b"comment\nAAAA\ncomment\nAAAA\n"]
)
def test_file_that_is_not_from_minisign_is_refused(release: Path, name: str, content: bytes) -> None:
    (release / name).write_bytes(content)
    with pytest.raises((UsageError, CheckError)) as refused:
        self_verify(Files(), release / "ours.pub")
    assert refused.value.code in {"signature-unreadable", "signature-wrong"}


@pytest.mark.parametrize("word", ["licences", "licenses"])
def test_licences_are_shown_in_either_spelling(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "licenses").write_text("libc6 (Debian)\n\nGNU LESSER GENERAL PUBLIC LICENSE\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    assert run_app(setup.app, "mstunnel-setup", ("self", word)) == 0
    assert "libc6 (Debian)\n\nGNU LESSER GENERAL PUBLIC LICENSE\n" in capsys.readouterr().out


_NOBODY = 65534


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs the command for the host below a directory."""

    def show(root: Path = tmp_path, *, verbose: bool = False) -> Result:
        monkeypatch.setattr(version, "open_host", lambda _operator: nullcontext(ports_of(root)))
        return version.version(operator_of(Path("/nowhere")), verbose=verbose)

    return show


def test_missing_parts_are_shown_as_none(
    shown: Callable[..., Result],
) -> None:
    found = shown()
    assert found.data["images"] == {"server": None, "agent": None}
    assert lines_of(found)[1:] == ["Engine   none", "Release  none", "server   none", "agent    none"]


def test_version_names_the_engine(shown: Callable[..., Result]) -> None:
    found = shown(Path("/"))
    assert found.data["engine_name"] == "podman"
    assert lines_of(found)[1] == f"Engine   Podman {found.data['engine']}"


@pytest.mark.parametrize(
    ("listed", "label"),
    [
        ('label = "20261101.1"\npublished = 2026-11-01\n', "20261101.1"),
        ("published = 2025-07-01\n", "2025-07-01"),
        (None, None),
        ("no list", None),
    ],
)
def test_version_names_the_release_of_the_images(
    listed: str | None, label: str | None, tmp_path: Path, shown: Callable[..., Result]
) -> None:
    files = Files(tmp_path)
    for directory in (paths.CONFIGURATION, str(Path(CATALOGUE).parent)):
        files.make_directories(directory)
    server, agent = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
    configured = {"serverImageDigest": server, "agentImageDigest": agent}
    files.write(paths.IMAGES_CONFIGURED, json.dumps(configured).encode())
    if listed is not None:
        files.write(CATALOGUE, f'[[release]]\n{listed}server = "{server}"\nagent = "{agent}"\n'.encode())
    found = shown()
    assert found.data["release"] == label
    assert lines_of(found)[2] == f"Release  {label or 'not known'}"


def test_built_in_images_are_named_after_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ReleaseImages(f"sha256:{'a' * 64}", f"sha256:{'b' * 64}", "images.tar", "")
    monkeypatch.setattr(version, "release_images", lambda: own)
    assert version.release_names(ReleaseCatalogue(()), Digests(own.gateway, own.agent)) == [__version__]
    assert version.release_names(ReleaseCatalogue(()), Digests(own.agent, own.gateway)) == []


@for_other_users
@pytest.mark.parametrize("output", ["text", "json"])
def test_version_without_root_is_of_the_program_only(output: str) -> None:
    """Users without a gateway report problems, too, and need the version."""
    start = "import sys; from mstunnel_setup.cli.mst_cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", start, "version", "--output", output],
        env={"PATH": os.defpath, "HOME": "/nonexistent"},
        user=None if os.getuid() else _NOBODY,
        group=None if os.getuid() else _NOBODY,
        extra_groups=None if os.getuid() else [],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if output == "text":
        assert done.stdout == f"mst-cli  {__version__}\n"
        assert "Run `sudo mst-cli version`." in done.stderr
    else:
        answer = json.loads(done.stdout)
        validate(answer)
        assert (answer["data"]["version"], answer["data"]["engine"]) == (__version__, None)
        assert [warning["code"] for warning in answer["warnings"]] == ["version-of-program-only"]


def test_verbose_version_lists_bundled_packages(
    tmp_path: Path, shown: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a Python package, which bundles nothing, the list is empty."""
    monkeypatch.setattr(bundle, "directory", lambda: tmp_path)
    assert shown(verbose=True).data["packages"] == []
    (tmp_path / "packages").write_text("libc6 2.41-12 amd64\ntyper 0.29.2 wheel\n")
    assert lines_of(shown(verbose=True))[-2:] == ["libc6    2.41-12 (amd64)", "typer    0.29.2 (wheel)"]
    assert "packages" not in shown().data
