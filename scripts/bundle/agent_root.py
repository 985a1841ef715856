"""File system of the agent's image: the folder of scripts/bundle/tree.py on an otherwise empty image."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from scripts.bundle import debian, licenses, tree
from scripts.bundle.debian import Architecture

_HOME = "opt/mstunnel-setup"
_AGENT = f"""#!/{_HOME}/bin/{tree.PYTHON} -ISB
import sys
from mstunnel_setup.cli.agent import main
sys.exit(main())
"""
_ACCOUNTS = "root:x:0:0::/:\nmstunnel-agent:x:65532:65532::/:\n"
# The agent has no engine, reads no release feed, makes no files, shows nothing to a person.
LEFT_OUT = (
    *tree.LAB,
    *("mst_admin", "docker*", "podman*", "segno*", "unittest"),
    *("tuf*", "securesystemslib*", "mstunnel_setup/templates", "jinja2*", "markupsafe*"),
    "mstunnel_setup/data/locale",
)
_SHELL = "busybox-static"
"""Docker runs health checks in a shell, and Podman those of a single word."""
_APPLETS = ("sh", "cat", "find", "grep", "sleep")


def build(target: Architecture, root: Path) -> None:
    """Build it in `root`, which must exist."""
    home = root / _HOME
    home.mkdir(parents=True)
    # A process that runs for months carries no docstrings along.
    owned = tree.build(target, home, left_out=LEFT_OUT, optimize=2, packed=False)
    inside = {name: {f"{_HOME}/{path}" for path in paths} for name, paths in owned.items()}
    given = debian.unpacked(target)
    _record(given, inside, root)
    _programs(home / "bin")
    _loader(target, root)
    _shell(target, root)
    _trust(given, root)
    (root / "etc/passwd").write_text(_ACCOUNTS)
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    for name in ("run", "tmp", "var/lib", "usr/libexec"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)


def _record(given: Path, inside: Mapping[str, Iterable[str]], root: Path) -> None:
    """Describe packages of which the image has files where scanners look: in /var/lib/dpkg/status.d.

    Their copyright goes where Debian has it.
    """
    status = root / "var/lib/dpkg/status.d"
    status.mkdir(parents=True, exist_ok=True)
    for package in debian.packages(given):
        name = package.field("Package")
        if name not in inside:
            continue
        copyright_file = f"usr/share/doc/{name}/copyright"
        (root / copyright_file).parent.mkdir(parents=True)
        shutil.copyfile(given / "files" / copyright_file, root / copyright_file)
        sums = {
            path: hashlib.md5((root / path).read_bytes(), usedforsecurity=False).hexdigest()
            for path in sorted({*inside[name], copyright_file})
        }
        (status / name).write_text(package.control)
        (status / f"{name}.md5sums").write_text("".join(f"{sum_}  {path}\n" for path, sum_ in sums.items()))


def _programs(folder: Path) -> None:
    """The agent, and the interpreter by its short name: nothing here needs the launcher of that name."""
    (folder / "python").unlink()
    (folder / "python").symlink_to(tree.PYTHON)
    (folder / "mstunnel-agent").write_text(_AGENT)
    (folder / "mstunnel-agent").chmod(0o755)


def _loader(target: Architecture, root: Path) -> None:
    """Links where the interpreter names its loader, and the loader looks for libraries."""
    for name in ("lib64", f"lib/{target.machine}-linux-gnu", f"lib/{target.loader}"):
        link = root / name
        link.parent.mkdir(exist_ok=True)
        inside = f"{_HOME}/lib/{target.loader}" if name.endswith(target.loader) else f"{_HOME}/lib"
        link.symlink_to(os.path.relpath(inside, Path(name).parent))


def _shell(target: Architecture, root: Path) -> None:
    """A shell and what the health check calls."""
    given = debian.unpacked(target, _SHELL)
    (root / "bin").mkdir()
    shutil.copy(given / "files/usr/bin/busybox", root / "bin")
    for name in _APPLETS:
        (root / "bin" / name).symlink_to("busybox")
    _record(given, {_SHELL: {"bin/busybox"}}, root)
    with (root / _HOME / "licenses").open("a") as file:
        file.write(licenses.collected(given / "files", root))


def _trust(given: Path, root: Path) -> None:
    """The roots of Debian's ca-certificates, at the two places where OpenSSL looks."""
    roots = sorted((given / "files/usr/share/ca-certificates/mozilla").iterdir())
    folder = root / "etc/ssl/certs"
    folder.mkdir(parents=True)
    (folder / "ca-certificates.crt").write_text("".join(path.read_text() for path in roots))
    _record(given, {"ca-certificates": {"etc/ssl/certs/ca-certificates.crt"}}, root)
    places = root / "usr/lib/ssl"
    places.mkdir(parents=True)
    (places / "certs").symlink_to("/etc/ssl/certs")
    (places / "cert.pem").symlink_to("/etc/ssl/certs/ca-certificates.crt")
