"""`dist/mstunnel-sources-VERSION.tar`: the source of what a release contains and copyleft licences ask for.

`python -m scripts.release.sources` reads the SBOMs in `dist/` and writes the archive: the source package of
every package of Debian in them, in the same version; the wheels under a copyleft licence, which contain their
source; and this checkout, with the patches of ocserv and all recipes. A mirror may lack signatures (.dsc,
.asc): beside each source package is its entry in the signed index, with the sums of all files.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mstunnel_setup import __version__
from scripts import ROOT
from scripts.bundle import archive, debian, dist, sbom, wheels
from scripts.release import sums

_COPYLEFT = re.compile(r"GPL|MPL|Mozilla|EPL|CDDL")
_PERMISSIVE = re.compile(r"MIT|X11|BSD-[\w.-]+|ISC|Zlib|Apache-2\.0|public-domain|CC0-1\.0")
# Where apt has the package sources of this machine.
APT = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d"))
_SIGNATURES = (".dsc", ".asc")
# A run that lacks something is repeated with another mirror.
_DOWNLOADED = ROOT / "build/cache/sources"
_SUM = re.compile(r"^ ([0-9a-f]{64}) \d+ (\S+)$", re.MULTILINE)
_README = """\
The source of mstunnel-setup {version}, of its images, and of what they bring.

debian/          source packages of Debian, one directory for each version. NAME.Sources is the entry
                 in Debian's signed index, with the sums of the files.
MISSING          what could not be had: in a release, at most packages whose licences ask for no source.
wheels/          Python packages under a copyleft licence, which contain their source.
mstunnel-setup/  the program, the patches of ocserv (images/gateway/patches), the recipes of the images
                 (images), and what builds a release: `make images packages`, see docs/how-to/release.md.
"""


def components(folder: Path) -> list[dict[str, Any]]:
    """The packages in all SBOMs of a folder. Ends the program where there are none."""
    documents = [json.loads(path.read_text()) for path in sorted(folder.glob("*.cdx.json"))]
    found = [each for document in documents for each in document["components"] if each["type"] == "library"]
    if not found:
        sys.exit(f"sources: no SBOM in {folder}: run `make images packages` first")
    return found


def wanted(parts: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], bool]:
    """Name and version of the source packages that packages of Debian were built from.

    With each, whether the source is owed: that is so unless all its licences are known to be permissive.
    """
    found: dict[tuple[str, str], bool] = {}
    for part in parts:
        names = [each.get("license", {}).values() for each in part["licenses"]]
        owed = not names or not all(_PERMISSIVE.fullmatch(name) for values in names for name in values)
        for each in part.get("properties", ()):
            if each["name"] == sbom.SOURCE:
                name, version = each["value"].split()
                found[name, version] = found.get((name, version), False) or owed
    return found


def fetch(
    packages: Iterable[tuple[str, str]], folder: Path, lists: Iterable[Path]
) -> list[tuple[tuple[str, str], str]]:
    """Download source packages, each into a directory below `folder`; return what could not be had, and why.

    What an earlier run has downloaded completely stays. `lists` are apt's files of package sources.
    """
    missing: list[tuple[tuple[str, str], str]] = []
    with tempfile.TemporaryDirectory() as place:
        apt = _Apt(Path(place), lists)
        for name, version in sorted(packages):
            target = folder / _directory(name, version)
            index = target / f"{name}.Sources"
            if index.is_file() and not list(_wrong(target, index.read_text())):
                continue
            stanza = apt.stanza(name, version)
            if stanza is None:
                missing.append(((name, version), "not in the package sources of this machine"))
                continue
            target.mkdir(parents=True, exist_ok=True)
            index.write_text(stanza)
            apt.download(name, version, target)
            missing += [((name, version), reason) for reason in _wrong(target, stanza)]
    return missing


def _directory(name: str, version: str) -> str:
    return f"{name}_{version.replace(':', '%3a')}"


def _wrong(target: Path, stanza: str) -> Iterator[str]:
    """What a directory lacks of a source package; a file with another sum is removed."""
    sums = re.split(r"\n(?=\S)", stanza.partition("Checksums-Sha256:")[2])[0]
    for digest, file in _SUM.findall(sums):
        path = target / file
        if not path.is_file():
            if not file.endswith(_SIGNATURES):
                yield f"the mirror has no {file}"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield f"{file} does not have the sum of its index"
            path.unlink()


class _Apt:
    """apt with a state of its own and source packages enabled, so that nothing on the machine changes."""

    def __init__(self, place: Path, lists: Iterable[Path]) -> None:
        for name in ("state/lists/partial", "cache/archives/partial", "parts"):
            (place / name).mkdir(parents=True)
        for path in [each for given in lists for each in (given.iterdir() if given.is_dir() else [given])]:
            if path.is_file():
                (place / "parts" / path.name).write_text(_with_sources(path))
        options = {
            "Dir::State": place / "state",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": place / "cache",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": place / "parts",
            "APT::Sandbox::User": "root",
        }
        self._options = [f"--option={name}={value}" for name, value in options.items()]
        update = ["apt-get", "--quiet=2", *self._options, "update"]
        subprocess.run(update, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True, timeout=300)

    def stanza(self, name: str, version: str) -> str | None:
        """The entry of a source package in the index; None without one."""
        command = ["apt-cache", *self._options, "showsrc", "--only-source", name]
        shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
        found = (each.strip() for each in shown.split("\n\n") if debian.field(each, "Version") == version)
        return next((f"{stanza}\n" for stanza in found), None)

    def download(self, name: str, version: str, target: Path) -> None:
        """Into `target`; what is missing there afterwards could not be had."""
        command = ["apt-get", "--quiet=2", *self._options, "source", "--download-only", "--only-source"]
        command.append(f"{name}={version}")
        subprocess.run(command, cwd=target, stdout=sys.stderr, check=False, timeout=900)


def _with_sources(path: Path) -> str:
    """A file of package sources with those of source packages, too."""
    text = path.read_text()
    if path.suffix == ".sources":
        return re.sub(r"^Types:\s*deb\s*$", "Types: deb deb-src", text, flags=re.MULTILINE)
    return text + "".join(f"deb-src{line[3:]}\n" for line in text.splitlines() if line.startswith("deb "))


def _copyleft(parts: Iterable[Mapping[str, Any]]) -> Iterator[Path]:
    """The wheels under such a licence."""
    names = {
        part["name"]
        for part in parts
        if part["purl"].startswith("pkg:pypi/") and _COPYLEFT.search(json.dumps(part["licenses"]))
    }
    found = [path for folder in wheels.WHEELS.glob("dependencies-*") for path in sorted(folder.iterdir())]
    return (path for path in found if sbom.normalized(path.name.split("-")[0]) in names)


def _checkout(folder: Path) -> None:
    """Copy the files of this checkout that git knows."""
    command = ["git", "ls-files", "-z", "--cached"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)


def main() -> None:
    """Write the archive from the SBOMs in `dist/`."""
    parts = components(dist.DIST)
    work = dist.DIST / "sources.work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        packages = wanted(parts)
        missing = [
            (package, f"{' '.join(package)}: {reason}")
            for package, reason in fetch(packages, _DOWNLOADED, APT)
        ]
        owed = "".join(f"{line}\n" for package, line in missing if packages[package])
        if owed and not os.environ.get("INCOMPLETE"):
            sys.exit(
                f"sources: these are missing:\n{owed}"
                "Add a package source that has them, or build images and program again with those of today."
                " INCOMPLETE=yes writes an archive without them, which is none for a release."
            )
        # From a mirror on this machine apt makes links, which are followed.
        for name in [_directory(*package) for package in packages]:
            if (_DOWNLOADED / name).is_dir():
                shutil.copytree(_DOWNLOADED / name, work / "debian" / name)
        (work / "MISSING").write_text("".join(f"{line}\n" for _, line in missing))
        (work / "wheels").mkdir()
        for wheel in _copyleft(parts):
            shutil.copy(wheel, work / "wheels")
        _checkout(work / "mstunnel-setup")
        (work / "README").write_text(_README.format(version=__version__))
        with (dist.DIST / f"mstunnel-sources-{__version__}.tar").open("wb") as file:
            archive.write(work, file, int(dist.EPOCH))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sums.finish(dist.DIST, dist.EPOCH)


if __name__ == "__main__":
    main()
