"""A server on which another gateway runs in real containers: refused, taken over, and brought back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import clear
from tests.testbed.host_tree import host_tree
from tests.testbed.installation import CONTAINERS, Installation
from tests.unit.vendor import OCSERV, SETTINGS

pytestmark = pytest.mark.e2e

_MONITOR = (
    "[Unit]\nDescription=Another monitor\n[Service]\nExecStart=/usr/sbin/mstunnel_monitor\n"
    "[Install]\nWantedBy=multi-user.target\n"
)
_ANSWERS = ("--unattended", "--output", "json")


def place_vendor(host: Installation) -> None:
    """Its files, its monitor, and two containers, one of which holds the port; any image would do."""
    server = host.server
    server.run(["install", "-d", "/etc/mstunnel/certs", "/etc/mstunnel/private", "/etc/mstunnel/messages/in"])
    for path, content, mode in (
        ("/usr/sbin/mst-cli", "#!/bin/bash\necho another\n", 0o755),
        ("/usr/sbin/mstunnel_monitor", "#!/bin/bash\nexec sleep infinity\n", 0o755),
        ("/etc/systemd/system/mstunnel_monitor.service", _MONITOR, 0o644),
        ("/etc/mstunnel/admin-settings.json", json.dumps(SETTINGS), 0o640),
        ("/etc/mstunnel/ocserv.conf", OCSERV, 0o640),
        ("/etc/mstunnel/env.sh", "TRACE_SESSIONS=1\n", 0o600),
        ("/etc/mstunnel/certs/active.crt", server.read(host.path("chain.pem")), 0o644),
        ("/etc/mstunnel/private/active.key", server.read(host.path("key.pem")), 0o770),
        ("/etc/mstunnel/private/agent.p12", "of another agent", 0o600),
    ):
        server.write(path, content, mode)
    server.run(["systemctl", "daemon-reload"])
    server.run(["systemctl", "enable", "--now", "mstunnel_monitor.service"])
    server.run(["systemctl", "enable", "podman-restart.service"])
    for name in CONTAINERS:
        published = ["--publish=443:443/tcp", "--publish=443:443/udp"] if name == CONTAINERS[0] else []
        server.run(
            [
                *("podman", "run", "--detach", f"--name={name}", "--restart=always", *published),
                *("--volume=/etc/mstunnel:/etc/mstunnel", "--entrypoint=sleep"),
                *(host.references["gateway"], "infinity"),
            ],
            timeout=180,
        )


def remove_vendor(host: Installation) -> None:
    """Remove all of it, under both names."""
    server = host.server
    names = [f"{name}{end}" for name in CONTAINERS for end in ("", ".vendor")]
    server.run(["podman", "rm", "--force", "--time=0", *names], check=False)
    server.run(["systemctl", "disable", "--now", "mstunnel_monitor.service"], check=False)
    server.run(["systemctl", "disable", "podman-restart.service"], check=False)
    server.shell(
        "rm -rf /etc/mstunnel /etc/mstunnel.vendor /usr/sbin/mst-cli /usr/sbin/mstunnel_monitor"
        " /usr/sbin/*.vendor /etc/systemd/system/mstunnel_monitor.service*; systemctl daemon-reload"
    )
    server.run(["podman", "rmi", host.references["gateway"]], check=False)


@pytest.fixture
def vendor(prepared: Installation) -> Iterator[Installation]:
    """The other gateway runs; whatever a test leaves is removed."""
    prepared.restore()
    prepared.write_answers({"certificate": None})
    place_vendor(prepared)
    yield prepared
    clear(prepared)
    remove_vendor(prepared)


def adopt(host: Installation, *command: str) -> Any:
    """Run a command of `adopt`; its JSON data."""
    given = () if command[0] == "commit" else ("--answers", host.path("answers.yaml"))
    return host.program("mstunnel-setup", "adopt", *command, *given, *_ANSWERS).envelope["data"]


def containers(host: Installation) -> dict[str, tuple[bool, str]]:
    """By name: whether it runs, and its restart policy."""
    form = "{{.Name}} {{.State.Running}} {{.HostConfig.RestartPolicy.Name}}"
    names = host.server.run(["podman", "ps", "--all", "--format={{.Names}}"]).stdout.split()
    shown = host.server.run(["podman", "container", "inspect", f"--format={form}", *names]).stdout
    return {name: (state == "true", policy) for name, state, policy in map(str.split, shown.splitlines())}


def test_it_is_refused_taken_over_and_brought_back(vendor: Installation) -> None:
    before, tenant, running = host_tree(vendor), vendor.tenant(), containers(vendor)
    assert running == dict.fromkeys(CONTAINERS, (True, "always"))

    refused = vendor.setup(check=False)
    assert (refused.code, refused.error) == (3, "vendor-installed")
    assert (host_tree(vendor), containers(vendor)) == (before, running)

    plan = adopt(vendor, "plan")
    assert not plan["blocked"]
    adopt(vendor, "switch", "--plan", plan["digest"])

    kept = containers(vendor)
    assert {name: kept[f"{name}.vendor"] for name in CONTAINERS} == dict.fromkeys(CONTAINERS, (False, "no"))
    assert all(kept[name][0] for name in CONTAINERS)
    assert "TRACE_SESSIONS=1" in vendor.server.read("/etc/mstunnel/env.sh")
    vendor.visit()

    adopt(vendor, "rollback")

    assert host_tree(vendor) == before
    assert vendor.tenant() == tenant
    assert containers(vendor) == running
    assert vendor.server.run(["systemctl", "is-active", "mstunnel_monitor.service"]).stdout == "active\n"
    held = vendor.server.run(["ss", "--listening", "--tcp", "--numeric", "sport = :443"]).stdout
    assert ":443" in held


def test_after_a_reboot_ours_runs_and_the_other_one_does_not(vendor: Installation) -> None:
    """Podman starts again what has the policy `always`, and both would want the port."""
    plan = adopt(vendor, "plan")
    adopt(vendor, "switch", "--plan", plan["digest"])
    adopt(vendor, "commit")

    vendor.reboot()
    vendor.wait_until_healthy()

    found = containers(vendor)
    assert {name: found[f"{name}.vendor"][0] for name in CONTAINERS} == dict.fromkeys(CONTAINERS, False)
    vendor.connect()
    vendor.check_page()
