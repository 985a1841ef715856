"""Attackers without a sign-in: a machine beside the gateway's container, and a router beside a device."""

import shlex
import time
from collections.abc import Iterator

import pytest

from tests.attack.record import record
from tests.attack.two_devices import CALL, REACHED, TwoDevices, datagrams, reach, send, serve, two_devices
from tests.testbed import vpn
from tests.testbed.machine import Machine

pytestmark = pytest.mark.e2e

_PORT = 8022
_INTRANET = "10.99.0.80"
_INTERNET = "2001:db8:66::1"


@pytest.fixture(scope="module")
def devices() -> Iterator[TwoDevices]:
    """Devices of a full tunnel without an IPv6 network."""
    with two_devices(split=False) as made:
        serve(made.testbed.intranet, _PORT)
        serve(made.first, _PORT)
        yield made


@pytest.fixture(scope="module")
def router(devices: TwoDevices) -> Machine:
    """An IPv6 router on the network of the first device, which is all of the internet to it."""
    testbed = devices.testbed
    testbed.namespace.podman("network", "create", "--internal", "--ipv6", "--subnet=fd00:90::/64", "radio")
    image = testbed.images["lab"].reference
    options = ("--detach", "--name=router", "--cap-add=NET_ADMIN", "--network=radio:ip6=fd00:90::53")
    testbed.namespace.podman("run", *options, image)
    testbed.namespace.podman("network", "connect", "--ip6=fd00:90::20", "radio", "client")
    made = Machine(testbed.namespace, "router")
    made.run(["ip", "address", "add", f"{_INTERNET}/128", "dev", "lo"])
    devices.first.shell("ip -6 route add default via fd00:90::53 metric 100; sleep 2")
    serve(made, _PORT)
    return made


def _beside(devices: TwoDevices, target: str) -> str:
    """What a container gets that takes the gateway's beside it for a router."""
    gateway = devices.engine(
        "inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "mstunnel-server"
    )
    image = devices.engine("inspect", "--format={{.Image}}", "mstunnel-server")
    call = shlex.join((*CALL, f"telnet://{target}:{_PORT}"))
    script = f"ip route replace {target} via {gateway} && {call}"
    run = ("run", "--rm", "--cap-add=NET_ADMIN", "--entrypoint=sh", image, "-c", f"{script}; echo $?")
    return devices.engine(*run)


def test_the_gateway_forwards_nothing_for_strangers(devices: TwoDevices) -> None:
    assert reach(devices.first, _INTRANET, _PORT) == REACHED
    found = _beside(devices, _INTRANET)
    record("network", "route into the internal network through the gateway", f"exit code {found}")
    assert found == "124"


def test_a_stranger_does_not_reach_a_device(devices: TwoDevices) -> None:
    address = devices.address(devices.first)
    assert reach(devices.first, address, _PORT) == REACHED
    found = _beside(devices, address)
    record("network", "reach a device through the gateway", f"exit code {found}")
    assert found == "124"


def test_ipv6_does_not_pass_a_full_tunnel_by(devices: TwoDevices, router: Machine) -> None:
    device = devices.first
    begin = time.monotonic()
    refused = reach(device, _INTERNET, _PORT)
    seconds = time.monotonic() - begin
    for source in ("", "fd00:90::20"):
        send(device, _INTERNET, _PORT, f"leaked-{source}", source)
    assert datagrams(router) == []
    # By the gateway's rules, or by its kernel where that has no way out for IPv6 in the first place.
    assert "refused" in refused or "unreachable" in refused
    assert seconds < 2
    assert reach(device, _INTRANET, _PORT) == REACHED

    vpn.disconnect(device)
    send(device, _INTERNET, _PORT, "without-tunnel")
    found = datagrams(router)
    record("network", "see a device's IPv6 traffic beside its full tunnel", f"got {', '.join(found)}")
    assert found == ["without-tunnel"]
