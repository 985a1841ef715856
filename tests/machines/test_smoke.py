"""A machine in which a gateway is installed, serves after a reboot, and is removed despite a power cut."""

import time

import pytest

from tests.machines import record
from tests.machines.booted import booted
from tests.machines.installation import MachineInstallation
from tests.machines.power import Cut, watched
from tests.machines.rehearsal import UNINSTALL, tree
from tests.testbed.host_tree import differences
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.machine, pytest.mark.timeout(5400)]

# In the middle of what it writes into the journal.
_HALFWAY = Cut(record=20)


@pytest.mark.e2e
@pytest.mark.long
def test_gateway_survives_reboot_and_power_cut() -> None:
    with booted() as trixie:
        before = tree(trixie)
        done = trixie.setup()
        complaints = trixie.serves()
        record.add(trixie.bed, record.INSTALLED, complaints, seconds=round(done.seconds))
        assert complaints == []

        assert reboot(trixie) == []

        again = trixie.setup().envelope
        assert again["status"] == "unchanged", again

        cut_off = watched(trixie, lambda: UNINSTALL.run(trixie), _HALFWAY)
        assert cut_off.ended is None, cut_off.ended
        trixie.bed.switch_on()
        complaints = [*UNINSTALL.refused(UNINSTALL.given(trixie)), *differences(before, tree(trixie))]
        trixie.bed.switch_off()
        complaints += trixie.bed.check_file_system()
        record.add(trixie.bed, "Power cut in an uninstallation, run again", complaints, cut=str(_HALFWAY))
        assert complaints == []


def reboot(host: MachineInstallation) -> list[str]:
    """Reboot without intervention, with the time until it serves on record; what is wrong then."""
    begin = time.monotonic()
    host.bed.restart_server()
    answered = eventually(host.answers_tls, 600)
    seconds = time.monotonic() - begin
    complaints = host.serves() if answered else ["no TLS handshake within 600 s"]
    record.add(host.bed, "Reboot without intervention", complaints, seconds=round(seconds))
    return complaints
