"""Disks of whole machines: installed from a release of Debian, kept by the hash of their recipe."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.machines.kernel import Kernel
from tests.machines.places import OPTIONS, kept
from tests.machines.suites import Suite
from tests.testbed import cache
from tests.testbed.process import progress, run

_GIGABYTES = 8
_HOSTS = """\
127.0.0.1 localhost gw1 vpn.tunnel.test
10.0.2.2 lab.tunnel.test
10.99.0.80 intranet.tunnel.test
"""
# What the machine alone can reach; in a namespace, because devices may not reach the machine itself.
_INTERNAL = """\
#!/bin/sh
set -e
ip netns add intranet
ip link add internal type veth peer name eth0 netns intranet
ip address add 10.99.0.1/24 dev internal
ip link set internal up
ip -netns intranet address add 10.99.0.80/24 dev eth0
ip -netns intranet link set eth0 up
"""
_INTRANET = """\
[Service]
ExecStartPre=/usr/local/sbin/internal-network
ExecStart=ip netns exec intranet python3 -m http.server --directory /srv/intranet 80
[Install]
WantedBy=multi-user.target
"""
# What the units above do, where no systemd runs. systemd mounts the control groups without the line of fstab.
_RC_LOCAL = """\
#!/bin/sh
[ ! -d /run/systemd/system ] || exit 0
/usr/local/sbin/internal-network
ip netns exec intranet setsid python3 -m http.server --directory /srv/intranet 80 >/dev/null 2>&1 &
"""
_FILES = {
    "etc/fstab": (
        "LABEL=system / auto defaults 0 1\nLABEL=media /media ext4 ro,nofail 0 0\n"
        "cgroup2 /sys/fs/cgroup cgroup2 defaults 0 0\n"
    ),
    "etc/network/interfaces.d/uml": "auto vec0\niface vec0 inet static\n    address 10.0.2.15/24\n",
    "etc/hostname": "gw1\n",
    "etc/hosts": _HOSTS,
    "etc/resolv.conf": "nameserver 10.0.2.3\n",
    "etc/systemd/network/qemu.network": "[Match]\nName=e*\n[Network]\nDHCP=ipv4\n",
    "etc/systemd/network/uml.network": "[Match]\nName=vec*\n[Network]\nAddress=10.0.2.15/24\n",
    "etc/systemd/system/intranet.service": _INTRANET,
    "usr/local/sbin/internal-network": _INTERNAL,
    "etc/rc.local": _RC_LOCAL,
    "srv/intranet/index.html": "The internal page of the tunnel testbed.\n",
    "etc/systemd/journald.conf.d/kept.conf": "[Journal]\nStorage=persistent\n",
}
# Work of Debian that slows a boot down or disturbs a measurement.
_MASKED = (
    *(
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "dpkg-db-backup.timer",
        "fstrim.timer",
        "e2scrub_all.timer",
    ),
    *("e2scrub_reap.service", "getty@tty1.service", "serial-getty@ttyS0.service"),
)
_UNITS = ("systemd-networkd.service", "intranet.service", "ssh.service")


@dataclass(frozen=True)
class Disk:
    """A raw disk without partitions, and the key that root accepts; `directory` has its kernel and initrd."""

    path: Path
    file_system: str
    suite: Suite

    @property
    def directory(self) -> Path:
        """Where the disks of the same recipe are."""
        return self.path.parent

    @property
    def key(self) -> Path:
        """The private key."""
        return self.directory / "key"


def prepare(suite: Suite, file_system: str, kernel: Kernel | None = None) -> Disk:
    """The disk of a suite, with the modules of `kernel` too; made in two minutes when it is not there yet."""
    recipe = (suite, _FILES, _MASKED, _UNITS, OPTIONS)
    with cache.writing():
        directory = kept(suite.name, recipe, partial(_bootstrap, suite))
        path = directory / f"{file_system}{f'-{kernel.name}' if kernel else ''}.img"
        if not path.exists():
            _format(directory, path, file_system, kernel)
    return Disk(path, file_system, suite)


def _bootstrap(suite: Suite, directory: Path) -> None:
    progress(f"machine {suite.name}: installing Debian")
    key = directory / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    files = directory / "files"
    for name, content in {**_FILES, "root/.ssh/authorized_keys": key.with_suffix(".pub").read_text()}.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(content)
    (files / "root/.ssh").chmod(0o700)
    hooks = [
        f"cp --recursive --no-preserve=ownership {files}/. $1/",
        "chmod 700 $1/root $1/root/.ssh && chmod 755 $1/usr/local/sbin/internal-network $1/etc/rc.local",
        f"chroot $1 systemctl enable {' '.join(_UNITS)}",
        f"chroot $1 systemctl mask {' '.join(_MASKED)}",
        *(f"chroot $1 systemctl disable {unit}" for unit in suite.disabled),
        f"cp $1/boot/vmlinuz-* {directory}/vmlinuz && cp $1/boot/initrd.img-* {directory}/initrd",
    ]
    options = [*OPTIONS, f"--include={','.join(suite.packages)}"]
    options += [f"--customize-hook={hook}" for hook in hooks]
    run(["nice", "mmdebstrap", *options, suite.release, str(directory / "root.tar")], timeout=900)


def _format(directory: Path, path: Path, file_system: str, kernel: Kernel | None) -> None:
    """Make a file system with what was installed."""
    root = directory / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    keep = ["--xattrs", "--xattrs-include=*", "--numeric-owner"]
    run(["tar", *keep, "-xpf", str(directory / "root.tar"), "-C", str(root)], timeout=300)
    if kernel:
        shutil.copytree(kernel.modules, root / "usr/lib/modules", symlinks=True, dirs_exist_ok=True)
    unfinished = path.with_suffix(".partial")
    with unfinished.open("wb") as disk:
        disk.truncate(_GIGABYTES * 2**30)
    if file_system == "xfs":
        listed = run(["xfs_protofile", str(root)], timeout=300)
        (directory / "protofile").write_text(listed.stdout)
        run(
            ["mkfs.xfs", "-q", "-f", "-L", "system", "-p", str(directory / "protofile"), str(unfinished)],
            timeout=300,
        )
    else:
        run(["mkfs.ext4", "-q", "-F", "-L", "system", "-d", str(root), str(unfinished)], timeout=300)
    shutil.rmtree(root)
    unfinished.rename(path)
