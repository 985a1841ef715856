"""A tunnel device that appears after the gateway was started: the gateway is restarted once, automatically.

RHEL 8.4 and later need that restart by hand with the vendor's program.
"""

import pytest

from tests.testbed.installation import Installation, actions
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

# A device of that name before its module is there: the second number belongs to no driver.
EARLY = "rm -f /dev/net/tun && mknod -m 666 /dev/net/tun c 10 255"
PRESENT = "rm -f /dev/net/tun && mknod -m 666 /dev/net/tun c 10 200"
RUNNING = '[ "$(podman inspect --format={{.State.Running}} mstunnel-server 2>&1)" = true ]'
RESTARTED = "restart mstunnel-server, which was started before /dev/net/tun could be used"


def opens(host: Installation) -> bool:
    """Whether the gateway can open its tunnel device."""
    command = ["podman", "exec", "mstunnel-server", "sh", "-c", ": </dev/net/tun"]
    return host.server.run(command, check=False).code == 0


@pytest.mark.timeout(600)
def test_gateway_started_before_its_device_is_restarted_once(host: Installation) -> None:
    server = host.server
    server.shell(EARLY)
    try:
        server.start(["sh", "-c", f"until {RUNNING}; do sleep 0.2; done; {PRESENT}"])
        installed = host.setup()
        assert actions(installed)[-1] == RESTARTED
        assert "renew-tunnel-device" in server.shell("cat /var/lib/mstunnel/journal*").stdout
        host.wait_until_healthy()
        host.visit()
        assert host.setup().envelope["status"] == "unchanged"

        # As after a boot at which the module came late.
        server.run(["systemctl", "stop", "mstunnel_monitor.service"])
        server.shell(EARLY)
        server.run(["mst-cli", "server", "restart"])
        server.shell(PRESENT)
        host.wait_until_healthy()
        assert not opens(host)
        server.run(["systemctl", "start", "mstunnel_monitor.service"])
        assert eventually(lambda: opens(host), 60)
        host.wait_until_healthy()
        host.visit()
        log = server.run(["journalctl", "--quiet", "--output=cat", "--identifier=mstunnel_monitor"]).stdout
        (line,) = [line for line in log.splitlines() if line.startswith("tunnel: ")]
        assert line.startswith("tunnel: restarting mstunnel-server, which cannot open /dev/net/tun: ")
    finally:
        server.shell(PRESENT)
