"""Gateways of one site behind a balancer, without servers around them, and devices that connect to it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import ocserv_conf
from mstunnel_setup.gateway.options import GatewayOptions
from tests.testbed import vpn
from tests.testbed.certificates import Authority
from tests.testbed.machine import Machine
from tests.testbed.paths import ROOT
from tests.testbed.process import Completed, TestbedError
from tests.testbed.testbed import DOMAIN, NETWORKS, Testbed
from tests.testbed.waiting import eventually

NAMES = ("gw1", "gw2", "gw3")
BALANCER = f"balancer.{DOMAIN}"
DRAIN_SECONDS = 8
_LAST = {"gw1": 71, "gw2": 72, "gw3": 73, "plain": 74, "balancer": 70, "haproxy": 75}
# Devices of this site get no name servers.
_INTRANET = f"http://{NETWORKS['internal']}.80/"


def address_of(name: str) -> str:
    """Where a machine of the site is."""
    return f"{NETWORKS['outside']}.{_LAST[name]}"


def example(name: str, gateways: Iterable[str]) -> str:
    """An example of a balancer, with these addresses of gateways."""
    text = (ROOT / "contrib/balancer" / name).read_text()
    for number, address in enumerate(gateways, 21):
        text = text.replace(f"192.0.2.{number}", address)
    return text


@dataclass
class Site:
    """`gateways` by name; `devices` by the name in their certificates, which is their user."""

    testbed: Testbed
    lab: Mapping[str, Any]
    authority: Authority = field(default_factory=Authority)
    gateways: dict[str, Machine] = field(default_factory=dict)
    devices: dict[str, Machine] = field(default_factory=dict)

    @classmethod
    def boot(cls, testbed: Testbed, lab: Mapping[str, Any], devices: int) -> "Site":
        """Start three gateways behind nginx, one more without a balancer, and the devices.

        `lab` says where the tenant is, whose tokens the gateways accept beside certificates.
        """
        site = cls(testbed, lab)
        for name in (*NAMES, "plain"):
            site.start(name)
        testbed.start_balancer(
            "balancer",
            _LAST["balancer"],
            *("nginx", "-c", "/srv/configuration", "-g", "daemon off;"),
            configuration=example("nginx.conf", map(address_of, NAMES)),
        )
        for number in range(1, devices + 1):
            site.devices[f"device{number}"] = testbed.start_client(f"device{number}", 100 + number)
        return site

    def start(self, name: str) -> None:
        """Start a gateway, and return when it serves."""
        proxied = name in NAMES
        settings = [{"name": "server-drain-ms", "value": str(1000 * DRAIN_SECONDS)}]
        wire = {
            "id": "c",
            "displayName": "Site",
            "network": "169.254.0.0/16",
            "routeIncludes": [f"{NETWORKS['internal']}.0/24"],
            "advancedSettings": settings,
        }
        options = GatewayOptions(certificate_too=True, balancers=("192.0.2.10",) if proxied else ())
        tenant = f"{self.lab['authority']}/v2.0"
        tokens = {
            "openid_configuration_url": f"{tenant}/.well-known/openid-configuration",
            "user_name_claim": "oid",
            "required_claims": {"iss": tenant},
        }
        chain, key = self.authority.issue(BALANCER)
        balancers = f"{address_of('balancer')}\n{address_of('haproxy')}\n"
        files: dict[str, str | bytes] = {
            "ca-trust/lab.crt": self.testbed.lab.read(self.lab["ca_file"]),
            "oidc.json": json.dumps(tokens),
            "ocserv.conf": ocserv_conf(ServerConfiguration.from_wire(wire), options),
            "certs/device-ca.crt": self.authority.pem,
            "private/active/chain.pem": chain,
            "private/active/key.pem": key,
        }
        if proxied:
            files["balancers"] = balancers
        gateway = self.testbed.start_gateway(name, _LAST[name], files)
        self.gateways[name] = gateway
        healthy = ["/usr/libexec/mstunnel/healthcheck"]
        if not eventually(lambda: gateway.run(healthy, check=False).code == 0, 30):
            raise TestbedError(gateway.logs())

    def stop(self, name: str) -> None:
        """Stop a gateway as an engine does, in its own time, and remove it."""
        del self.gateways[name]
        self.testbed.namespace.podman("stop", name, timeout=90)
        self.testbed.namespace.podman("rm", name)

    def connect(self, device: str, url: str = f"https://{BALANCER}/") -> None:
        """Connect a device, and leave it so. Raises TestbedError."""
        certificate = self.authority.issue_device(device)
        vpn.connect(self.devices[device], url, self.authority.pem, certificate=certificate).checked()

    def keep_connected(self, device: str) -> None:
        """Have a device connect, and connect again whenever it is cut off."""
        certificate, url = self.authority.issue_device(device), f"https://{BALANCER}/"
        vpn.keep_connected(self.devices[device], url, self.authority.pem, certificate=certificate)

    def disconnect(self) -> None:
        """End the connections of all devices."""
        for device in self.devices.values():
            vpn.disconnect(device)

    def page(self, device: str, times: int = 1) -> Completed:
        """The internal page, as a device gets it now, or so many times in a row."""
        command = ["curl", "--silent", "--show-error", "--max-time", "5", f"{_INTRANET}?[1-{times}]"]
        return self.devices[device].run(command, check=False)

    def sessions(self, name: str) -> Mapping[str, Mapping[str, Any]]:
        """What a gateway knows about its sessions, by the name of the device."""
        listed = self.gateways[name].run(["occtl", "--json", "show", "users"], check=False).stdout
        # One that is just beginning has no name yet.
        found = {session["Username"]: session for session in json.loads(listed or "[]")}
        return {device: found[device] for device in self.devices if device in found}

    def remove(self) -> None:
        """Remove all machines of the site."""
        names = (*self.gateways, *self.devices, "balancer", "haproxy")
        self.testbed.namespace.podman("rm", "--force", "--ignore", "--time=0", *names)
