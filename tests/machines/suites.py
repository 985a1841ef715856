"""The releases of Debian that machines are installed with: one row each."""

from dataclasses import dataclass

_BOOT = ("systemd", "systemd-sysv", "udev", "dbus", "dbus-user-session", "libpam-systemd")
_KERNEL = ("linux-image-cloud-amd64", "initramfs-tools", "kmod")
_NETWORK = ("iproute2", "nftables", "iptables", "ca-certificates", "openssh-server", "curl")
_OTHER = ("python3", "procps", "e2fsprogs", "xfsprogs", "zstd")
_PODMAN = (
    "podman",
    "crun",
    "netavark",
    "aardvark-dns",
    "uidmap",
    "slirp4netns",
    "fuse-overlayfs",
    "catatonit",
)


@dataclass(frozen=True)
class Suite:
    """A release and the packages of its container engine."""

    name: str
    engine: tuple[str, ...]

    @property
    def packages(self) -> tuple[str, ...]:
        """Everything that is installed besides the essential packages."""
        return (*_BOOT, *_KERNEL, *_NETWORK, *_OTHER, *self.engine)


SUITES = {
    suite.name: suite
    for suite in (
        Suite("trixie", (*_PODMAN, "passt")),
        # Its Podman has no Quadlet and is below the least version: the program refuses it.
        Suite("bookworm", _PODMAN),
        Suite("sid", (*_PODMAN, "passt")),
    )
}
FILE_SYSTEMS = ("ext4", "xfs")
