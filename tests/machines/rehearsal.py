"""Every command that changes a host, once undisturbed: the state before it, what it writes, how it ends."""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.certificates.revocation import ASKED_BY_COMMANDS
from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from mstunnel_setup.exchange.upgrade_history import HISTORY
from mstunnel_setup.install.step_list import ORDER
from tests.machines.installation import PROGRAM, MachineInstallation
from tests.machines.power import Watched, watched
from tests.testbed.host_tree import differences, tree_of_any_run
from tests.testbed.machine import Entry
from tests.testbed.process import Completed, progress

BACKUP = "/root/gw1.backup"
OFFER = "/root/offer.sh"
# What the containers and the monitor write while a gateway runs, what holds times, and what was put there.
_LEFT_OUT = (
    *(paths.MESSAGES, HISTORY, paths.AGENT_CHANGES, ASKED_BY_COMMANDS),
    *(BACKUP, OFFER, CATALOGUE.rpartition("/")[0]),
)
# From this step on a device can use the gateway, and a monitor judges what the agent fetched.
_SERVING = [step.name for step in ORDER].index("monitor")
_LOCKED = 9
_MONITOR_SECONDS = 900
# Both images once more, each with a label ($1), and the catalogue that names them, published on a day ($2).
_OFFER = f"""\
mkdir -p {CATALOGUE.rpartition("/")[0]}
cat >{CATALOGUE} <<END
[[release]]
label = "$1"
published = $2
END
for part in server:gateway agent:agent; do
    name=$(podman inspect --format '{{{{.ImageName}}}}' mstunnel-${{part%:*}})
    next=${{name%@*}}:$1
    printf 'FROM %s\\nLABEL org.mstunnel.release=%s\\n' "$name" "$1" |
        podman build --quiet --pull=never --tag "$next" -
    echo "${{part%:*}} = \\"$(podman image inspect --format '{{{{.Digest}}}}' "$next")\\"" >>{CATALOGUE}
done
"""


@dataclass(frozen=True)
class Command:
    """A command, and the error with which it ends when it is given once more after its end.

    `serves` tells whether a device can use the gateway afterwards.
    """

    what: str
    run: Callable[[MachineInstallation], Completed]
    over: str = ""
    serves: bool = False

    def given(self, host: MachineInstallation) -> Completed:
        """Run it, as soon as the monitor, which goes on with what a boot ended, holds the lock no more."""
        deadline = time.monotonic() + _MONITOR_SECONDS
        while (done := self.run(host)).code == _LOCKED and time.monotonic() < deadline:
            time.sleep(1)
        return done

    def refused(self, completed: Completed) -> list[str]:
        """What is wrong with its end, given once more."""
        over = self.over and f'"code":"{self.over}"' in completed.stdout.replace(" ", "")
        fine = completed.code == 0 or over
        return [] if fine else [completed.describe()]


UNINSTALL = Command("uninstall", lambda host: host.uninstall(check=False))


@dataclass(frozen=True)
class Rehearsed:
    """A command that ran undisturbed from a kept state, and the tree of the host afterwards."""

    command: Command
    state: str
    undisturbed: Watched
    golden: Mapping[str, Entry]


@dataclass(frozen=True)
class Host:
    """A machine, how it and the tenant look before everything, and what can be cut off on it."""

    installation: MachineInstallation
    before: Mapping[str, Entry]
    tenant: Mapping[str, Sequence[str]]
    rehearsed: Sequence[Rehearsed]

    def complaints(self, case: Rehearsed) -> Iterator[str]:
        """What is wrong when the command is given once more."""
        yield from case.command.refused(case.command.given(self.installation))
        if case.command.serves:
            yield from self.installation.serves()
            self.installation.await_verdict()
        yield from differences(case.golden, tree(self.installation))

    def left(self) -> Iterator[str]:
        """What an uninstallation leaves, on the host and in the tenant."""
        yield from UNINSTALL.refused(UNINSTALL.given(self.installation))
        yield from changed(self.installation, self.before, self.tenant)


def rehearse(installation: MachineInstallation) -> Host:
    """Run everything once, each from a state that is kept."""
    before, tenant = tree(installation), installation.tenant()
    return Host(installation, before, tenant, list(_rehearsed(installation)))


def tree(host: MachineInstallation) -> dict[str, Entry]:
    """What an installation changes on a host, without what differs in every one."""
    found = tree_of_any_run(host)
    return {path: entry for path, entry in found.items() if not path.startswith(_LEFT_OUT)}


def changed(
    host: MachineInstallation, before: Mapping[str, Entry], tenant: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """What is not as it was, on the host and in the tenant."""
    found = host.tenant()
    yield from [] if found == tenant else [f"the tenant holds {found}"]
    yield from differences(before, tree(host))


def _rehearsed(host: MachineInstallation) -> Iterator[Rehearsed]:
    yield _once(host, Command("the first start of the program", _first_start))
    for number, step in enumerate(ORDER):
        yield _once(host, _step(step.name, serves=number >= _SERVING))
    renewed = _once(host, Command("import_cert", lambda host: host.import_renewed(check=False), serves=True))
    yield renewed
    host.go_back(renewed.state)
    host.cli("backup", BACKUP)
    backup = host.server.run(["base64", BACKUP]).stdout
    host.go_back(renewed.state)
    yield _once(host, UNINSTALL)
    host.server.shell(f"base64 -d >{BACKUP} <<'EOF'\n{backup}EOF\n")
    given = ("--replace", "--trust-backup", "--answers", host.path("answers.yaml"), "--unattended")
    yield _once(host, _cli("restore", BACKUP, *given, over="already-installed"))
    host.go_back(renewed.state)
    offer(host)
    yield _once(host, _cli("upgrade apply"))
    yield _once(host, _cli("upgrade rollback", over="nothing-to-roll-back"))


def _once(host: MachineInstallation, command: Command) -> Rehearsed:
    """Run a command; the state before it is kept."""
    state = f"before-{command.what.replace(' ', '-')}"
    host.keep(state)
    undisturbed = watched(host, lambda: command.run(host))
    assert undisturbed.ended is not None
    assert undisturbed.ended.code == 0, undisturbed.ended.describe()
    if command.serves:
        host.wait_until_healthy()
        host.await_verdict()
    progress(f"{command.what}: {len(undisturbed.records)} records in {undisturbed.seconds:.1f} s")
    return Rehearsed(command, state, undisturbed, tree(host))


def _first_start(host: MachineInstallation) -> Completed:
    wanted = f"mstunnel-setup {__version__}"
    return host.server.shell(f'test "$({PROGRAM} --version)" = {shlex.quote(wanted)}', check=False)


def _step(name: str, *, serves: bool) -> Command:
    return Command(f"step {name}", lambda host: host.setup("step", name, check=False), serves=serves)


def _cli(what: str, *arguments: str, over: str = "") -> Command:
    return Command(what, lambda host: host.cli(*what.split(), *arguments, check=False), over, serves=True)


def offer(host: MachineInstallation, label: str = "next", published: date = date(2026, 11, 1)) -> None:
    """Have the store hold another release of both images, and the catalogue name it."""
    host.server.write(OFFER, _OFFER)
    host.server.run(["sh", "-e", OFFER, label, published.isoformat()], timeout=300)
