"""A kernel in user mode, Linux as a process: built from Debian's source, kept by the hash of its recipe."""

from dataclasses import dataclass
from pathlib import Path

from tests.machines.places import OPTIONS, kept
from tests.testbed import cache
from tests.testbed.process import progress, run

# One for the machines of all suites.
_RELEASE = "trixie"
_OPTIONS_FILE = Path(__file__).with_name("uml.config")
_PATCH = Path(__file__).with_name("uml.patch")
_PACKAGES = ("linux-source", "gcc", "libc6-dev", "make", "flex", "bison", "bc", "kmod", "patch", "xz-utils")
_BUILD = """\
set -e
mkdir /source && cd /source
tar --extract --strip-components=1 --file /usr/src/linux-source-*.tar.xz
patch --strip=1 --input=/uml.patch
export ARCH=um
make --silent x86_64_defconfig
scripts/kconfig/merge_config.sh -m .config /uml.config
make --silent olddefconfig
sed --quiet '/^CONFIG/p' /uml.config | while read -r line; do
    grep --quiet --line-regexp --fixed-strings "$line" .config || { echo "not possible: $line"; exit 1; }
done
for version in '' -newer; do
    make --silent --jobs="$(nproc)" LOCALVERSION=$version linux modules
    make --silent LOCALVERSION=$version INSTALL_MOD_PATH=/made modules_install
    cp linux /made/linux$version
done
rm -f /made/lib/modules/*/build
"""


@dataclass(frozen=True)
class Kernel:
    """A program that is a kernel, and its modules."""

    directory: Path

    @property
    def name(self) -> str:
        """Differs from that of any other kernel."""
        return self.directory.name

    @property
    def program(self) -> Path:
        """Started as root, it boots."""
        return self.directory / "linux"

    @property
    def newer(self) -> Path:
        """The same with another release, and modules of its own: what an upgrade of the kernel installs."""
        return self.directory / "linux-newer"

    @property
    def modules(self) -> Path:
        """What goes to /usr/lib/modules."""
        return self.directory / "lib/modules"


def prepare() -> Kernel:
    """The kernel; made when it is not there yet, in a quarter of an hour."""
    recipe = (_RELEASE, _PACKAGES, _BUILD, OPTIONS, _OPTIONS_FILE.read_text(), _PATCH.read_text())
    with cache.writing():
        directory = kept(f"kernel-{_RELEASE}", recipe, _build)
    return Kernel(directory)


def _build(directory: Path) -> None:
    progress("machine: building a kernel in user mode")
    script = directory / "build.sh"
    script.write_text(_BUILD)
    hooks = [
        f"cp {script} {_OPTIONS_FILE} {_PATCH} $1/",
        "chroot $1 sh /build.sh",
        f"cp --recursive $1/made/. {directory}/",
    ]
    options = [*OPTIONS, "--format=null", f"--include={','.join(_PACKAGES)}"]
    options += [f"--customize-hook={hook}" for hook in hooks]
    run(["nice", "mmdebstrap", *options, _RELEASE, "-"], timeout=3600)
