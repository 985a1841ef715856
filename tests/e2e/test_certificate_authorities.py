"""Certificates and who issues them, on real parts: revocation through a proxy, acme.sh, modes of keys."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import acme
from tests.e2e.test_certificates import FILES, GUIDE, leaf_of, place_new, served
from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.machine import Machine
from tests.testbed.testbed import DOMAIN
from tests.testbed.waiting import eventually
from tests.unit.certificates.authority import Authority

pytestmark = pytest.mark.e2e

PROXY = Path(__file__).parents[1] / "testbed/forward_proxy.py"
ENV = "/etc/mstunnel/env.sh"
ASKED = "/root/asked"


@dataclass(frozen=True)
class Online:
    """An openssl authority whose responder and list run on the lab's machine; only its proxy finds them."""

    authority: Authority
    lab: Machine

    def start(self) -> None:
        """Bring the authority's records over, then responder, list and proxy."""
        self.authority.write_list()
        self.copy()
        signing = "-CA ca.pem -rsigner responder.pem -rkey responder.key -ndays 1"
        self.run(f"openssl ocsp -port {self.authority.ocsp_port} -index index.txt {signing}")
        self.run(f"python3 -m http.server {self.authority.crl_port}")

    def copy(self) -> None:
        for path in self.authority.directory.iterdir():
            if path.is_file():
                self.lab.write(f"/root/authority/{path.name}", path.read_bytes())

    def stop(self) -> None:
        self.lab.shell("cd /root/authority && kill $(cat *.pid) && rm *.pid", check=False)

    def asked(self) -> list[str]:
        return self.lab.shell(f"cat {ASKED} 2>/dev/null || true").stdout.splitlines()

    def place(self, gateway: Installation, name: str) -> bytes:
        """Put a certificate of the authority where an import finds it; returns its leaf."""
        read = (self.authority.directory / f"{name}.pem").read_bytes()
        chain = read + (self.authority.directory / "ca.pem").read_bytes()
        gateway.place_certificate(chain, (self.authority.directory / f"{name}.key").read_bytes())
        return leaf_of(chain)

    def run(self, command: str) -> None:
        """Run a server of the authority; `stop` ends it."""
        self.lab.start(
            ["sh", "-c", f"cd /root/authority && echo $$ >$$.pid && exec {command} >/dev/null 2>&1"]
        )


@pytest.fixture
def online(gateway: Installation, tmp_path: Path) -> Iterator[Online]:
    """The authority, trusted by the gateway, which has a proxy towards it in env.sh."""
    authority = Authority(tmp_path, host=f"pki.{DOMAIN}", name=PUBLIC_ADDRESS)
    made = Online(authority, gateway.testbed.lab)
    for name in ("good", "bad"):
        authority.issue(name)
    authority.revoke("bad")
    made.start()
    made.lab.write("/root/forward_proxy.py", PROXY.read_text())
    made.lab.start(["sh", "-c", f"echo $$ >{ASKED}.pid; exec python3 /root/forward_proxy.py 3128 {ASKED}"])
    gateway.server.write("/root/authority.pem", (tmp_path / "ca.pem").read_bytes())
    root = gateway.cli("ca-trust", "add", "/root/authority.pem").envelope["data"]["added"][0]["name"]
    settings = gateway.server.read(ENV)
    gateway.server.write(ENV, f"{settings}http_proxy=http://lab.{DOMAIN}:3128\n", 0o640)
    yield made
    gateway.server.write(ENV, settings, 0o640)
    gateway.cli("ca-trust", "remove", root)
    made.stop()
    made.lab.shell(f"kill $(cat {ASKED}.pid); rm -rf {ASKED}* /root/authority /root/forward_proxy.py")


def health(gateway: Installation) -> dict[str, Any]:
    return gateway.cli("health", check=False).envelope


def revocation(gateway: Installation) -> str:
    """The revocation status that the agent reports after a restart."""
    rows = {row["id"]: row for row in health(gateway)["data"]["rows"]}
    return str(rows["tls-revocation"]["state"])


def asked_by_agent(gateway: Installation) -> dict[str, Any]:
    return dict(json.loads(gateway.server.read("/var/lib/mstunnel-agent/revocation.json")))


def agent_asks_again(gateway: Installation) -> None:
    """What the agent does every hour it also does at its start."""
    gateway.server.run(["rm", "-f", "/var/lib/mstunnel-agent/revocation.json"])
    gateway.cli("agent", "restart")
    there = ["test", "-s", "/var/lib/mstunnel-agent/revocation.json"]
    assert eventually(lambda: gateway.server.run(there, check=False).code == 0, 30)


@pytest.mark.long
def test_revocation_is_checked_through_the_proxy(gateway: Installation, online: Online) -> None:
    ocsp = f"http://pki.{DOMAIN}:{online.authority.ocsp_port}/"
    leaf = online.place(gateway, "good")
    gateway.cli("import_cert", *FILES)
    assert served(gateway) == leaf
    assert ocsp in online.asked()
    assert health(gateway)["data"]["certificate"]["revocation"]["state"] == "good"

    online.place(gateway, "bad")
    refused = gateway.cli("import_cert", *FILES, "--yes", check=False)
    assert (refused.code, refused.error) == (4, "revoked")
    assert served(gateway) == leaf

    before = len(online.asked())
    agent_asks_again(gateway)
    assert asked_by_agent(gateway)["state"] == "good"
    assert ocsp in online.asked()[before:]

    online.authority.revoke("good")
    online.stop()
    online.start()
    agent_asks_again(gateway)
    assert asked_by_agent(gateway)["state"] == "revoked"
    assert eventually(lambda: revocation(gateway) == "unhealthy", 30)
    # Until the agent's container counts as healthy again, that comes first.
    assert eventually(lambda: gateway.cli("health", check=False).code == 4, 60)
    assert "certificate-revoked" in [item["code"] for item in health(gateway)["warnings"]]

    online.stop()
    agent_asks_again(gateway)
    assert eventually(lambda: revocation(gateway) == "warning", 30)
    problems = health(gateway)["data"]["certificate"]["revocation"]["problems"]
    assert any(f"pki.{DOMAIN}:{online.authority.crl_port}/ca.crl" in text for text in problems), problems
    metrics = gateway.server.read("/var/lib/mstunnel-agent/metrics.prom")
    assert 'mstunnel_health_status{row="tls-revocation"} 2' in metrics
    end = re.search(r"^mstunnel_tls_certificate_expiry_timestamp_seconds (\S+)$", metrics, re.MULTILINE)
    assert end is not None
    assert 88 < (float(end[1]) - time.time()) / 86_400 <= 90


@pytest.mark.long
@pytest.mark.skipif(bool(acme.missing("acme.sh")), reason="acme.sh or pebble is not installed")
def test_acme_sh_renews_through_the_documented_command(gateway: Installation, tmp_path: Path) -> None:
    (block,) = re.findall(
        r"```sh\n(install -d[^`]*acme\.sh --install-cert.*?)```", GUIDE.read_text(), re.DOTALL
    )
    (command,) = re.findall(r'--reloadcmd "(.*?)"', block)
    chain, key = re.findall(r"--(?:fullchain|key)-file (\S+)", block)
    gateway.server.run(["sh", "-c", block.partition("\n")[0]])
    with acme.acme_server(tmp_path) as authority:
        gateway.server.write("/root/acme-root.pem", authority.root)
        root = gateway.cli("ca-trust", "add", "/root/acme-root.pem").envelope["data"]["added"][0]["name"]
        ship = acme.carry(tmp_path, gateway.server.argv([]), {"chain.pem": chain, "key.pem": key}, command)
        authority.acme_sh("--issue", "-d", PUBLIC_ADDRESS, "-w", str(tmp_path))
        files = [f"--fullchain-file={tmp_path}/chain.pem", f"--key-file={tmp_path}/key.pem"]
        places = [word for file in files for word in file.split("=")]
        authority.acme_sh("--install-cert", "-d", PUBLIC_ADDRESS, *places, "--reloadcmd", str(ship))
        first = leaf_of((tmp_path / "chain.pem").read_bytes())
        assert served(gateway) == first
        authority.acme_sh("--renew", "--force", "-d", PUBLIC_ADDRESS)
        second = leaf_of((tmp_path / "chain.pem").read_bytes())
        assert first != second
        assert served(gateway) == second
    gateway.cli("ca-trust", "remove", root)


def test_no_key_is_ever_readable_by_others(gateway: Installation) -> None:
    """What the kernel saw of a whole import, switch and copies included, by a caller without a mask.

    The file given as certificate holds the key as well.
    """
    place_new(gateway)
    gateway.server.shell(f"cat {FILES[3]} >> {FILES[1]}")
    # Copies at the usual places are part of it.
    gateway.server.run(["rm", "-f", "/etc/mstunnel/private/site.key", "/etc/mstunnel/certs/site.crt"])
    calls = "trace=open,openat,openat2,creat,chmod,fchmod,fchmodat,fchmodat2"
    # A file for each thread: in one for all, a call that another interrupts is written in two parts.
    traced = (
        f"umask 0; exec strace -ff -s 300 -o /root/trace -e {calls} mst-cli import_cert {' '.join(FILES)}"
    )
    gateway.server.shell(traced, timeout=180)
    told = gateway.server.shell('for file in /root/trace.*; do sed "s/^/${file##*.} /" "$file"; done').stdout
    born = key_files(told)
    assert {name.partition(".")[0] for name in born} == {"key", "site"}, born
    assert all(modes and set(modes) == {0o600} for modes in born.values()), born
    open_to_all = gateway.server.shell(
        "find /etc/mstunnel /var/lib/mstunnel* -type f -perm /044 -exec grep -l 'PRIVATE KEY-' {} +; true"
    )
    assert open_to_all.stdout == ""
    assert "CERTIFICATE-" in gateway.server.read("/etc/mstunnel/certs/site.crt")
    places = (
        "/etc/mstunnel/private/site.key /etc/mstunnel/private/agent.p12 /etc/mstunnel/private/active/key.pem"
    )
    assert gateway.server.shell(f"stat -Lc %a {places}").stdout.split() == ["600"] * 3


_OPENED = re.compile(
    r'^(\d+) +openat\([^"]*"\.((?:key\.pem|site\.key)\.[0-9a-f]+)", [^)]*O_CREAT[^)]*, (0[0-7]+)\) = (\d+)'
)
_CHANGED = re.compile(r"^(\d+) +fchmod\((\d+), (0[0-7]+)\)")
_BY_NAME = re.compile(r'(?:chmod|fchmodat2?)\([^"]*"([^"]*(?:key\.pem|site\.key)[^"]*)", (0[0-7]+)')


def key_files(trace: str) -> dict[str, list[int]]:
    """Every key file that was created, and each mode it was given, birth first."""
    modes: dict[str, list[int]] = {}
    opened: dict[tuple[str, str], str] = {}
    for line in trace.splitlines():
        if found := _OPENED.search(line):
            opened[found[1], found[4]] = found[2]
            modes[found[2]] = [int(found[3], 8)]
        elif (found := _CHANGED.search(line)) and (name := opened.get((found[1], found[2]))):
            modes[name].append(int(found[3], 8))
        elif found := _BY_NAME.search(line):
            modes.setdefault(found[1], []).append(int(found[2], 8))
        elif found := re.search(r"^(\d+) +open(?:at)?\(.* = (\d+)$", line):
            # The descriptor stands for another file from now on.
            opened.pop((found[1], found[2]), None)
    return modes
