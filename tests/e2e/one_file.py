"""The one file as `make dist` makes it, with separate directories to unpack into."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pexpect

from scripts import ROOT
from scripts.bundle import debian, wheels
from tests.testbed import cache
from tests.testbed.paths import CACHE

ROOTS = CACHE / "roots"
PLACES = ("/usr/lib/mstunnel-setup", "/var/lib/mstunnel-setup", "/run/mstunnel-setup")
ENVIRONMENT = {"PATH": os.defpath, "COLUMNS": "80"}
VERSION = ["--version"]


class OneFile:
    """A copy in `directory` that unpacks itself into `places` of that directory, for root."""

    def __init__(self, built: bytes, directory: Path, name: str = "mstunnel-setup") -> None:
        self.path = directory / name
        self.places = [directory / "first", directory / "second", directory / "third"]
        head, marker, payload = built.partition(b"\n__PAYLOAD__\n")
        for each, own in zip(PLACES, self.places, strict=True):
            place = each.replace("mstunnel-setup", name)
            assert place.encode() in head
            head = head.replace(place.encode(), bytes(own))
        self.path.write_bytes(head + marker + payload)
        self.path.chmod(0o755)

    @property
    def tree(self) -> Path:
        """Where it is unpacked."""
        (found,) = self.places[0].glob("[!.]*")
        return found

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return run([str(self.path), *arguments], {**ENVIRONMENT, **environment})


def run(command: list[str], environment: dict[str, str] = ENVIRONMENT) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def mounted(directory: Path, options: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run `command` where an empty file system is mounted at `directory`."""
    script = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"'
    return run(["unshare", "--mount", "sh", "-c", script, "sh", options, str(directory), *command])


def in_root(root: Path, *command: str) -> list[str]:
    """The command that runs another one in a root, with /proc as every host has it."""
    script = 'mkdir -p "$1/proc" && mount -t proc proc "$1/proc" && exec /usr/sbin/chroot "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(root), *command]


def chrooted(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a root to its end."""
    return run(in_root(root, *command))


def at_a_terminal(command: list[str], **environment: str) -> str:
    """What a person sees of a command."""
    given = {**os.environ, **ENVIRONMENT, **environment}
    child = pexpect.spawn(
        command[0], command[1:], env=given, encoding="utf-8", timeout=60, dimensions=(24, 80)
    )
    child.expect(pexpect.EOF)
    assert isinstance(child.before, str)
    return child.before


def unpack_root(suite: str, directory: Path) -> None:
    """Unpack a root with the essential packages of a release of Debian, bootstrapped once."""
    tarball = ROOTS / f"{suite}.tar"
    with cache.writing():
        if not tarball.exists():
            ROOTS.mkdir(exist_ok=True)
            partial = tarball.with_suffix(".partial.tar")
            # A mirror that stands still offers an old state of sid.
            options = ["--variant=essential", '--aptopt=Acquire::Check-Valid-Until "false"']
            subprocess.run(["mmdebstrap", "--quiet", *options, suite, str(partial)], check=True, timeout=280)
            partial.rename(tarball)
    subprocess.run(["tar", "-xf", tarball, "-C", directory], check=True, timeout=60)


def shell(
    command: str, directory: Path, umask: int = 0o022, more: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Run a command in a directory under a umask."""
    words = ["sh", "-c", f"umask {umask:03o}; {command}"]
    given = {**ENVIRONMENT, **more}
    done = subprocess.run(
        words, cwd=directory, env=given, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr


def second_checkout(checkout: Path, umask: int = 0o022) -> Path:
    """A copy of this checkout at `checkout`; only what comes from elsewhere is shared with it."""
    checkout.mkdir()
    copy = (
        "git ls-files -z --cached --others --exclude-standard"
        f" | tar --create --null --files-from=- | tar --extract --no-same-permissions -C '{checkout}'"
    )
    shell(copy, ROOT, umask)
    (checkout / "build/cache/wheels").mkdir(parents=True)
    (checkout / "build/cache/debian").symlink_to(debian.CACHE)
    shared = wheels.dependencies()
    (checkout / "build/cache/wheels" / shared.name).symlink_to(shared)
    return checkout
