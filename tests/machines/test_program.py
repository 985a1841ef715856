"""The program unpacks itself durably: a power cut right after its first start leaves it whole."""

import random
from collections.abc import Iterator

import pytest

from mstunnel_setup import __version__
from tests.machines import record
from tests.machines.booted import booted_in_user_mode
from tests.machines.installation import PROGRAM, MachineInstallation
from tests.machines.suites import FILE_SYSTEMS

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1500)]

WHAT = "Power cut within 8 s of the first `mstunnel-setup --version`; boot, file system check, same answer"


@pytest.fixture(scope="module", params=FILE_SYSTEMS)
def machine(request: pytest.FixtureRequest) -> Iterator[MachineInstallation]:
    with booted_in_user_mode(file_system=str(request.param)) as installation:
        yield installation


@pytest.mark.parametrize("number", range(10))
def test_a_power_cut_after_the_first_start(machine: MachineInstallation, number: int) -> None:
    bed = machine.bed
    bed.reset()
    first = bed.server.run([PROGRAM, "--version"])
    seconds = random.uniform(0, 8)
    bed.cut(seconds)
    boot = bed.switch_on()
    again = bed.server.run([PROGRAM, "--version"], check=False)
    bed.switch_off()
    answer = (again.code, again.stdout, again.stderr)
    complaints = [
        *([again.describe()] if answer != (0, f"mstunnel-setup {__version__}\n", "") else []),
        *bed.check_file_system(),
    ]
    figures = {"cut_seconds": seconds, "first_seconds": first.seconds, "boot_seconds": boot}
    record.add(bed, WHAT, complaints, **figures, again_seconds=again.seconds)
    assert complaints == []
