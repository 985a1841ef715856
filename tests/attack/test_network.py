"""Attacker: a machine on the network of the gateway's container, without a sign-in."""

from collections.abc import Iterator

import pytest

from tests.attack.record import record
from tests.attack.two_devices import REACHED, TwoDevices, reach, serve, two_devices

pytestmark = pytest.mark.e2e

_PORT = 8022
_INTRANET = "10.99.0.80"


@pytest.fixture(scope="module")
def devices() -> Iterator[TwoDevices]:
    with two_devices() as made:
        serve(made.testbed.intranet, _PORT)
        serve(made.first, _PORT)
        yield made


def _through_the_gateway(devices: TwoDevices, target: str) -> str:
    """What a container beside the gateway gets that takes it for a router."""
    gateway = devices.engine(
        "inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "mstunnel-server"
    )
    image = devices.engine("inspect", "--format={{.Image}}", "mstunnel-server")
    script = f"ip route replace {target} via {gateway} && timeout 3 bash -c 'cat </dev/tcp/{target}/{_PORT}'"
    run = ("run", "--rm", "--cap-add=NET_ADMIN", "--entrypoint=sh", image, "-c", f"{script}; echo $?")
    return devices.engine(*run)


def test_the_gateway_forwards_nothing_for_strangers(devices: TwoDevices) -> None:
    assert reach(devices.first, _INTRANET, _PORT) == REACHED
    found = _through_the_gateway(devices, _INTRANET)
    record("network", "route into the internal network through the gateway", f"exit code {found}")
    assert found == "124"


def test_a_stranger_does_not_reach_a_device(devices: TwoDevices) -> None:
    address = devices.address(devices.first)
    assert reach(devices.first, address, _PORT) == REACHED
    found = _through_the_gateway(devices, address)
    record("network", "reach a device through the gateway", f"exit code {found}")
    assert found == "124"
