"""The source archive of a release: what copyleft licences ask for, in the versions that are inside."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from scripts import ROOT
from scripts.bundle import dist, sbom
from scripts.release import sources

CONTROL = "Package: libone1\nVersion: 1.0-2+b1\nArchitecture: amd64\nSource: one (1.0-2)\n"
MIT = "Format: x\nLicense: MIT\n"
STATIC = "Package: box-static\nVersion: 3\nArchitecture: amd64\nBuilt-Using: one (= 1.0-2), two (= 2:5)\n"
FILES = {"one_1.0.orig.tar.xz": b"original", "one_1.0-2.debian.tar.xz": b"debian", "one_1.0-2.dsc": b"signed"}


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A package source of one source package; apt's file with it is returned."""
    directory = tmp_path / "mirror"
    directory.mkdir()
    for name, content in FILES.items():
        (directory / name).write_bytes(content)
    sums = "".join(
        f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n" for name, content in FILES.items()
    )
    stanza = "Package: one\nBinary: libone1\nVersion: 1.0-2\nFormat: 3.0 (quilt)\nDirectory: .\n"
    (directory / "Sources").write_text(f"{stanza}Checksums-Sha256:\n{sums}Architecture: any\n")
    (directory / "Packages").write_text("")
    lists = tmp_path / "mirror.list"
    lists.write_text(f"deb [trusted=yes] file:{directory} ./\n")
    return lists


def written(control: str, copyright_file: str = "") -> dict[str, object]:
    """A package as an SBOM has it."""
    part = sbom.of_package(control, copyright_file, {})
    document = json.loads(sbom.document("program", "application", [part]))
    found: dict[str, object] = document["components"][0]
    return found


def missing_in(folder: Path) -> str:
    """The file MISSING of the archive."""
    with tarfile.open(folder / f"mstunnel-sources-{__version__}.tar") as opened:
        file = opened.extractfile("MISSING")
        assert file is not None
        return file.read().decode()


def test_the_source_is_that_which_the_package_was_built_from() -> None:
    assert set(sources.wanted([written(CONTROL)])) == {("one", "1.0-2")}
    assert set(sources.wanted([written(STATIC)])) == {("box-static", "3"), ("one", "1.0-2"), ("two", "2:5")}


@pytest.mark.parametrize(
    ("copyright_file", "owed"),
    [
        (MIT, False),
        ("Format: x\nLicense: GPL-2+\n", True),
        ("Format: x\nLicense: MIT\n\nFiles: b\nLicense: LGPL-2.1\n", True),
        ("", True),
    ],
)
def test_source_is_owed_unless_all_licences_are_permissive(copyright_file: str, *, owed: bool) -> None:
    assert sources.wanted([written(CONTROL, copyright_file)]) == {("one", "1.0-2"): owed}


def test_every_file_of_a_source_package_is_fetched_with_its_sums(mirror: Path, tmp_path: Path) -> None:
    assert sources.fetch([("one", "1.0-2")], tmp_path / "debian", [mirror]) == []
    made = {path.name: path.read_bytes() for path in (tmp_path / "debian/one_1.0-2").iterdir()}
    assert b"Checksums-Sha256" in made.pop("one.Sources")
    assert made == FILES


def test_what_is_complete_is_not_downloaded_again(mirror: Path, tmp_path: Path) -> None:
    sources.fetch([("one", "1.0-2")], tmp_path / "debian", [mirror])
    kept = {path: path.read_bytes() for path in (tmp_path / "debian/one_1.0-2").iterdir()}
    for path, content in kept.items():
        path.unlink()
        path.write_bytes(content)
    mirror.write_text("")
    assert sources.fetch([("one", "1.0-2")], tmp_path / "debian", [mirror]) == []
    next(path for path in kept if path.suffix == ".xz").unlink()
    (problem,) = sources.fetch([("one", "1.0-2")], tmp_path / "debian", [mirror])
    assert problem == (("one", "1.0-2"), "not in the package sources of this machine")


def test_a_mirror_without_signatures_is_enough(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "mirror/one_1.0-2.dsc").unlink()
    assert sources.fetch([("one", "1.0-2")], tmp_path / "debian", [mirror]) == []
    assert (tmp_path / "debian/one_1.0-2/one_1.0.orig.tar.xz").read_bytes() == b"original"


def test_a_missing_original_and_another_version_are_named(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "mirror/one_1.0.orig.tar.xz").unlink()
    assert sources.fetch([("one", "1.0-2"), ("one", "1.0-3")], tmp_path / "debian", [mirror]) == [
        (("one", "1.0-2"), "the mirror has no one_1.0.orig.tar.xz"),
        (("one", "1.0-3"), "not in the package sources of this machine"),
    ]


def test_a_file_that_is_not_that_of_the_index_is_refused(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "mirror/one_1.0.orig.tar.xz").write_bytes(b"changed!")
    (problem,) = sources.fetch([("one", "1.0-2")], tmp_path / "debian", [mirror])
    assert problem[0] == ("one", "1.0-2")
    assert not (tmp_path / "debian/one_1.0-2/one_1.0.orig.tar.xz").exists()


def test_archive_has_sources_patches_and_build_recipe(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    monkeypatch.setattr(dist, "DIST", folder)
    monkeypatch.setattr(sources, "APT", (mirror,))
    monkeypatch.setattr(sources, "_DOWNLOADED", tmp_path / "downloaded")
    with pytest.raises(SystemExit, match="run `make images packages` first"):
        sources.main()
    document = sbom.document("program", "application", [sbom.of_package(CONTROL, "", {})])
    (folder / "program.cdx.json").write_text(document)
    original = tmp_path / "mirror/one_1.0.orig.tar.xz"
    original.rename(tmp_path / "elsewhere")
    with pytest.raises(SystemExit, match=r"one 1\.0-2: the mirror has no one_1\.0\.orig\.tar\.xz"):
        sources.main()
    assert not list(folder.glob("*.tar"))
    permissive = sbom.document("program", "application", [sbom.of_package(CONTROL, MIT, {})])
    (folder / "program.cdx.json").write_text(permissive)
    sources.main()
    assert missing_in(folder) == "one 1.0-2: the mirror has no one_1.0.orig.tar.xz\n"
    (folder / "program.cdx.json").write_text(document)
    (tmp_path / "elsewhere").rename(original)
    sources.main()
    assert missing_in(folder) == ""
    name = f"mstunnel-sources-{__version__}.tar"
    with tarfile.open(folder / name) as opened:
        inside = set(opened.getnames())
    patches = {f"mstunnel-setup/{path.relative_to(ROOT)}" for path in ROOT.glob("images/gateway/patches/*")}
    assert patches
    recipes = {f"mstunnel-setup/{each}" for each in ("Makefile", "images/gateway/Containerfile", "LICENSE")}
    assert {f"debian/one_1.0-2/{each}" for each in FILES} | {"README"} | patches | recipes <= inside
    assert name in (folder / "SHA256SUMS").read_text()
