"""A host on which Microsoft's own gateway is installed, as public descriptions tell, and its engine."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mstunnel_setup.io.process import Completed, Processes
from tests.unit.certificates.pki import Pki, key_bytes

TENANT = "99999999-0000-0000-0000-000000000000"
MONITOR = "[Unit]\nDescription=Microsoft Tunnel monitor\n[Service]\nExecStart=/usr/sbin/mstunnel_monitor\n"
SETTINGS = {
    "PolicyName": "22222222-0000-0000-0000-000000000000",
    "DisplayName": "Standard",
    "Network": "169.254.0.0/16",
    "DNSServers": ["10.0.0.53"],
    "DefaultDomainSuffix": "corp.example.org",
    "RoutesInclude": ["default"],
    "RoutesExclude": [],
    "ListenPort": 443,
}
OCSERV = (
    "server-cert = /etc/mstunnel/certs/active.crt\n"
    "server-key = /etc/mstunnel/private/active.key\n"
    "# session-timeout = 1\nsession-timeout = 43200\nmax-clients=1024\n"
)
ENVIRONMENT = "export https_proxy=http://user:hunter22@proxy.example.org:3128\nTRACE_SESSIONS=1\n"
AGENT_SETTINGS = {
    "SiteId": "11111111-0000-0000-0000-000000000001",
    "ServerId": "33333333-0000-0000-0000-000000000001",
    "ConfigId": SETTINGS["PolicyName"],
}


def lay_down(root: Path, chain: bytes = b"", key: bytes = b"") -> None:
    """Its files, this certificate or one of the tests' authority among them; the test owns them."""
    pki = Pki()
    chain = chain or pki.pem("leaf") + pki.pem("inter")
    key = key or key_bytes(pki.key_name("leaf"))
    _write(root, "usr/sbin/mst-cli", "#!/bin/bash\necho the vendor's\n", 0o755)
    _write(root, "usr/sbin/mstunnel_monitor", "#!/bin/bash\nsleep infinity\n", 0o755)
    _write(root, "etc/systemd/system/mstunnel_monitor.service", MONITOR)
    _write(root, "etc/mstunnel/images_configured", "{}\n")
    _write(root, "etc/mstunnel/admin-settings.json", json.dumps(SETTINGS))
    _write(root, "etc/mstunnel/agent-info.json", json.dumps({"AADTenantId": TENANT}))
    _write(root, "etc/mstunnel/AgentSettings.json", json.dumps(AGENT_SETTINGS))
    _write(root, "etc/mstunnel/ocserv.conf", OCSERV)
    _write(root, "etc/mstunnel/env.sh", ENVIRONMENT, 0o600)
    _write(root, "etc/mstunnel/certs/active.crt", chain)
    _write(root, "etc/mstunnel/private/active.key", key, 0o770)
    _write(root, "etc/mstunnel/private/agent.p12", b"the agent's own identity", 0o600)
    _write(root, "etc/crontab", "@reboot root mst-cli server restart\n17 * * * * root true\n")


def _write(root: Path, path: str, content: str | bytes, mode: int = 0o644) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    place.chmod(mode)


def described(name: str, *, running: bool = True, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A container as `podman container inspect` describes it."""
    return {
        "Image": "sha256:" + "c" * 64,
        "ImageName": f"mcr.microsoft.com/tunnel/gateway/{name}@sha256:" + "d" * 64,
        "State": {"Running": running, "Status": "running" if running else "exited"},
        "Config": {"Labels": dict(labels or {})},
        "HostConfig": {
            "RestartPolicy": {"Name": "always"},
            "NetworkMode": "bridge",
            "PortBindings": {"443/tcp": [{"HostIp": "", "HostPort": "443"}]},
        },
        "Mounts": [{"Source": "/etc/mstunnel", "Destination": "/etc/mstunnel"}],
    }


@dataclass
class VendorEngine(Processes):
    """A Podman with these containers, by name, as it describes them; there is no other program."""

    containers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def find(self, program: str) -> str | None:
        return "/usr/bin/podman" if program == "podman" else None

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        assert tuple(arguments[:3]) == ("podman", "container", "inspect")
        found = self.containers.get(arguments[3])
        if found is None:
            return Completed(125, "[]\n", f"no such container {arguments[3]}")
        return Completed(0, json.dumps([found]), "")


def engine() -> VendorEngine:
    """A Podman that runs both containers."""
    return VendorEngine({name: described(name) for name in ("mstunnel-server", "mstunnel-agent")})
