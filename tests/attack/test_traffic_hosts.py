"""Attacker: a device, on the other kinds of hosts; each engine has a separate network for the gateway."""

import pytest

from tests.attack.record import record
from tests.attack.two_devices import REACHED, reach, serve, through_tunnel, two_devices
from tests.testbed.kinds import DOCKER, PODMAN_ROOTLESS, Kind

_PORT = 8022


@pytest.mark.e2e
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [PODMAN_ROOTLESS, DOCKER], ids=lambda kind: kind.name)
def test_a_device_reaches_the_networks_behind_alone(kind: Kind) -> None:
    with two_devices(kind) as devices:
        for machine in (devices.server, devices.second, devices.testbed.intranet):
            serve(machine, _PORT)
        for device in (devices.first, devices.second):
            assert reach(device, "10.99.0.80", _PORT) == REACHED
        targets = {
            "another device": devices.address(devices.second),
            "the host": "10.99.0.10",
            "the host, as its containers know it": "169.254.1.2",
            "the gateway": "169.254.0.1",
        }
        for name, address in targets.items():
            found = through_tunnel(devices.first, address, _PORT)
            record("device", f"{kind.name}: connect to {name}", found)
            assert found.startswith("ConnectionRefusedError"), name
