"""The kinds of host that a gateway is installed on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.testbed.images import DOCKER_SERVER, PEERS_SERVER, RPM_HOST, SSH_HOST
from tests.testbed.machine import TREES

# An init that only reaps, as hosts without systemd may have; programs of systemd are not even there.
# Processes stay out of the root of the control groups, where engines want to make groups of their own.
_PLAIN = """
rm -f /usr/bin/systemctl /usr/bin/journalctl
mkdir -p /sys/fs/cgroup/init
echo 0 >/sys/fs/cgroup/init/cgroup.procs
{starts}
exec catatonit -- sleep infinity
"""
_DOCKERD = "rm -f /run/docker.pid; dockerd >>/var/log/dockerd.log 2>&1 &"
_NO_QUADLET = "rm -f /usr/libexec/podman/quadlet; exec /lib/systemd/systemd"


@dataclass(frozen=True)
class Kind:
    """An engine on a host with or without systemd.

    `start` is the shell script that the host begins with (empty: systemd), `answers` what the answer file
    says more than on other hosts, `killed` the process that the engine is, `at_boot` what the host's init has
    to run after a reboot. `account` runs the containers (empty: root), `directory` is where an administrator
    puts what the answers name.
    """

    name: str
    engine: str = "podman"
    image: str = "server"
    start: str = ""
    systemd: bool = True
    killed: str = "conmon"
    at_boot: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)
    account: str = ""
    directory: str = "/root"

    def engine_command(self, *arguments: str) -> tuple[str, ...]:
        """A command of the engine, run as the user of the containers."""
        return self.as_account(self.engine, *arguments)

    def as_account(self, *command: str) -> tuple[str, ...]:
        """A command, run as the user of the containers."""
        if not self.account:
            return command
        # The first account of a new system.
        return ("runuser", "-u", self.account, "--", "env", "XDG_RUNTIME_DIR=/run/user/1000", *command)

    @property
    def trees(self) -> tuple[str, ...]:
        """What an installation may change; of a home not what Podman and running containers keep there."""
        if not self.account:
            return TREES
        home = f"/home/{self.account}"
        own = (f"{home}/.config", f"{home}/.local/state/mstunnel")
        return (*(tree for tree in TREES if tree != "/home"), *own)

    @property
    def certificates(self) -> str:
        """Where the engine looks for authorities of registries."""
        return "/etc/docker/certs.d" if self.engine == "docker" else "/etc/containers/certs.d"

    @property
    def command(self) -> tuple[str, ...]:
        """What the host's container runs; empty for what its image says."""
        return ("sh", "-c", self.start) if self.start else ()


PODMAN = Kind("podman")
PODMAN_ROOTLESS = Kind(
    "podman-rootless", answers={"mode": "rootless"}, account="mstunnel", directory="/srv/mstunnel"
)
PODMAN_UNIT = Kind("podman-unit", start=_NO_QUADLET)
# As an administrator finds it: nothing is copied there yet.
BARE = Kind("bare", image="host")
BARE_RPM = Kind("bare-rpm", image=RPM_HOST)
# With what Ansible needs of a server.
BARE_SSH = Kind("bare-ssh", image=SSH_HOST)
PODMAN_WITH_PEERS = Kind("podman", image=PEERS_SERVER)
PODMAN_PLAIN = Kind(
    "podman-plain",
    start=_PLAIN.format(starts=""),
    systemd=False,
    at_boot="mst-cli server start; mst-cli agent start",
)
DOCKER = Kind("docker", "docker", DOCKER_SERVER, killed="dockerd")
DOCKER_PLAIN = Kind(
    "docker-plain", "docker", DOCKER_SERVER, _PLAIN.format(starts=_DOCKERD), systemd=False, killed="dockerd"
)
