"""The wheel and the source distribution: what a package index and pip make of them."""

import email
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from scripts import ROOT
from scripts.bundle import wheels
from scripts.bundle.metadata_hook import readme
from scripts.bundle.wheels import PACKAGES

PAGE = "https://github.com/jo/gateway"


def build(target: str, checkout: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", f"--target={target}", f"--directory={folder}"]
    finished = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=300)
    assert finished.returncode == 0, finished.stderr
    (made,) = folder.iterdir()
    return made


def metadata(wheel: Path) -> "Message[str, str]":
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as pip does it where there is no clone: from the source distribution."""
    folder = tmp_path_factory.mktemp("source")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", wheels.EPOCH)
        wheels.source_distribution(folder)
        (archive,) = folder.iterdir()
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        (source,) = (path for path in folder.iterdir() if path.is_dir())
        return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def test_a_source_distribution_builds_the_same_wheel(wheel: Path) -> None:
    (ours,) = wheels.program().iterdir()
    assert wheel.name == ours.name
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(ours) as other:
        assert {name: one.read(name) for name in one.namelist()} == {
            name: other.read(name) for name in other.namelist()
        }


def test_a_wheel_says_that_it_has_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {f"{name}/py.typed" for name in PACKAGES} <= {*archive.namelist()}
    assert "Typing :: Typed" in metadata(wheel).get_all("Classifier", [])


def test_an_index_can_find_the_wheel_by_its_keywords(wheel: Path) -> None:
    assert {"intune", "microsoft-tunnel", "vpn"} <= {*metadata(wheel)["Keywords"].split(",")}


def test_the_readme_links_to_no_file_of_a_clone(wheel: Path) -> None:
    targets = re.findall(r"\]\(([^)]*)\)", str(metadata(wheel).get_payload()))
    assert [target for target in targets if not target.startswith("https://")] == []


def test_a_release_links_to_its_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPAGE", PAGE)
    wheels.source_distribution(tmp_path)
    (archive,) = tmp_path.iterdir()
    with tarfile.open(archive) as packed:
        (name,) = (each for each in packed.getnames() if each.endswith("/PKG-INFO"))
        member = packed.extractfile(name)
        assert member is not None
        about = email.message_from_bytes(member.read())
    links = dict(each.split(", ") for each in about.get_all("Project-URL", []))
    assert links["Homepage"] == PAGE
    assert {"Changelog", "Documentation", "Issues"} <= links.keys()
    targets = re.findall(r"\]\(([^)]*)\)", str(about.get_payload()))
    assert f"{PAGE}/blob/v{about['Version']}/docs/how-to/runbook.md" in targets
    assert [target for target in targets if not target.startswith("https://")] == []


def test_a_link_keeps_its_place_in_the_page() -> None:
    text = "# A\n\n![B](b.svg)\n\nSee [C\nD](docs/c.md#d) and [E](https://e.example).\n"
    kept = "and [E](https://e.example).\n"
    assert readme(text, "https://x.example") == f"# A\n\nSee [C\nD](https://x.example/docs/c.md#d) {kept}"
    assert readme(text, "") == f"# A\n\nSee C\nD {kept}"


def test_what_the_build_imports_is_in_the_digest_of_the_wheel() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
    hooks = (configured["metadata"]["hooks"], configured["build"]["targets"]["wheel"]["hooks"])
    assert {each["custom"]["path"] for each in hooks} <= {*wheels.SOURCES}
