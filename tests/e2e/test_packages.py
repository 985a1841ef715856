"""The packages of Debian and RPM: installed, upgraded and removed by the real tools."""

import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.install.installed import FILE, LINKS
from mstunnel_setup.install.steps.program import SUPPORT_DIRECTORIES
from scripts.bundle import debian, dist, packages, sbom, wheels
from tests.e2e.one_file import chrooted, run, unpack_root
from tests.testbed import cache
from tests.unit.packaging.small import small_file

pytestmark = [pytest.mark.e2e, pytest.mark.long]

# Of the tools: their databases and logs.
OF_THE_TOOLS = ("var/lib/dpkg", "var/lib/rpm", "var/log", "var/cache", "proc")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The packages of the one file that the testbed's server has, by kind."""
    with cache.writing():
        made = packages.build(dist.one_file(), tmp_path_factory.mktemp("newer"), debian.here())
    return {path.suffix[1:]: path for path in made}


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An earlier version, with a file that the next one does not have."""
    directory = tmp_path_factory.mktemp("older")
    made = packages.build(small_file(directory, former="\n"), directory, debian.here(), version="0.0.1")
    return {path.suffix[1:]: path for path in made}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A bare Debian 12 without Python; rpm works on it from outside."""
    unpack_root("bookworm", tmp_path)
    return tmp_path


def everything(root: Path) -> dict[str, tuple[int, int]]:
    """Mode and size of all that is not the tools' own."""
    return {
        str(path.relative_to(root)): (path.lstat().st_mode, 0 if path.is_dir() else path.lstat().st_size)
        for path in root.rglob("*")
        if not str(path.relative_to(root)).startswith(OF_THE_TOOLS)
    }


def dpkg(root: Path, option: str, what: str | Path) -> None:
    given = str(what)
    if isinstance(what, Path):
        shutil.copy(what, root / "package.deb")
        given = "/package.deb"
    finished = chrooted(root, "/usr/bin/env", "PATH=/usr/sbin:/usr/bin", "dpkg", option, given)
    assert finished.returncode == 0, finished.stderr
    (root / "package.deb").unlink(missing_ok=True)


def rpm(root: Path, option: str, what: str | Path) -> None:
    finished = run(["rpm", f"--root={root}", option, str(what)], {"PATH": f"{os.defpath}:/usr/sbin"})
    # Of Debian's build of rpm, whatever it installs.
    noted = "warning: private mounts in chroot not implemented\n"
    assert (finished.returncode, finished.stderr.replace(noted, "")) == (0, "")


TOOLS: dict[str, tuple[Callable[[Path, str, str | Path], None], str, str, str]] = {
    "deb": (dpkg, "--install", "--install", "--purge"),
    "rpm": (rpm, "--install", "--upgrade", "--erase"),
}


def works(root: Path) -> None:
    """Every program answers under its name, and leaves the host as it was."""
    before = everything(root)
    for name in (FILE, *LINKS[:3]):
        finished = chrooted(root, f"/usr/sbin/{name}", "--version")
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, f"{name} {__version__}\n", "")
    finished = chrooted(root, "/usr/sbin/mst-cli", "version", "--verbose", "--output", "json")
    inside = {each["name"] for each in json.loads(finished.stdout)["data"]["packages"]}
    assert {"libc6", "cryptography", "mstunnel_setup"} <= inside
    for spelling in ("licences", "licenses"):
        shown = chrooted(root, "/usr/sbin/mstunnel-setup", "self", spelling).stdout
        for part in ("GNU LESSER GENERAL PUBLIC LICENSE", "Compiled in:\n", "openssl", "ed25519"):
            assert part in shown
    refused = chrooted(root, "/usr/sbin/mstunnel-setup", "plan", "--unattended", "--output", "json")
    assert (refused.returncode, '"answers-missing"' in refused.stdout) == (2, True)
    assert everything(root) == before


@pytest.mark.parametrize("kind", packages.KINDS)
def test_it_is_installed_upgraded_and_removed_without_a_trace(
    kind: str, older: dict[str, Path], newer: dict[str, Path], root: Path
) -> None:
    tool, install, upgrade, remove = TOOLS[kind]
    if kind == "rpm":
        # Of the package `filesystem` and of systemd, where packages are RPMs.
        for place in (*(places[-1] for places in SUPPORT_DIRECTORIES.values()), "/usr/lib/tmpfiles.d"):
            (root / place[1:]).mkdir(parents=True, exist_ok=True)
    before = everything(root)
    tool(root, install, older[kind])
    former = root / packages.HOME[1:] / "former"
    assert former.exists()
    tool(root, upgrade, newer[kind])
    assert not former.exists()
    works(root)
    tool(root, remove, "mstunnel-setup")
    assert everything(root) == before


@pytest.mark.parametrize("kind", packages.KINDS)
def test_the_tools_find_every_file_as_it_was_packed(kind: str, newer: dict[str, Path], root: Path) -> None:
    tool, install, _upgrade, _remove = TOOLS[kind]
    tool(root, install, newer[kind])
    (root / packages.HOME[1:] / "start.py").write_text("changed")
    if kind == "deb":
        shown = chrooted(root, "/usr/bin/dpkg", "--verify", "mstunnel-setup")
    else:
        shown = run(["rpm", f"--root={root}", "--verify", "mstunnel-setup"])
    assert [line.split()[-1] for line in shown.stdout.splitlines()] == [f"{packages.HOME}/start.py"]


@pytest.mark.parametrize("kind", packages.KINDS)
def test_a_configuration_that_was_edited_survives_an_upgrade(
    kind: str, older: dict[str, Path], newer: dict[str, Path], root: Path
) -> None:
    tool, install, upgrade, _remove = TOOLS[kind]
    tool(root, install, older[kind])
    edited = root / "etc/logrotate.d/mstunnel-setup"
    edited.write_text("# edited\n")
    tool(root, upgrade, newer[kind])
    assert edited.read_text() == "# edited\n"


def test_the_directory_of_the_log_is_made_at_boot(newer: dict[str, Path], root: Path) -> None:
    dpkg(root, "--install", newer["deb"])
    made = run(["systemd-tmpfiles", "--create", f"--root={root}", "mstunnel-setup.conf"])
    assert (made.returncode, made.stderr) == (0, "")
    assert oct((root / "var/log/mstunnel").stat().st_mode & 0o777) == "0o750"


def test_two_builds_give_the_same_bytes(newer: dict[str, Path], tmp_path: Path) -> None:
    with cache.writing():
        for again in packages.build(dist.one_file(), tmp_path, debian.here()):
            assert again.read_bytes() == newer[again.suffix[1:]].read_bytes()


def test_nothing_is_packed_that_only_builds_or_tests_need(newer: dict[str, Path], root: Path) -> None:
    dpkg(root, "--install", newer["deb"])
    packed = [path for path in (root / packages.HOME[1:]).rglob("*") if path.is_file()]
    assert [str(path) for path in packed if path.suffix in {".c", ".h", ".sh", ".md", ".rst", ".ini"}] == []
    assert [str(path) for path in packed if "test" in path.name or path.name.startswith(".")] == []


def test_the_licence_names_that_of_every_part(newer: dict[str, Path], root: Path) -> None:
    shown = run(["rpm", "--query", "--queryformat=%{LICENSE}", "--package", str(newer["rpm"])])
    stated = set(re.split(r" AND ", shown.stdout))
    for folder in (wheels.dependencies(), wheels.program()):
        for wheel in folder.iterdir():
            with zipfile.ZipFile(wheel) as archive:
                (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
                expression = sbom.of_wheel(archive.read(name).decode(), {}).expression
            assert stated & {*re.split(r" (?:AND|OR) ", expression)} or not expression, wheel.name
    dpkg(root, "--install", newer["deb"])
    texts = (root / packages.DOCUMENTS[1:] / "copyright").read_text()
    for part in ("libc6", "libgcc-s1", "securesystemslib/_vendor/ed25519", "typer/_click", "certifi"):
        assert part in texts, part
