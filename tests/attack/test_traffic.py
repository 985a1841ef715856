"""Attacker: a device with a valid sign-in. Its tunnel leads to the networks behind, and nowhere else."""

from collections.abc import Iterator

import pytest

from tests.attack.record import record
from tests.attack.two_devices import (
    METADATA,
    REACHED,
    TwoDevices,
    datagrams,
    reach,
    send,
    serve,
    through_tunnel,
    two_devices,
)

pytestmark = pytest.mark.e2e

_PORT = 8022
_INTRANET = "10.99.0.80"


@pytest.fixture(scope="module")
def devices() -> Iterator[TwoDevices]:
    with two_devices() as made:
        serve(made.server, _PORT)
        serve(made.second, _PORT)
        serve(made.testbed.intranet, _PORT)
        made.server.run(["ip", "address", "add", METADATA, "dev", "lo"])
        yield made


def test_the_networks_behind_are_reached(devices: TwoDevices) -> None:
    """Else all that follows would prove nothing."""
    devices.installation.check_page()
    for device in (devices.first, devices.second):
        assert reach(device, _INTRANET, _PORT) == REACHED


def test_another_device(devices: TwoDevices) -> None:
    assert reach(devices.second, devices.address(devices.second), _PORT) == REACHED
    found = through_tunnel(devices.first, devices.address(devices.second), _PORT)
    record("device", "connect to another device", found)
    assert found.startswith("ConnectionRefusedError")


@pytest.mark.parametrize("address", ["10.77.0.1", "10.99.0.10"])
def test_the_host(devices: TwoDevices, address: str) -> None:
    assert devices.from_gateway(address, _PORT) == REACHED
    found = through_tunnel(devices.first, address, _PORT)
    record("device", f"connect to a service of the host at {address}", found)
    assert found.startswith("ConnectionRefusedError")


def test_the_gateway(devices: TwoDevices) -> None:
    """Its own port is open to the world, and not through the tunnel."""
    own = devices.inside("hostname", "-I").split()
    assert len(own) > 1
    for address in own:
        if "." in address:
            found = through_tunnel(devices.first, address, 443)
            record("device", f"connect to the gateway at {address}", found)
            assert found.startswith("ConnectionRefusedError")


def test_cloud_metadata(devices: TwoDevices) -> None:
    assert devices.from_gateway(METADATA, _PORT) == REACHED
    found = through_tunnel(devices.first, METADATA, _PORT)
    record("device", "read the metadata of the cloud", found)
    assert found.startswith("ConnectionRefusedError")


def test_the_address_of_another_device(devices: TwoDevices) -> None:
    victim = devices.address(devices.second)
    assert send(devices.first, _INTRANET, _PORT, "honest") == ""
    devices.first.run(["ip", "address", "add", victim, "dev", "lo"])
    for source in (victim, "169.254.9.9", "10.77.0.1", "192.0.2.1"):
        devices.first.run(["ip", "address", "replace", source, "dev", "lo"])
        assert send(devices.first, _INTRANET, _PORT, f"forged-{source}", source) == ""
    found = datagrams(devices.testbed.intranet)
    for source in (victim, "169.254.9.9", "10.77.0.1", "192.0.2.1"):
        devices.first.run(["ip", "address", "delete", source, "dev", "lo"])
    record("device", "send with the address of another device", ", ".join(found))
    assert found == ["honest"]


def test_devices_reach_each_other_when_the_administrator_wants_it(devices: TwoDevices) -> None:
    devices.installation.write_answers({"client_to_client": True})
    devices.installation.setup()
    devices.connect()
    assert through_tunnel(devices.first, devices.address(devices.second), _PORT) == REACHED
    assert through_tunnel(devices.first, "10.77.0.1", _PORT).startswith("ConnectionRefusedError")
    devices.installation.write_answers({"client_to_client": False})
    devices.installation.setup()
    devices.connect()
    assert "Refused" in through_tunnel(devices.first, devices.address(devices.second), _PORT)
