"""The releases of Debian that machines are installed with: one row each."""

from dataclasses import dataclass

from tests.testbed.kinds import Kind

_SYSTEMD = ("systemd-sysv", "dbus-user-session", "libpam-systemd")
_BOOT = ("systemd", "udev", "dbus")
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

_DOCKER = ("docker.io", "docker-cli")
_SELINUX = (
    "selinux-policy-default",
    "selinux-basics",
    "policycoreutils",
    "policycoreutils-python-utils",
    "auditd",
    "setools",
)


@dataclass(frozen=True)
class Suite:
    """A release, the packages of its container engine and of its first process, and what else there is.

    Of the units in `disabled` none is started at boot, whatever their packages say.
    """

    name: str
    release: str
    engine: tuple[str, ...]
    more: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """What an installation finds there."""
        return Kind(
            "machine",
            engine="podman" if "podman" in self.engine else "docker",
        )

    @property
    def packages(self) -> tuple[str, ...]:
        """Everything that is installed besides the essential packages."""
        return (*_BOOT, *_SYSTEMD, *_KERNEL, *_NETWORK, *_OTHER, *self.engine, *self.more)


SUITES = {
    suite.name: suite
    for suite in (
        Suite("trixie", "trixie", (*_PODMAN, "passt")),
        # What hosts with cgroup v1 have; crun wants cpusets there, which a kernel in user mode lacks.
        Suite("trixie-runc", "trixie", (*(name for name in _PODMAN if name != "crun"), "runc", "passt")),
        Suite("trixie-docker", "trixie", _DOCKER),
        Suite(
            "trixie-firewalls",
            "trixie",
            (*_PODMAN, "passt"),
            more=("firewalld", "ufw"),
            disabled=("firewalld",),
        ),
        Suite("trixie-logrotate", "trixie", (*_PODMAN, "passt"), more=("logrotate",)),
        Suite("trixie-selinux", "trixie", (*_PODMAN, "passt"), more=_SELINUX),
        # Its Podman has no Quadlet and is below the least version: the program refuses it.
        Suite("bookworm", "bookworm", _PODMAN),
        Suite("sid", "sid", (*_PODMAN, "passt")),
        Suite("sid-docker", "sid", _DOCKER),
    )
}
FILE_SYSTEMS = ("ext4", "xfs")
