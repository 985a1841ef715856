"""Power cuts anywhere in what changes a host: `make machines CUTS=N` runs N of them on each file system."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.machines import record
from tests.machines.booted import booted
from tests.machines.installation import MachineInstallation
from tests.machines.power import chosen, cut_off
from tests.machines.suites import FILE_SYSTEMS
from tests.testbed.host_tree import differences, tree_of_any_run
from tests.testbed.machine import Entry
from tests.testbed.process import Completed, TestbedError

pytestmark = [pytest.mark.machine, pytest.mark.timeout(7200)]

INSTALLED = "installed"
_TWICE = 0.2


@dataclass(frozen=True)
class Host:
    """A machine, how it looks before and after an undisturbed installation, and how long that took."""

    installation: MachineInstallation
    before: dict[str, Entry]
    golden: dict[str, Entry]
    seconds: float

    def continued(self) -> list[str]:
        """What is wrong when the installation has been run again."""
        self.installation.setup()
        self.installation.await_verdict()
        return [*differences(self.golden, tree_of_any_run(self.installation)), *self.installation.serves()]

    def removed(self) -> list[str]:
        """What an uninstallation leaves, on the host and in the tenant."""
        self.installation.uninstall()
        left = self.installation.tenant()["servers"]
        return [*differences(self.before, tree_of_any_run(self.installation)), *left]

    def renewed(self) -> list[str]:
        """What is wrong when the certificate has been imported again."""
        self.installation.import_renewed()
        return self.installation.serves()


@dataclass(frozen=True)
class Scenario:
    """A command, about how many records it writes in what part of the time of an installation."""

    what: str
    command: Callable[[MachineInstallation], Completed]
    then: Callable[[Host], Sequence[str]]
    records: int
    part: float
    installed: bool = True


def install(host: MachineInstallation) -> Completed:
    return host.setup(check=False)


# Records and parts are estimates: a cut that would come later comes when the command has ended.
SCENARIOS = (
    Scenario("an installation, run again", install, Host.continued, 170, 1.0, installed=False),
    Scenario("an uninstallation, run again", lambda host: host.uninstall(check=False), Host.removed, 60, 0.4),
    Scenario("an import, run again", lambda host: host.import_renewed(check=False), Host.renewed, 8, 0.15),
    Scenario("an installation, uninstalled", install, Host.removed, 170, 1.0, installed=False),
)


@pytest.fixture(scope="module", params=FILE_SYSTEMS)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host that an undisturbed installation has shown; the gateway is kept for what comes later."""
    with booted(file_system=str(request.param)) as installation:
        before = tree_of_any_run(installation)
        done = installation.setup()
        installation.await_verdict()
        golden = tree_of_any_run(installation)
        complaints = installation.serves()
        record.add(installation.bed, record.INSTALLED, complaints, seconds=round(done.seconds))
        installation.keep(INSTALLED)
        yield Host(installation, before, golden, done.seconds)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many trials as were asked for."""
    metafunc.parametrize("number", range(int(str(metafunc.config.getoption("--cuts")))))


def test_the_same_command_ends_as_an_undisturbed_one_after_a_power_cut(host: Host, number: int) -> None:
    scenario = SCENARIOS[number % len(SCENARIOS)]
    generator = random.Random()
    installation = host.installation
    if scenario.installed:
        installation.go_back(INSTALLED)
    else:
        installation.renew()
    cuts = []
    for _ in range(2 if generator.random() < _TWICE else 1):
        cut = chosen(generator, scenario.records, scenario.part * host.seconds)
        running = cut_off(installation, lambda: scenario.command(installation), cut)
        cuts.append(f"{cut}{'' if running else ' (it had ended)'}")
        installation.bed.switch_on()
    complaints = list(complaints_of(host, scenario))
    record.add(installation.bed, f"Power cut in {scenario.what}", complaints, cuts=cuts)
    assert complaints == []


def complaints_of(host: Host, scenario: Scenario) -> Iterator[str]:
    """What does not end as it does undisturbed, and what the checker of the file system finds."""
    bed = host.installation.bed
    try:
        yield from scenario.then(host)
    except TestbedError as error:
        yield str(error)
    bed.switch_off()
    yield from bed.check_file_system()
