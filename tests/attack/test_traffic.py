"""Attacker: a device with a valid sign-in. Its tunnel leads to the networks behind, and nowhere else."""

from collections.abc import Iterator

import pytest

from tests.attack.record import record
from tests.attack.two_devices import (
    METADATA,
    REACHED,
    TwoDevices,
    datagrams,
    from_container,
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
    assert reach(devices.server, address, _PORT) == REACHED
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


def test_the_host_by_addresses_that_no_list_has(devices: TwoDevices) -> None:
    """A broadcast, an address of a local route, and one that the host gets now."""
    devices.server.shell("ip route add local 203.0.113.0/24 dev lo; ip address add 198.51.100.7/32 dev lo")
    targets = {
        "the broadcast of a local network": "10.99.0.255",
        "an address that a local route makes its own": "203.0.113.7",
        "an address that it got a moment ago": "198.51.100.7",
    }
    assert {reach(devices.server, address, _PORT) for address in [*targets.values()][1:]} == {REACHED}
    devices.server.shell("rm -f /run/datagrams")
    for target in targets.values():
        devices.first.run(["ip", "route", "replace", target, "dev", "tun0"])
        send(devices.first, target, _PORT, f"to-{target}")
    for name, address in targets.items():
        found = "dropped" if f"to-{address}" not in datagrams(devices.server) else "received"
        record("device", f"send to the host by {name}", found)
        assert found == "dropped", name
    for address in [*targets.values()][1:]:
        found = through_tunnel(devices.first, address, _PORT)
        assert "timed out" in found or "refused" in found


@pytest.mark.parametrize("container", ["mstunnel-agent", "mstunnel-server"])
def test_agent_and_gateway_reach_neither_the_host_nor_its_cloud(devices: TwoDevices, container: str) -> None:
    for name, address in (("a service of the host", "10.77.0.1"), ("the metadata of the cloud", METADATA)):
        assert reach(devices.server, address, _PORT) == REACHED
        found = from_container(devices, container, address, _PORT)
        attacker = "agent" if container == "mstunnel-agent" else "gateway"
        record(attacker, f"connect to {name}", found or "no answer")
        assert found != REACHED
    # The networks behind and the tenant are reached all the same.
    assert from_container(devices, container, _INTRANET, _PORT) == REACHED
    assert devices.installation.cli("agent", "status").code == 0


def test_cloud_metadata(devices: TwoDevices) -> None:
    assert reach(devices.server, METADATA, _PORT) == REACHED
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


def test_devices_reach_each_other_if_configured(devices: TwoDevices) -> None:
    devices.installation.write_answers({"client_to_client": True})
    devices.installation.setup()
    devices.connect()
    assert through_tunnel(devices.first, devices.address(devices.second), _PORT) == REACHED
    assert through_tunnel(devices.first, "10.77.0.1", _PORT).startswith("ConnectionRefusedError")
    devices.installation.write_answers({"client_to_client": False})
    devices.installation.setup()
    devices.connect()
    assert "Refused" in through_tunnel(devices.first, devices.address(devices.second), _PORT)
