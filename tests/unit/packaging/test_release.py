"""What vouches for a release: checksums, a signature over them, where it comes from, what is inside."""

import hashlib
import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from mstunnel_setup.exchange.release_catalogue import parse
from scripts import ROOT
from scripts.bundle import dist, licenses, sbom
from scripts.release import feed, sums
from scripts.release.publisher import READMES
from tests.unit.exchange.publisher import Publisher
from tests.unit.exchange.publisher import release as published

EPOCH = "1767225600"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A finished `dist/` with two files."""
    directory = tmp_path / "dist"
    directory.mkdir()
    (directory / "mstunnel-setup").write_text("program")
    (directory / "wheel.whl").write_text("wheel")
    sums.finish(directory, EPOCH)
    return directory


def test_the_checksums_are_those_of_every_file(made: Path) -> None:
    rows = [line.split("  ") for line in (made / "SHA256SUMS").read_text().splitlines()]
    listed = {name: digest for digest, name in rows}
    others = {path.name for path in made.iterdir()} - {"SHA256SUMS"}
    assert listed == {name: hashlib.sha256((made / name).read_bytes()).hexdigest() for name in others}


def test_the_provenance_names_results_sources_and_tools(made: Path) -> None:
    statement = json.loads((made / "provenance.json").read_text())
    subjects = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    assert subjects == {
        name: hashlib.sha256((made / name).read_bytes()).hexdigest()
        for name in ("mstunnel-setup", "wheel.whl")
    }
    build = statement["predicate"]["buildDefinition"]
    assert build["externalParameters"]["SOURCE_DATE_EPOCH"] == EPOCH
    digests = {each["name"]: each["digest"] for each in build["resolvedDependencies"]}
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert digests["source"] == {"gitCommit": head.stdout.strip()}
    lock = hashlib.sha256((ROOT / "requirements/runtime.txt").read_bytes()).hexdigest()
    assert digests["requirements/runtime.txt"] == {"sha256": lock}
    assert {"python", "nfpm", "dpkg-deb"} <= statement["predicate"]["runDetails"]["builder"]["version"].keys()


def test_finishing_twice_changes_nothing(made: Path) -> None:
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    (made / "SHA256SUMS.minisig").write_text("signature")
    sums.finish(made, EPOCH)
    assert {path.name: path.read_bytes() for path in made.iterdir()} == {
        **before,
        "SHA256SUMS.minisig": b"signature",
    }


def test_a_signature_of_other_files_is_removed(made: Path) -> None:
    (made / "SHA256SUMS.minisig").write_text("signature")
    (made / "another").touch()
    sums.finish(made, EPOCH)
    assert not (made / "SHA256SUMS.minisig").exists()


def run(
    *command: str | Path, directory: Path, environment: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A directory with the keys of two people, without passphrases."""
    for name in ("ours", "other"):
        run("minisign", "-G", "-W", "-p", f"{name}.pub", "-s", f"{name}.key", directory=tmp_path)
    return tmp_path


def signed(made: Path, key: str) -> subprocess.CompletedProcess[str]:
    """`make sign` in a place with this `dist/`, for a publisher whose key is `ours`."""
    shutil.copy(ROOT / "Makefile", made.parent)
    given = {"HOMEPAGE": "https://example.net", "MAINTAINER": "Releases <releases@example.net>"}
    given["PUBLIC_KEY"] = (made.parent / "ours.pub").read_text().splitlines()[1]
    environment = {**os.environ, **given, "PYTHONPATH": str(ROOT)}
    for name in READMES:
        (made.parent / name).write_text(
            f"curl -fLO {given['HOMEPAGE']}/releases/latest/download/install.sh\n"
        )
    (made / "install.sh").write_text(f"key='{given['PUBLIC_KEY']}'\n")
    sums.finish(made, EPOCH)
    return run("make", "sign", f"SIGN_KEY={key}", directory=made.parent, environment=environment)


def verified(made: Path, key: str) -> bool:
    """What a user does: check the signature, then the files."""
    signature = run("minisign", "-V", "-p", f"../{key}.pub", "-m", "SHA256SUMS", directory=made)
    files = run("sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS", directory=made)
    return (signature.returncode, files.returncode) == (0, 0)


def test_a_signed_release_is_verified_with_our_key_alone(made: Path, keys: Path) -> None:
    finished = signed(made, "ours.key")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert verified(made, "ours")
    assert not verified(made, "other")


@pytest.mark.parametrize("name", ["mstunnel-setup", "provenance.json", "SHA256SUMS"])
def test_a_file_that_was_changed_since_is_found(name: str, made: Path, keys: Path) -> None:
    signed(made, "ours.key")
    with (made / name).open("a") as file:
        file.write("changed")
    assert not verified(made, "ours")


def test_nothing_is_signed_without_a_key_or_with_wrong_checksums(made: Path, keys: Path) -> None:
    assert "give SIGN_KEY=FILE" in signed(made, "").stderr
    signed(made, "ours.key")
    (made / "SHA256SUMS.minisig").unlink()
    (made / "wheel.whl").write_text("changed")
    refused = run("make", "sign", "SIGN_KEY=ours.key", directory=made.parent)
    assert (refused.returncode, "wheel.whl: FAILED" in refused.stdout) == (2, True)
    assert not (made / "SHA256SUMS.minisig").exists()


def test_signature_of_a_foreign_key_is_refused(made: Path, keys: Path) -> None:
    assert "signed with another key" in signed(made, "other.key").stderr


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a release feed."""
    publisher = Publisher(tmp_path / "publisher")
    publisher.publish(published(1))
    return publisher.directory / "metadata/1.root.json"


def test_the_program_gets_the_release_feed_that_it_is_built_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dist.release_feed() == {}
    monkeypatch.setenv("FEED", "https://releases.example.com/feed/")
    monkeypatch.setenv("FEED_ROOT", str(root))
    ((place, text),) = dist.release_feed().items()
    assert place.endswith("mstunnel_setup/data/release-feed.json")
    assert json.loads(text) == {"url": "https://releases.example.com/feed", "root": root.read_text()}


def test_the_program_gets_the_site_of_its_release(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dist.release_site() == {}
    monkeypatch.setenv("SITE", "https://docs.example.com/mstunnel/")
    ((place, text),) = dist.release_site().items()
    assert place.endswith("mstunnel_setup/data/documentation.json")
    assert json.loads(text) == {"site": "https://docs.example.com/mstunnel"}
    monkeypatch.setenv("SITE", "docs.example.com")
    with pytest.raises(SystemExit, match=r"SITE is an address with https, not docs\.example\.com"):
        dist.release_site()


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("https://releases.example.com", ""),
        ("https://releases.example.com", "timestamp.json"),
        ("https://releases.example.com", "unsigned.json"),
        ("releases.example.com", "1.root.json"),
        ("", "1.root.json"),
    ],
)
def test_build_refuses_half_a_feed_and_an_untrusted_root(
    root: Path, address: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsigned = {**json.loads(root.read_text()), "signatures": []}
    root.with_name("unsigned.json").write_text(json.dumps(unsigned))
    monkeypatch.setenv("FEED", address)
    monkeypatch.setenv("FEED_ROOT", file and str(root.with_name(file)))
    with pytest.raises(SystemExit, match=r"FEED_ROOT its 1\.root\.json"):
        dist.release_feed()


CONTROL = """\
Package: libone
Version: 1:2.41-12+deb13u4
Architecture: amd64
Depends: libtwo (>= 1) | libother
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: LGPL-2.1+

Files: part
License: Expat or GPL-2
"""
METADATA = """\
Name: ruamel.yaml
Version: 0.19.1
License-Expression: MIT OR Apache-2.0
Requires-Dist: thing>=3; python_version > "3"
Requires-Dist: tests; extra == "dev"
"""


RUST = json.dumps(
    {
        "components": [
            {
                "type": "library",
                "name": "ahash",
                "version": "0.8.12",
                "purl": "pkg:cargo/ahash@0.8.12",
                "licenses": [{"expression": "MIT OR Apache-2.0"}],
            },
            {"type": "library", "name": "autocfg", "purl": "pkg:cargo/autocfg@1", "scope": "excluded"},
        ]
    }
)


def image(directory: Path, **more: str) -> Path:
    """The file system of an image with two packages of Debian and a wheel."""
    two = CONTROL.replace("libone", "libtwo").replace("Depends", "Suggests")
    files = {
        "usr/lib/libone.so": "one",
        "usr/lib/libtwo.so": "two",
        "etc/made-by-a-script": "made",
        "usr/share/doc/libone/copyright": COPYRIGHT,
        "usr/share/doc/libtwo/copyright": "On Debian: /usr/share/common-licenses/GPL-3.\n",
        "var/lib/dpkg/status.d/libone": CONTROL,
        "var/lib/dpkg/status.d/libone.md5sums": "0  usr/lib/libone.so\n0  usr/share/doc/libone/copyright\n",
        "var/lib/dpkg/status.d/libtwo": two,
        "var/lib/dpkg/status.d/libtwo.md5sums": "0  usr/lib/libtwo.so\n0  usr/share/doc/libtwo/copyright\n",
        "opt/lib/ruamel/yaml.pyc": "code",
        "opt/lib/ruamel.yaml-0.19.1.dist-info/METADATA": METADATA,
        "opt/lib/ruamel.yaml-0.19.1.dist-info/sboms/rust.json": RUST,
        "opt/lib/ruamel.yaml-0.19.1.dist-info/RECORD": (
            "ruamel/yaml.pyc,,\nruamel.yaml-0.19.1.dist-info/METADATA,,\nruamel.yaml-0.19.1.dist-info/RECORD,,\n"
        ),
        **more,
    }
    for name, text in files.items():
        (directory / "image" / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / "image" / name).write_text(text)
    archive = directory / "image.tar"
    run("tar", "--create", f"--file={archive}", "-C", "image", *sorted(files), directory=directory)
    return archive


def test_image_sbom_has_packages_licences_and_files(tmp_path: Path) -> None:
    parts, files = sbom.of_image(image(tmp_path))
    made = json.loads(sbom.document("mstunnel-gateway", "container", parts, files))
    found = {each["name"]: each for each in made["components"]}
    one = "pkg:deb/debian/libone@1%3A2.41-12+deb13u4?arch=amd64"
    assert found["libone"]["purl"] == one
    assert found["libone"]["licenses"] == [
        {"license": {"id": name}} for name in ("GPL-2.0-only", "LGPL-2.1-or-later", "MIT")
    ]
    assert found["libtwo"]["licenses"] == [{"license": {"name": "as in GPL-3"}}]
    assert found["ruamel-yaml"]["purl"] == "pkg:pypi/ruamel-yaml@0.19.1"
    assert found["ruamel-yaml"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    compiled = [each["name"] for each in found["ruamel-yaml"]["components"] if each["type"] == "library"]
    assert compiled == ["ahash"]
    needs = {each["ref"]: each["dependsOn"] for each in made["dependencies"]}
    assert needs[one] == [found["libtwo"]["purl"]]
    assert len(needs["mstunnel-gateway"]) == 3
    nested = [each for part in made["components"] for each in part.get("components", [])]
    listed = {each["name"]: each for each in (*made["components"], *nested) if each["type"] == "file"}
    on_disk = [path for path in (tmp_path / "image").rglob("*") if path.is_file()]
    assert {name: each["hashes"][0]["content"] for name, each in listed.items()} == {
        f"/{path.relative_to(tmp_path / 'image')}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in on_disk
    }
    references = [each["bom-ref"] for each in (*made["components"], *nested)]
    assert len(references) == len({*references})


def test_sbom_needs_every_file_of_each_package(tmp_path: Path) -> None:
    sums = "0  usr/lib/not-there.so\n"
    with pytest.raises(KeyError, match=r"usr/lib/not-there\.so"):
        sbom.of_image(image(tmp_path, **{"var/lib/dpkg/status.d/libone.md5sums": sums}))


def test_licences_are_collected_with_those_they_refer_to(tmp_path: Path) -> None:
    texts = {
        "usr/share/doc/libone/copyright": "See /usr/share/common-licenses/LGPL-2.1.\n",
        "usr/share/doc/libtwo/copyright": "See /usr/share/common-licenses/LGPL-2.1.\n",
        "usr/share/common-licenses/LGPL-2.1": "The lesser licence\n",
        "wheels/thing-1.dist-info/METADATA": "Name: thing\nVersion: 1\nLicense-Expression: MIT\n\nText\n",
        "wheels/thing-1.dist-info/licenses/LICENSE": "Permission is granted\n",
        "wheels/thing-1.dist-info/sboms/rust.cyclonedx.json": RUST,
        "wheels/thing/_vendor/other/LICENSE.txt": "Of somebody else\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    collected = licenses.collected(tmp_path, tmp_path / "wheels")
    for expected in (
        "libone, libtwo (Debian)",
        "thing 1 (Python)",
        "License: MIT\n\nCompiled in:\n  ahash 0.8.12: MIT OR Apache-2.0\n\nPermission",
        "The lesser licence",
        "thing/_vendor/other (copied into a Python package)",
        "Of somebody else",
    ):
        assert expected in collected
    assert collected.count("See /usr/share") == 1


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A `dist/` with what `make images` records on machines of both architectures."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for letter, architecture in (("a", "amd64"), ("c", "arm64")):
        recorded = {
            "gateway": f"sha256:{letter * 64}",
            "agent": f"sha256:{chr(ord(letter) + 1) * 64}",
            "archive": f"mstunnel-images-2.1.0-{architecture}.tar",
        }
        (folder / f"images-{architecture}.json").write_text(json.dumps(recorded))
    return folder


def test_a_release_is_listed_for_each_architecture_and_held_back(built: Path, tmp_path: Path) -> None:
    catalogue = tmp_path / "releases.toml"
    catalogue.write_text(f'time_zone = "Europe/Berlin"\n\n{published(5)}')
    feed.add_release(catalogue, built, date(2026, 1, 5))
    listed = tomllib.loads(catalogue.read_text())
    assert listed["time_zone"] == "Europe/Berlin"
    assert [each.get("architecture") for each in listed["release"]] == ["x86_64", "aarch64", None]
    assert {each["percent"] for each in listed["release"][:2]} == {0}
    newest = parse(catalogue.read_text(), "releases.toml").newest
    assert newest is not None
    assert (newest.name, newest.percent) == ("2.1.0", 0)


def test_a_release_is_listed_once(built: Path, tmp_path: Path) -> None:
    catalogue = tmp_path / "releases.toml"
    feed.add_release(catalogue, built, date(2026, 1, 5))
    raised = catalogue.read_text().replace("percent = 0", "percent = 50")
    catalogue.write_text(raised)
    feed.add_release(catalogue, built, date(2026, 1, 6))
    assert catalogue.read_text() == raised


def test_release_of_the_agent_image_alone_is_listed(built: Path, tmp_path: Path) -> None:
    catalogue, recorded = tmp_path / "releases.toml", built / "images-amd64.json"
    (built / "images-arm64.json").unlink()
    feed.add_release(catalogue, built, date(2026, 1, 5))
    agent = f"sha256:{'e' * 64}"
    recorded.write_text(json.dumps(json.loads(recorded.read_text()) | {"agent": agent}))
    feed.add_release(catalogue, built, date(2026, 1, 6))
    newer, older = tomllib.loads(catalogue.read_text())["release"]
    assert newer["server"] == older["server"]
    assert (newer["agent"], older["agent"]) == (agent, f"sha256:{'b' * 64}")


def test_make_feed_signs_what_is_listed_beside_it(built: Path, tmp_path: Path) -> None:
    """As the workflow calls it: the key of the list is there, that of the root is not."""
    feed.publish(tmp_path / "pages/feed", _listed(tmp_path), tmp_path / "keys")
    (tmp_path / "keys/root.pem").unlink()
    words = [f"FEED_DIR={tmp_path}/pages/feed", f"KEYS={tmp_path}/keys", f"DIST={built}"]
    finished = run("make", "--old-file=setup-base", "feed", *words, directory=ROOT)
    assert (finished.returncode, finished.stderr) == (0, "")
    targets = (tmp_path / "pages/feed/targets").glob("*.releases.toml")
    *_, target = sorted(targets, key=lambda path: path.stat().st_mtime)
    assert target.read_text() == (tmp_path / "pages/releases.toml").read_text()
    assert 'label = "2.1.0"' in target.read_text()
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["release.pem"]


def _listed(tmp_path: Path) -> Path:
    (tmp_path / "pages").mkdir()
    catalogue = tmp_path / "pages/releases.toml"
    catalogue.write_text(published(1))
    return catalogue


def test_make_feed_says_what_it_needs() -> None:
    finished = run("make", "--old-file=setup-base", "feed", directory=ROOT)
    assert finished.returncode == 2
    assert "feed: give FEED_DIR=DIR and KEYS=DIR" in finished.stderr
