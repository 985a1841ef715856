"""What programs of the host tell: engines, SELinux, auditing, firewall."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mstunnel_setup.actions import uplink
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.readiness import parse, parse_security
from mstunnel_setup.readiness.facts import Engine, EngineFacts, EngineName, Firewall, SecurityFacts, Settings
from mstunnel_setup.readiness.read import text_of

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
        return parse_security.proxy_port_ranges(told.output) if told is not None and told.code == 0 else None

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
            return parse_security.forwarded(rules, told.output if told is not None else "", port)
        state = self._ask(["firewall-cmd", "--state"])
        if state is not None and state.code == 0:
            zones = self._ask(["firewall-cmd", "--list-all-zones"])
            return parse_security.firewalld(zones.output if zones is not None else "", port)
        told = self._ask(_UFW)
        found = parse_security.ufw(told.output, port) if told is not None else None
        if found is not None:
            return found
        rules = self._rules()
        if rules is None:
            return Firewall(kind="nftables")
        return parse_security.nftables(rules, port) or Firewall()

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
