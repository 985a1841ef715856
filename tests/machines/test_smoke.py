"""A machine that is installed, serves, is rebooted, and loses power during an installation."""

import json
import time

import pytest

from tests.machines import record
from tests.machines.installation import MachineInstallation
from tests.machines.power import Cut, watched
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("emulated"), pytest.mark.timeout(5400)]

# The images are loaded, the server is registered, and the containers are being started.
_LATE = Cut(step="launch")


@pytest.mark.e2e
@pytest.mark.long
def test_an_installed_gateway_serves_again_after_a_reboot_without_any_hand(
    trixie: MachineInstallation,
) -> None:
    done = trixie.setup()
    complaints = trixie.serves()
    record.add(trixie.bed, record.INSTALLED, complaints, seconds=round(done.seconds))
    assert complaints == []

    assert reboot(trixie) == []

    again = json.loads(trixie.setup().stdout)
    assert again["status"] == "unchanged", again


def reboot(host: MachineInstallation) -> list[str]:
    """Reboot without any hand, with the time until it serves on record; what is wrong then."""
    begin = time.monotonic()
    host.bed.restart_server()
    answered = eventually(host.answers_tls, 600)
    seconds = time.monotonic() - begin
    complaints = host.serves() if answered else ["no TLS handshake within 600 s"]
    record.add(host.bed, "Reboot without any hand", complaints, seconds=round(seconds))
    return complaints


def test_an_installation_that_a_power_cut_ended_is_continued(trixie: MachineInstallation) -> None:
    trixie.renew()
    cut_off = watched(trixie, lambda: trixie.setup(check=False), _LATE)
    assert cut_off.ended is None, cut_off.ended
    trixie.bed.switch_on()
    trixie.setup()
    complaints = trixie.serves()
    trixie.bed.switch_off()
    complaints += trixie.bed.check_file_system()
    record.add(trixie.bed, "Power cut in an installation, run again", complaints, cut=str(_LATE))
    assert complaints == []
