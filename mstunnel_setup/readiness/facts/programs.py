"""What programs of the host tell: engines, SELinux, auditing, firewall."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal

from mstunnel_setup.actions import uplink
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.readiness.facts import firewall, parse
from mstunnel_setup.readiness.facts.firewall import Firewall
from mstunnel_setup.readiness.facts.section import EngineName, Section, Settings, text_of


class Engine(Section):
    """A container engine that is installed; `version` is empty when it reports none.

    `running` is None when it did not respond in time: a slow host is not one without an engine.
    """

    name: EngineName
    version: str = ""
    running: bool | None = True
    reason: str = ""


class EngineFacts(Section):
    """The engines, and settings of theirs that matter."""

    engines: tuple[Engine, ...] = ()
    userns_remap: str = ""
    network_backend: Literal["netavark", "cni", ""] = ""
    pasta: bool = False
    slirp4netns: bool = False


class SecurityFacts(Section):
    """SELinux (`proxy_ports` is None without `semanage`), auditing and the firewall.

    `container_devices` is SELinux's boolean container_use_devices, `container_netlink` its boolean
    virt_sandbox_use_netlink; each is None where the policy has none.
    """

    selinux: Literal["enforcing", "permissive", "absent"] = "absent"
    container_devices: bool | None = None
    container_netlink: bool | None = None
    proxy_ports: tuple[str, ...] | None = None
    auditd: Literal["active", "inactive", "absent"] = "absent"
    firewall: Firewall = Firewall()


_SECONDS = 30.0

_UFW = ("ufw", "status", "verbose")

_PASTA = ("pasta", "passt")

# dockerd(8): what `info` says of a daemon that maps users.
_REMAPPED = '"name=userns"'


@dataclass(frozen=True)
class ProgramReader:
    """Asks programs; one that is missing, fails or hangs has nothing to say."""

    files: Files
    processes: Processes
    settings: Settings
    seconds: float = _SECONDS

    def engine(self) -> EngineFacts:
        """The container engines and their networks."""
        daemon = parse.json_object(text_of(self.files, "/etc/docker/daemon.json"))
        podman, backend = self._engine("podman", "{{.Version.Version}} {{.Host.NetworkBackend}}")
        docker, options = self._engine("docker", "{{.ServerVersion}} {{json .SecurityOptions}}")
        # A daemon may have the option on its command line, too.
        remap = "on" if _REMAPPED in options else ""
        return EngineFacts(
            engines=tuple(item for item in (podman, docker) if item is not None),
            userns_remap=str(daemon.get("userns-remap") or remap),
            network_backend="netavark" if backend == "netavark" else "cni" if backend == "cni" else "",
            pasta=any(self.processes.find(name) for name in _PASTA),
            slirp4netns=self.processes.find("slirp4netns") is not None,
        )

    def _engine(self, name: EngineName, wanted: str) -> tuple[Engine | None, str]:
        """An engine, and its last answer; it runs when the part that does the work tells its version."""
        if self.processes.find(name) is None:
            return None, ""
        told = self._ask([name, "info", "--format", wanted])
        words = told.output.split() if told is not None and told.code == 0 else []
        # The client of a daemon that is down may still print the rest of what was asked for.
        if words and words[0][0].isdigit():
            return Engine(name=name, version=words[0]), words[-1]
        version = _version(self._ask([name, "--version"]))
        if told is None:
            return Engine(name=name, version=version, running=None, reason=text("no answer in time")), ""
        *_, reason = told.error.strip().splitlines() or [""]
        return Engine(name=name, version=version, running=False, reason=plain(reason, 120)), ""

    def security(self) -> SecurityFacts:
        """SELinux, auditing and the firewall."""
        enforce = text_of(self.files, "/sys/fs/selinux/enforce").strip()
        selinux: Literal["enforcing", "permissive", "absent"] = (
            "enforcing" if enforce == "1" else "permissive" if enforce == "0" else "absent"
        )
        return SecurityFacts(
            selinux=selinux,
            container_devices=self._boolean("container_use_devices"),
            container_netlink=self._boolean("virt_sandbox_use_netlink"),
            proxy_ports=self.proxy_ports() if enforce else None,
            auditd=self._auditd(),
            firewall=self._firewall(),
        )

    def _boolean(self, name: str) -> bool | None:
        """A boolean of SELinux as it is now; the second number is what it would become (selinuxfs)."""
        now = text_of(self.files, f"/sys/fs/selinux/booleans/{name}")[:1]
        return {"0": False, "1": True}.get(now)

    def proxy_ports(self) -> tuple[str, ...] | None:
        """The TCP ports that SELinux labels as those of proxies; None when they cannot be read."""
        told = self._ask(["semanage", "port", "-l"])
        return firewall.proxy_port_ranges(told.output) if told is not None and told.code == 0 else None

    def _auditd(self) -> Literal["active", "inactive", "absent"]:
        told = self._ask(["systemctl", "is-active", "auditd.service"])
        if told is not None and told.output.strip() == "active":
            return "active"
        return "inactive" if self.processes.find("auditd") is not None else "absent"

    def _firewall(self) -> Firewall:
        """The first active firewall: the frontends before the rules they make.

        What an engine or an uplink forwards to a gateway passes by the zones and rules of the frontends.
        """
        port = self.settings.port
        if self.settings.mode == "rootful" or port in uplink.prepared(self.files):
            rules, told = self._rules(), self._ask(_UFW)
            if rules is None:
                return Firewall(kind="nftables", forwarded=True)
            return firewall.forwarded(rules, told.output if told is not None else "", port)
        state = self._ask(["firewall-cmd", "--state"])
        if state is not None and state.code == 0:
            zones = self._ask(["firewall-cmd", "--list-all-zones"])
            return firewall.firewalld(zones.output if zones is not None else "", port)
        told = self._ask(_UFW)
        found = firewall.ufw(told.output, port) if told is not None else None
        if found is not None:
            return found
        rules = self._rules()
        if rules is None:
            return Firewall(kind="nftables")
        return firewall.nftables(rules, port) or Firewall()

    def _rules(self) -> str | None:
        """The rules of nftables; None where they cannot be read: without its program, or without root."""
        told = self._ask(["nft", "--json", "list", "ruleset"])
        return told.output if told is not None and told.code == 0 else None

    def _ask(self, arguments: Sequence[str]) -> Completed | None:
        if self.processes.find(arguments[0]) is None:
            return None
        try:
            return self.processes.run(arguments, timeout=self.seconds, check=False)
        except ProcessError:
            return None


def _version(told: Completed | None) -> str:
    """The version in "podman version 5.4.0" or "Docker version 28.1.1, build ..."."""
    words = told.output.replace(",", " ").split() if told is not None else []
    return next((word for word in words if word[0].isdigit()), "")


_PROGRAMS: Final = ("ip", "nft")

_DROPS: Final = re.compile(r"hook forward [^;]*; policy drop;")

# The second has what stands behind the local server of systemd-resolved.
_RESOLVERS: Final = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def obstacle(files: Files, processes: Processes) -> str:
    """Why a gateway would not be reached or would reach no name server by an uplink; empty when it would.

    Only root can see the rules of the host.
    """
    missing = [name for name in _PROGRAMS if processes.find(name) is None]
    if missing:
        return text("{missing} is not installed", missing=" and ".join(missing))
    firewalld = processes.find("firewall-cmd") is not None
    if firewalld and processes.run(["firewall-cmd", "--state"], timeout=_SECONDS, check=False).code == 0:
        return text("firewalld filters forwarded packets")
    # A rule that drops is final, whatever other tables accept: ufw and Docker have one.
    chains = processes.run(["nft", "list", "chains"], timeout=_SECONDS, check=False).output
    if _DROPS.search(chains):
        return text("a rule of this host, such as one of ufw or Docker, drops forwarded packets")
    return "" if resolver(files) else text("its only name server listens on the host's loopback")


def resolver(files: Files) -> str:
    """The file with a name server that a gateway can reach by an uplink; empty when there is none."""
    for path in _RESOLVERS:
        if any(not ip_address(name).is_loopback for name in parse.resolvers(text_of(files, path))):
            return path
    return ""
