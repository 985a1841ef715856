"""Power cuts anywhere in what changes a host: `make machines CUTS=N` runs N of them on each file system."""

import random
import time
from collections.abc import Iterator
from typing import ClassVar

import pytest

from tests.machines import record
from tests.machines.booted import booted_in_user_mode
from tests.machines.power import Cut, chosen, watched
from tests.machines.rehearsal import Host, Rehearsed, rehearse
from tests.testbed.process import TestbedError

pytestmark = [pytest.mark.machine, pytest.mark.timeout(7200)]

_TWICE = 0.2
_REMOVED = 0.2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many trials as were asked for."""
    metafunc.parametrize("number", range(int(str(metafunc.config.getoption("--cuts")))))


class PowerCuts:
    """The trials on one file system, all at one worker, which rehearses once."""

    file_system: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def host(cls) -> Iterator[Host]:
        """A host on which every command ran undisturbed."""
        with booted_in_user_mode(file_system=cls.file_system) as installation:
            yield rehearse(installation)

    def test_after_a_power_cut_a_command_ends_as_an_undisturbed_one(self, host: Host, number: int) -> None:
        case = host.rehearsed[number % len(host.rehearsed)]
        generator = random.Random()
        host.installation.go_back(case.state)
        cuts = [
            cut_off(host, case, chosen(generator, case.undisturbed))
            for _ in range(2 if generator.random() < _TWICE else 1)
        ]
        removed = generator.random() < _REMOVED
        begin = time.monotonic()
        complaints = list(complaints_of(host, case, removed=removed))
        seconds = round(time.monotonic() - begin)
        judged = "removed" if removed else "run again"
        what = f"{record.CUT}`{case.command.what}`"
        record.add(host.installation.bed, what, complaints, cuts=cuts, judged=judged, judged_seconds=seconds)
        assert complaints == []


class TestExt4(PowerCuts):
    file_system = "ext4"


class TestXfs(PowerCuts):
    file_system = "xfs"


def cut_off(host: Host, case: Rehearsed, cut: Cut) -> str:
    """Cut the power in a command, and boot; what was cut."""
    seen = watched(host.installation, lambda: case.command.given(host.installation), cut)
    host.installation.bed.switch_on()
    return f"{cut}, {len(seen.records)} records{'' if seen.ended is None else ', at its end'}"


def complaints_of(host: Host, case: Rehearsed, *, removed: bool) -> Iterator[str]:
    """What does not end as it does undisturbed, and what the checker of the file system finds."""
    bed = host.installation.bed
    try:
        yield from host.left() if removed else host.complaints(case)
    except TestbedError as error:
        yield str(error)
    bed.switch_off()
    yield from bed.check_file_system()
