"""A gateway of release 0.2.0, upgraded by the newest program and its archive (docs/how-to/upgrade.md)."""

from collections.abc import Iterator, Mapping

import pytest

from mstunnel_setup.base import paths
from tests.machines import old_release, record
from tests.machines.bed import MEDIA
from tests.machines.booted import booted_in_user_mode
from tests.machines.installation import PROGRAM, MachineInstallation
from tests.machines.old_release import OldRelease
from tests.machines.rehearsal import tree
from tests.machines.serving import lasting_failures, serves_again
from tests.testbed.host_tree import differences
from tests.testbed.machine import Entry
from tests.testbed.paths import JOURNAL
from tests.testbed.process import Completed, progress
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.machine, pytest.mark.timeout(3600)]

_VERSION = "0.2.0"
_SECONDS = 120
_NOT_HEALTHY = "podman ps --all --noheading --filter health=unhealthy --filter health=starting"
# What `tree` does not have: where the containers write, and the images.
_STATE = "find /var/lib -maxdepth 1 -name 'mstunnel*' -printf '%f %m %U\\n' | sort"
_STATE_AND_IMAGES = f"{_STATE}; podman images --quiet --no-trunc"
_COMMANDS = (("mst-cli", "status"), (PROGRAM, "status"), ("mst-cli", "upgrade", "history"))


@pytest.fixture(scope="module")
def release() -> OldRelease:
    """Program and archive of the old release."""
    return old_release.prepare(_VERSION)


@pytest.fixture(scope="module")
def host(release: OldRelease) -> Iterator[MachineInstallation]:
    """A machine with nothing installed."""
    with booted_in_user_mode() as installation:
        yield installation


def test_old_release_is_upgraded_and_removed(host: MachineInstallation, release: OldRelease) -> None:
    host.setup()
    host.wait_until_healthy()
    host.await_verdict()
    wanted, state = _installed(host), host.server.shell(_STATE).stdout

    host.renew()
    images = f"/root/{release.archive.name}"
    host.server.copy([release.program, release.archive], "/root")
    before, tenant = _installed(host), host.tenant()
    begun = host.server.shell(_STATE_AND_IMAGES).stdout
    _install_old(host, images)
    assert host.serves() == []
    journal = host.server.read(JOURNAL)

    done = _upgrade(host)
    complaints = [*host.serves(), *lasting_failures(host)]
    host.await_verdict()
    complaints += [f"{path} is not as new" for path in differences(wanted, _installed(host))]
    complaints += _difference(state, host.server.shell(_STATE).stdout)
    complaints += [] if host.server.read(JOURNAL).startswith(journal) else ["the journal was begun again"]
    answers = [host.server.run(command, check=False) for command in _COMMANDS]
    complaints += [answer.describe() for answer in answers if answer.code]
    what = f"Installed by {_VERSION}, upgraded by this program: as if it had installed it"
    record.add(host.bed, what, complaints, seconds=round(done.seconds))
    complaints += serves_again(host, f"Installed by {_VERSION}, upgraded, reboot", host.bed.restart_server)

    host.uninstall()
    left = list(differences(before, _installed(host)))
    left += _difference(begun, host.server.shell(_STATE_AND_IMAGES).stdout)
    left += [] if host.tenant() == tenant else [f"the tenant holds {host.tenant()}"]
    record.add(host.bed, f"Installed by {_VERSION}, upgraded: uninstallation leaves nothing", left)
    assert [*complaints, *left] == []


def _install_old(host: MachineInstallation, archive: str) -> None:
    """Install with the old program; where it gives a slow container too little time, go on as it says."""
    host.write_answers({"images": {"archive": archive}})
    done = host.setup(check=False)
    if done.code and done.error == "container-failed":
        progress(f"old release: {done.describe()}")
        eventually(lambda: not host.server.shell(_NOT_HEALTHY).stdout, _SECONDS)
        done = host.setup(check=False)
    done.checked()


def _upgrade(host: MachineInstallation) -> Completed:
    """Run the newest program with the answers that name the images of its archive."""
    host.server.shell(f"cp {MEDIA}/{PROGRAM.rpartition('/')[2]} {PROGRAM}")
    digests = host.bed.release.digests
    references = {
        "server": f"localhost/mstunnel/gateway@{digests['gateway']}",
        "agent": f"localhost/mstunnel/agent@{digests['agent']}",
    }
    host.write_answers({"images": {"archive": host.archive, **references}})
    return host.setup()


def _installed(host: MachineInstallation) -> Mapping[str, Entry]:
    """What the program has put on the host, without what the administrator copies there.

    The monitor's record of the configuration is that of 0.2.0 until the tenant has another one.
    """
    left_out = ("/root/", paths.SERVED_CONFIGURATION)
    return {path: entry for path, entry in tree(host).items() if not path.startswith(left_out)}


def _difference(wanted: str, found: str) -> list[str]:
    """The lines that only one of two texts has."""
    return sorted(set(wanted.splitlines()) ^ set(found.splitlines()))
