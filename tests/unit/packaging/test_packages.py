"""What is in the packages of Debian and RPM, and what they do to a host."""

import gzip
import json
import os
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.base.paths import HOST_STATE
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Event
from mstunnel_setup.cli.framework.progress import SetupLog
from mstunnel_setup.install.installed import FILE, LINKS
from mstunnel_setup.io.files import Files
from scripts import ROOT
from scripts.bundle import debian, packages
from scripts.release.version import semantic
from tests.unit.clocks import FakeClock
from tests.unit.packaging.small import small_file

PACKAGING = packages.INPUTS
# Where the shells of Debian and of other distributions look, and man everywhere.
PLACES = {
    "deb": "/usr/share/zsh/vendor-completions/_mst-cli",
    "rpm": "/usr/share/zsh/site-functions/_mst-cli",
}
EVERYWHERE = (
    *("/usr/share/bash-completion/completions/mst-cli", "/usr/share/fish/vendor_completions.d/mst-cli.fish"),
    *(
        "/usr/share/man/man8/mst-cli.8.gz",
        "/usr/share/man/man1/mst-admin.1.gz",
        "/usr/share/man/man8/mstunnel_monitor.8.gz",
        "/usr/share/man/man8/mstunnel_uplink.8.gz",
        "/usr/share/man/man5/mstunnel-answers.5.gz",
    ),
    *("/etc/logrotate.d/mstunnel-setup", "/usr/lib/tmpfiles.d/mstunnel-setup.conf"),
    *("/usr/share/doc/mstunnel-setup/copyright", "/usr/share/doc/mstunnel-setup/changelog.gz"),
    *(f"/usr/sbin/{name}" for name in (FILE, *LINKS)),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Packages of a small file, by kind."""
    directory = tmp_path_factory.mktemp("packages")
    made = packages.build(small_file(directory), directory, debian.here())
    return {path.suffix[1:]: path for path in made}


def run(*command: str | Path) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def contents(package: Path) -> set[str]:
    if package.suffix == ".rpm":
        return set(run("rpm", "--query", "--list", "--package", package).split())
    rows = run("dpkg-deb", "--contents", package).splitlines()
    return {row.split()[5].removeprefix(".").rstrip("/") for row in rows}


def extracted(package: Path, directory: Path) -> Path:
    run("dpkg-deb", "--extract", package, directory)
    return directory


@pytest.mark.parametrize("kind", packages.KINDS)
def test_everything_is_where_shells_man_and_services_look(kind: str, built: dict[str, Path]) -> None:
    assert {*EVERYWHERE, PLACES[kind]} - contents(built[kind]) == set()
    other = PLACES["rpm" if kind == "deb" else "deb"]
    assert other not in contents(built[kind])


def test_the_names_say_version_and_architecture(built: dict[str, Path]) -> None:
    here, version = debian.here(), semantic().replace("-", "~")
    assert built["deb"].name == f"mstunnel-setup_{version}-1_{here.debian}.deb"
    assert built["rpm"].name == f"mstunnel-setup-{version}-1.{here.machine}.rpm"


def test_build_between_releases_sorts_between_them(tmp_path: Path) -> None:
    made = packages.build(small_file(tmp_path), tmp_path, debian.here(), "0.3.0.dev0")
    version = {
        "deb": run("dpkg-deb", "--field", made[0], "Version").strip(),
        "rpm": run("rpm", "--query", "--queryformat=%{VERSION}-%{RELEASE}", "--package", made[1]),
    }
    assert version == dict.fromkeys(packages.KINDS, "0.3.0~dev0-1")
    for earlier, later in (("0.2.0-1", "0.3.0~dev0-1"), ("0.3.0~dev0-1", "0.3.0-1")):
        run("dpkg", "--compare-versions", earlier, "lt", later)


def test_a_release_names_its_maintainer_and_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINTAINER", "Jo Doe <jo@example.com>")
    monkeypatch.setenv("HOMEPAGE", "https://github.com/jo/gateway")
    deb, rpm = packages.build(small_file(tmp_path), tmp_path, debian.here())
    fields = ("Maintainer", "Homepage")
    assert [run("dpkg-deb", "--field", deb, name).strip() for name in fields] == [
        "Jo Doe <jo@example.com>",
        "https://github.com/jo/gateway",
    ]
    shown = run("rpm", "--query", "--queryformat=%{PACKAGER}|%{URL}|%{LICENSE}", "--package", rpm)
    packager, page, licence = shown.split("|")
    assert (packager, page) == ("Jo Doe <jo@example.com>", "https://github.com/jo/gateway")
    assert {"Apache-2.0", "LGPL-2.1-or-later", "PSF-2.0"} <= {*licence.split(" AND ")}


def test_both_kinds_have_a_change_log(built: dict[str, Path], tmp_path: Path) -> None:
    assert "Version" in run("rpm", "--query", "--changelog", "--package", built["rpm"])
    documents = extracted(built["deb"], tmp_path) / packages.DOCUMENTS[1:]
    whole = (ROOT / "CHANGELOG.md").read_bytes()
    assert gzip.decompress((documents / "changelog.gz").read_bytes()) == whole


def test_tools_of_debian_read_its_change_log(built: dict[str, Path], tmp_path: Path) -> None:
    documents = extracted(built["deb"], tmp_path / "root") / packages.DOCUMENTS[1:]
    text = tmp_path / "changelog"
    text.write_bytes(gzip.decompress((documents / "changelog.Debian.gz").read_bytes()))
    shown = run("dpkg-parsechangelog", "--all", "-l", text)
    fields = dict(line.split(": ", 1) for line in shown.splitlines() if ": " in line and line[0] != " ")
    version = run("dpkg-deb", "--field", built["deb"], "Version").strip()
    assert (fields["Source"], fields["Version"], fields["Urgency"]) == ("mstunnel-setup", version, "medium")
    assert __version__ in shown


def test_whoever_builds_may_have_any_umask(
    built: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = Path(shutil.copytree(PACKAGING, tmp_path / "inputs"))
    for path in inputs.iterdir():
        path.chmod(0o600)
    monkeypatch.setattr(packages, "INPUTS", inputs)
    umask = os.umask(0o077)
    try:
        made = packages.build(small_file(tmp_path), tmp_path, debian.here())
    finally:
        os.umask(umask)
    assert {path.name: path.read_bytes() for path in made} == {
        path.name: path.read_bytes() for path in built.values()
    }


def test_an_rpm_owns_no_directory_of_the_system(built: dict[str, Path]) -> None:
    rows = run(
        "rpm", "--query", "--queryformat=[%{FILEMODES:perms} %{FILENAMES}\n]", "--package", built["rpm"]
    )
    directories = {row.split()[1] for row in rows.splitlines() if row.startswith("d")}
    assert packages.HOME in directories
    own = (packages.HOME, packages.DOCUMENTS)
    assert {place for place in directories if not place.startswith(own)} == set()


@pytest.mark.parametrize("kind", packages.KINDS)
def test_completions_and_manual_pages_are_packed_once(
    kind: str, built: dict[str, Path], tmp_path: Path
) -> None:
    inside = {place for place in contents(built[kind]) if place.startswith(packages.HOME)}
    assert f"{packages.HOME}/licenses" in inside
    assert {place for place in inside if "support" in place} == set()


def test_the_manifest_lists_what_is_in_the_package(built: dict[str, Path], tmp_path: Path) -> None:
    home = extracted(built["deb"], tmp_path) / packages.HOME[1:]
    assert runpy.run_path(str(ROOT / "scripts/bundle/start/check.py"))["state"](str(home)) == "whole"


def test_an_edited_rotation_of_logs_is_kept(built: dict[str, Path]) -> None:
    assert run("dpkg-deb", "--info", built["deb"], "conffiles").split() == ["/etc/logrotate.d/mstunnel-setup"]
    shown = run("rpm", "--query", "--configfiles", "--package", built["rpm"])
    assert shown.split() == ["/etc/logrotate.d/mstunnel-setup"]


def test_the_same_file_gives_the_same_bytes(built: dict[str, Path], tmp_path: Path) -> None:
    for again in packages.build(small_file(tmp_path), tmp_path, debian.here()):
        assert again.read_bytes() == built[again.suffix[1:]].read_bytes()


def test_nothing_names_the_machine_that_built_it(built: dict[str, Path]) -> None:
    assert run("rpm", "--query", "--queryformat=%{BUILDHOST}", "--package", built["rpm"]) == "localhost"


@pytest.mark.parametrize(
    ("argument", "installed", "warned"),
    [
        *(("remove", True, True), ("0", True, True), ("remove", False, False)),
        *(("upgrade", True, False), ("1", True, False)),
    ],
)
def test_who_removes_the_package_under_a_gateway_is_warned(
    argument: str, installed: bool, warned: bool, tmp_path: Path
) -> None:
    # The receipt of root: of the whole installation, or of the host's part for a gateway without root.
    marker = tmp_path / "receipt.json"
    if installed:
        marker.touch()
    script = (PACKAGING / "preremove.sh").read_text().replace(f"{HOST_STATE}/receipt.json", str(marker))
    command = ["sh", "-c", script, "sh", argument]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert ("mst-cli uninstall" in finished.stderr) == warned


def test_a_running_program_continues_in_the_rotated_log(tmp_path: Path) -> None:
    """The next run begins another, as private as the first."""
    files, path = Files(tmp_path), "/log/setup.log"
    configuration = tmp_path / "logrotate"
    text = (PACKAGING / "logrotate").read_text()
    configuration.write_text(text.replace("/var/log/mstunnel", str(tmp_path / "log")))
    configuration.chmod(0o644)
    at_work, next_run = (SetupLog(files, FakeClock(), Redactor(), name, path) for name in ("one", "two"))
    at_work.event(Event("eula", "done", "file", "first"))
    run("logrotate", "--force", f"--state={tmp_path}/state", configuration)
    at_work.event(Event("eula", "done", "file", "second"))
    assert files.state(path) is None
    next_run.event(Event("eula", "done", "file", "third"))
    for log in (at_work, next_run):
        log.close()
    rotated, current = (tmp_path / "log/setup.log.1", tmp_path / "log/setup.log")
    assert [json.loads(line)["text"] for line in rotated.read_text().splitlines()] == ["first", "second"]
    assert [json.loads(line)["text"] for line in current.read_text().splitlines()] == ["third"]
    assert {oct(each.stat().st_mode & 0o777) for each in (rotated, current)} == {"0o600"}
