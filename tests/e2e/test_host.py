"""The host around the gateway on real parts: proxy, kernel, bridge, and what is refused in advance."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.testbed.host_tree import host_tree
from tests.testbed.installation import Installation
from tests.testbed.machine import Machine
from tests.testbed.testbed import DOMAIN
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

OLD, NEW = (f"http://proxy.{DOMAIN}:{port}" for port in (3128, 8888))
PLACES = (
    "/etc/mstunnel/env.sh",
    "/etc/profile.d/http_proxy.sh",
    "/etc/systemd/system/podman.service.d/http-proxy.conf",
    "/etc/systemd/system/mstunnel_monitor.service.d/http-proxy.conf",
)
BRIDGE = "192.168.240.0/24"
# Nothing leaves this server, nor its containers, for lab and registry but by way of the proxy.
WALL = """
table inet wall {
    set closed { type ipv4_addr; elements = { 10.90.0.30, 10.90.0.40 } }
    chain output { type filter hook output priority 0; ip daddr @closed reject; }
    chain forward { type filter hook forward priority 0; ip daddr @closed reject; }
}
"""


@pytest.fixture(scope="module")
def proxy(prepared: Installation) -> Machine:
    return prepared.testbed.start_proxy()


@pytest.fixture
def wall(prepared: Installation) -> Iterator[None]:
    prepared.server.run(["nft", "-f", "-"], stdin=WALL)
    yield
    prepared.server.run(["nft", "delete", "table", "inet", "wall"])


@contextmanager
def forwarding(host: Installation, value: str) -> Iterator[None]:
    """The server as it was before any container ran on it."""
    host.server.run(["sysctl", "--quiet", "--write", f"net.ipv4.ip_forward={value}"])
    yield
    assert host.server.read("/proc/sys/net/ipv4/ip_forward") == f"{value}\n"


def limits_forwarding(host: Installation) -> bool:
    """Whether the kernel has the rules with which the host forwards for the gateway only."""
    return "table inet mstunnel-forwarding\n" in host.server.run(["nft", "list", "tables"]).stdout


def connected(proxy: Machine) -> set[str]:
    """Hosts that the proxy connected to."""
    return set(re.findall(r"\(file descriptor \d+\): CONNECT (\S+):\d+ HTTP", proxy.logs()))


def findings(envelope: Mapping[str, Any]) -> dict[str, str]:
    """Results of mst-readiness by check."""
    return {item["id"]: item["result"] for item in envelope["data"]["findings"]}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("wall")
def test_all_traffic_follows_the_proxy_when_it_changes(host: Installation, proxy: Machine) -> None:
    before = host_tree(host)
    host.write_answers({"environment": {"https_proxy": OLD, "no_proxy": "localhost"}, "bridge": BRIDGE})
    # It is the first start of the one file, which unpacks itself: on a busy machine that takes a minute.
    ready = [
        "mst-readiness",
        "network",
        "--answers",
        "/root/answers.yaml",
        "--unattended",
        "--output",
        "json",
    ]
    network = findings(host.server.run(ready, check=False, timeout=240).envelope)
    assert {network[name] for name in ("proxy-connects", "endpoint-sign-in", "endpoint-graph")} == {"pass"}
    with forwarding(host, "0"):
        host.setup()
        assert {f"registry.{DOMAIN}", f"lab.{DOMAIN}"} <= connected(proxy)
        assert host.server.read("/proc/sys/net/ipv4/ip_forward") == "1\n"
        assert limits_forwarding(host)
        # As an administrator does after a change of the host's own rules, which are flushed first.
        host.server.run(["systemctl", "restart", "mstunnel-forwarding.service"])
        assert limits_forwarding(host)
        for path in PLACES:
            text = host.server.read(path)
            assert f"https_proxy={OLD}" in text
            assert f"HTTPS_PROXY={OLD}" in text
        unit = ["systemctl", "show", "--property=Environment", "podman.service"]
        assert f"HTTPS_PROXY={OLD}" in host.server.run(unit).stdout
        inspect = ["podman", "inspect", "--format={{.NetworkSettings.IPAddress}}", "mstunnel-server"]
        assert host.server.run(inspect).stdout.startswith("192.168.240.")
        host.visit()
        assert host.setup().envelope["status"] == "unchanged"

        started = host.started()
        host.server.run(["mst-cli", "env", "set", "https_proxy", NEW])
        host.cli("install", "--unattended")
        assert [path for path in PLACES if OLD in host.server.read(path)] == []
        assert not set(host.started().split("\n")) & set(started.split("\n")) - {""}

        host.server.run(["nft", "flush", "table", "inet", "wall"])
        for name in ("https_proxy", "no_proxy"):
            host.server.run(["mst-cli", "env", "unset", name])
        host.cli("install", "--unattended")
        assert host.server.shell(f"grep -l {NEW} {' '.join(PLACES)}", check=False).stdout == ""
        assert [host.server.run(["test", "-e", path], check=False).code for path in PLACES[1:]] == [1, 1, 1]
        kept = {item["code"] for item in host.uninstall().envelope["warnings"]}
        assert not limits_forwarding(host)
    # The proxy was removed from env.sh; the rest of the file stays.
    assert kept == {"kept"}
    host.server.run(["rm", "-r", "/etc/mstunnel"])
    host.restore()
    assert host_tree(host) == before


def test_a_proxy_that_was_set_and_removed_is_gone_from_the_agent(host: Installation) -> None:
    """The containers start with the same `env.sh` before and after it, so nothing else restarts the agent."""
    host.setup()
    wrong = "http://proxy.invalid:3128"
    told = host.cli("env", "set", "HTTPS_PROXY", wrong).envelope
    assert [(item["code"], wrong in item["message"]) for item in told["warnings"]] == [
        ("proxy-unreachable", True)
    ]

    def is_named() -> bool:
        """Whether the agent fails at the proxy, and `status` names it, with both containers healthy."""
        found = host.cli("status", check=False)
        named = [item["code"] for item in found.envelope["warnings"] if wrong in item["message"]]
        return (found.code, named) == (3, ["proxy-unreachable"])

    assert eventually(is_named, 150)
    server, agent = host.started().splitlines()
    host.cli("env", "unset", "HTTPS_PROXY")
    host.cli("install", "--unattended")
    after = host.started().splitlines()
    assert (after[0] == server, after[1] == agent) == (True, False)
    assert eventually(lambda: host.cli("status", check=False).code == 0, 60)


def test_pruned_images_are_named_and_loaded_again(host: Installation) -> None:
    archives = [f"/root/{image}.tar" for image in ("gateway", "agent")]
    for image, archive in zip(("gateway", "agent"), archives, strict=True):
        reference = host.references[image]
        host.server.run(["podman", "pull", "--quiet", reference], timeout=120)
        save = ["podman", "save", "--quiet", "--format=oci-archive", f"--output={archive}", reference]
        host.server.run(save, timeout=120)
        host.server.run(["podman", "rmi", reference])
    images = {"server": host.references["gateway"], "agent": host.references["agent"], "archive": archives}
    host.write_answers({"images": images})
    host.setup()
    host.server.run(["systemctl", "stop", "mstunnel_monitor", "mstunnel-server", "mstunnel-agent"])
    host.server.run(["podman", "system", "prune", "--all", "--force"])

    named = [
        (item["message"], item["hint"])
        for item in host.cli("status", check=False).envelope["warnings"]
        if item["code"] == "container-image-missing"
    ]
    refused = host.cli("server", "start", check=False)
    (error,) = refused.envelope["errors"]
    assert (refused.code, error["code"]) == (7, "container-image-missing")
    for (message, hint), archive in zip(named, archives, strict=True):
        assert archive in message
        assert "mst-cli install" in hint
    assert archives[0] in error["message"]

    host.server.run(["mv", archives[0], "/srv/gateway.tar"])
    (error,) = host.cli("install", "--unattended", check=False).envelope["errors"]
    assert (error["code"], archives[0] in error["message"]) == ("image-archive-gone", True)
    host.server.run(["mv", "/srv/gateway.tar", archives[0]])
    host.cli("install", "--unattended")
    host.visit()
    # An archive is needed for loading only.
    host.server.run(["rm", *archives])
    assert host.cli("install", "--unattended").envelope["status"] == "unchanged"


def test_taken_client_pool_is_refused_before_registration(host: Installation) -> None:
    """It is known with the site; what came before stays for the next run, and uninstall takes it back."""
    before = host_tree(host)
    host.server.run(["ip", "route", "add", "169.254.128.0/24", "dev", "eth1"])
    try:
        planned = host.program(
            *("mstunnel-setup", "plan", "--answers", "/root/answers.yaml"),
            *("--unattended", "--output", "json"),
            check=False,
        )
        refused = host.setup(check=False)
    finally:
        host.server.run(["ip", "route", "del", "169.254.128.0/24"])
    assert planned.code == refused.code == 3
    (error,) = refused.envelope["errors"]
    assert error["code"] == "pool-route"
    assert "client pool 169.254.0.0/16 and route via eth1 169.254.128.0/24" in error["message"]
    assert "/etc/mstunnel/ocserv.conf" not in host_tree(host)
    assert host.tenant()["servers"] == []
    host.uninstall()
    assert host_tree(host) == before


def test_what_the_installation_sets_does_not_fail_a_fresh_host(host: Installation) -> None:
    with forwarding(host, "0"):
        checked = host.program("mst-readiness", "utils", "--output", "json")
        found = {row["id"]: row for row in checked.envelope["data"]["findings"]}["ip-forward"]
        assert (found["result"], found["fixed_by"]) == ("warning", "kernel")
        assert "will be fixed by the installation" in found["seen"]
        host.setup()
        host.server.run(["sysctl", "--quiet", "--write", "net.ipv4.ip_forward=0"])
        drifted = host.program("mst-readiness", "utils", "--output", "json", check=False)
        assert (drifted.code, drifted.error) == (3, "ip-forward")


def test_problems_are_fixed_and_each_change_shows_how_to_undo_it(host: Installation) -> None:
    fix = ("mst-readiness", "rootless", "--fix", "--unattended", "--output", "json")
    fixed = host.program(*fix, check=False)
    fixes = fixed.envelope["data"]["fixes"]
    assert [fix["says"] for fix in fixes if not fix["done"]] == []
    checks = {name for fix in fixes for name in fix["checks"]}
    assert {"rootless-account", "rootless-linger"} <= checks
    assert "rootless-port" not in checks
    found = findings(fixed.envelope)
    assert {name: found[name] for name in checks if found[name] != "pass"} == {}
    assert host.program(*fix, check=False).envelope["data"]["fixes"] == []

    for fix in reversed(fixes):
        host.server.shell(fix["undo"].partition(", and ")[0])
    broken = findings(host.program("mst-readiness", "rootless", "--output", "json", check=False).envelope)
    assert broken["rootless-account"] != "pass"
    assert host.server.run(["test", "-e", "/etc/sysctl.d/90-mstunnel.conf"], check=False).code == 1
