"""Engines of several releases, on their own first process: installed, rebooted, removed."""

from collections.abc import Iterator

import pytest

from tests.machines import record
from tests.machines.booted import booted_in_user_mode
from tests.machines.installation import MachineInstallation
from tests.machines.rehearsal import tree
from tests.machines.serving import serves_again
from tests.testbed.host_tree import differences

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1800)]


@pytest.fixture(params=["trixie-docker", "sid", "sid-docker"])
def host(request: pytest.FixtureRequest) -> Iterator[MachineInstallation]:
    """A machine with this engine, and nothing installed."""
    with booted_in_user_mode(str(request.param)) as installation:
        yield installation


def test_a_gateway_is_installed_rebooted_and_removed(host: MachineInstallation) -> None:
    before, tenant = tree(host), host.tenant()
    done = host.setup()
    complaints = host.serves()
    record.add(host.bed, record.INSTALLED, complaints, seconds=round(done.seconds))
    complaints += serves_again(host, "Reboot", host.bed.restart_server)
    host.uninstall()
    left = [
        *differences(before, tree(host)),
        *([] if host.tenant() == tenant else ["something in the tenant"]),
    ]
    record.add(host.bed, "Uninstallation leaves nothing", left)
    assert [*complaints, *left] == []
