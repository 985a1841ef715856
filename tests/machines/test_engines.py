"""Engines and cgroup v1: installed, rebooted, removed; an engine too old is refused."""

from collections.abc import Iterator, Sequence

import pytest

from tests.machines import record
from tests.machines.booted import booted_in_user_mode
from tests.machines.installation import MachineInstallation
from tests.machines.rehearsal import changed, tree
from tests.machines.serving import serves_again

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1800)]

_CGROUP_V1 = ("systemd.unified_cgroup_hierarchy=0", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1")
# A suite, and what its kernel is told.
_HOSTS: dict[str, tuple[str, Sequence[str]]] = {
    "docker": ("trixie-docker", ()),
    "sid": ("sid", ()),
    "sid-docker": ("sid-docker", ()),
    "cgroup-v1": ("trixie-runc", _CGROUP_V1),
    "docker-cgroup-v1": ("trixie-docker", _CGROUP_V1),
}


@pytest.fixture(params=_HOSTS)
def host(request: pytest.FixtureRequest) -> Iterator[MachineInstallation]:
    """A machine with this engine, and nothing installed."""
    suite, line = _HOSTS[request.param]
    with booted_in_user_mode(suite, line=line) as installation:
        assert installation.bed.versions["groups"] == ("v1" if line else "v2")
        yield installation


def test_a_gateway_is_installed_rebooted_and_removed(host: MachineInstallation) -> None:
    before, tenant = tree(host), host.tenant()
    done = host.setup()
    complaints = host.serves()
    record.add(host.bed, record.INSTALLED, complaints, seconds=round(done.seconds))
    complaints += serves_again(host, "Reboot", host.bed.restart_server)
    host.uninstall()
    left = [*changed(host, before, tenant)]
    record.add(host.bed, "Uninstallation leaves nothing", left)
    assert [*complaints, *left] == []


def test_old_engine_is_refused_before_any_change() -> None:
    with booted_in_user_mode("bookworm") as host:
        before, tenant = tree(host), host.tenant()
        refused = host.setup(check=False)
        complaints = [*changed(host, before, tenant)]
        complaints += [] if (refused.code, refused.error) == (3, "engine-version") else [refused.describe()]
        record.add(host.bed, "Engine too old: refused, and nothing is changed", complaints)
    assert complaints == []
