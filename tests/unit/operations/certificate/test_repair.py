"""`mst-cli cert repair` below another root: the very certificate comes back, and no other one unasked."""

import json
import shutil
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode
from tests.unit.operations.conftest import Command


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def place(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def in_use(root: Path) -> str:
    """The generation that the link names."""
    return place(root, paths.ACTIVE).readlink().name


def code_of(out: str) -> str:
    return str(json.loads(out)["errors"][0]["code"])


def lose_what_is_in_use(root: Path) -> None:
    """Damage every copy of its key."""
    (place(root, paths.ACTIVE) / "key.pem").write_bytes(b"")
    place(root, paths.SITE_KEY).unlink()


def test_what_is_sound_is_left_alone(installed: Command, root: Path) -> None:
    before = in_use(root)
    code, out, _ = installed("cert", "repair", "--output", "json")
    assert (code, json.loads(out)["status"], in_use(root)) == (0, "unchanged", before)


def test_a_damaged_generation_comes_back_from_the_usual_place(installed: Command, root: Path) -> None:
    before, key = in_use(root), place(root, paths.ACTIVE) / "key.pem"
    content = key.read_bytes()
    key.write_bytes(content[:40])
    assert installed("cert", "repair")[0] == 0
    assert (in_use(root), key.read_bytes(), key.stat().st_mode & 0o777) == (before, content, 0o600)


def test_a_link_that_a_copy_made_a_directory_is_a_link_again(installed: Command, root: Path) -> None:
    before, link = in_use(root), place(root, paths.ACTIVE)
    shutil.copytree(link, root / "flat")
    link.unlink()
    (root / "flat").rename(link)
    code, out, _ = installed("cert", "check", "--output", "json")
    assert code == ExitCode.CERTIFICATE
    assert "link-flattened" in [finding["id"] for finding in json.loads(out)["data"]["findings"]]
    assert installed("cert", "repair")[0] == 0
    assert in_use(root) == before


def test_another_certificate_is_taken_only_with_consent(
    installed: Command, root: Path, tmp_path: Path
) -> None:
    first = in_use(root)
    files = [word for name in ("next.pem", "ca.pem") for word in ("--cert", str(tmp_path / name))]
    assert installed("import_cert", *files, "--key", str(tmp_path / "next.key"), "--yes")[0] == 0
    second = in_use(root)
    assert first != second

    lose_what_is_in_use(root)
    code, out, _ = installed("cert", "repair", "--output", "json")
    assert (code, code_of(out), in_use(root)) == (ExitCode.CERTIFICATE, "repair-unsure", second)

    assert installed("cert", "repair", "--yes")[0] == 0
    assert in_use(root) == first


def test_where_no_copy_is_sound_it_says_so(installed: Command, root: Path) -> None:
    before = in_use(root)
    lose_what_is_in_use(root)
    code, out, _ = installed("cert", "repair", "--yes", "--output", "json")
    assert (code, code_of(out), in_use(root)) == (ExitCode.CERTIFICATE, "repair-impossible", before)
