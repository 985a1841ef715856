"""`mst-admin` on a server with a gateway: the installation's tenant, and one sign-in for several commands."""

import pytest

from tests.testbed.installation import ADMINISTRATOR, LAB, Installation
from tests.testbed.terminal import Terminal

pytestmark = pytest.mark.e2e

KEPT = "/run/mst-admin"


def test_commands_share_tenant_and_sign_in_of_the_installation(host: Installation) -> None:
    host.write_answers({"tenant": None, "sign_in": None})
    host.setup("--lab", host.lab["setup"].split()[-1])
    with Terminal(host.server, ("mst-admin", "site", "list"), {}) as terminal:
        code = terminal.match(r"enter this code:\s+(?:\x1b\[1m)?\s*([A-Z0-9-]{6,12})")
        host.testbed.lab.run(["mstunnel-lab", "approve", code, "--user", ADMINISTRATOR, "--dir", LAB])
        assert terminal.end(60) == 0
        first = terminal.screen.strip().splitlines()[0]
    assert first.startswith("Tenant of the installation on this host: cloud custom")
    for command in (["site", "list"], ["servers"], ["config", "list"], ["threshold", "list"]) * 2:
        done = host.server.run(["mst-admin", *command])
        assert done.stderr.startswith("Tenant of the installation on this host: cloud custom")
        assert f"Signed in as {ADMINISTRATOR} by an earlier command" in done.stderr
    stat = host.server.shell(
        f"stat --format='%a %U' {KEPT} {KEPT}/*; findmnt --noheadings -o FSTYPE -T {KEPT}"
    )
    assert stat.stdout.split() == ["700", "root", "600", "root", "tmpfs"]
    token = host.server.shell(f"cat {KEPT}/*").stdout
    log = host.server.shell("cat /var/log/mstunnel/*; journalctl --no-pager", check=False).stdout
    assert token.rpartition(".")[2] not in log
    other = host.server.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "mst-admin", "sign-out"], check=False
    )
    assert "Traceback" not in other.stderr
    assert host.server.shell(f"ls {KEPT}").stdout.strip()
    host.server.run(["mst-admin", "sign-out"])
    assert host.server.shell(f"ls {KEPT}").stdout == ""
