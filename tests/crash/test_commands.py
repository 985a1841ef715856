"""Every command that changes an installed gateway, killed anywhere and given once more (P1, P2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import pytest

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.certificates.revocation import ASKED_BY_COMMANDS
from mstunnel_setup.install.step_list import ORDER
from tests.crash import plugin
from tests.crash.arena import Arena, Ended, Kept, differences
from tests.crash.kill import KILLED, Scene
from tests.crash.variants import VARIANTS
from tests.parameters import sample
from tests.testbed.paths import JOURNAL
from tests.unit.actions.test_killed_host_half import OF_ROOT

# Within the validity of the certificate.
_DUE = f"{datetime.now(UTC) + timedelta(days=20):%Y-%m-%dT%H:%M}+00:00"
_ASKED_FOR = {step.name for step in ORDER}
Arguments = Callable[[Arena], Sequence[str]]


def renewed(arena: Arena) -> Sequence[str]:
    """A second certificate is taken into use."""
    place = arena.directory
    return ("import_cert", "--cert", f"{place}/renewed.pem", "--key", f"{place}/renewed-key.pem", "--yes")


def delayed(arena: Arena) -> Sequence[str]:
    """It is handed in, to be taken into use later."""
    return (*renewed(arena), "--at", _DUE)


def pending(arena: Arena) -> str:
    """The name of the import that waits."""
    return str(arena.run("mst-cli", "import_cert", "--list").envelope["data"]["pending"][0]["name"])


def signed_in(*words: str) -> Arguments:
    """A command for which an administrator signs in."""
    return lambda arena: (*words, "--answers", str(arena.answers))


def returned(arena: Arena) -> Sequence[str]:
    """The first certificate, whose generation lies here, is taken into use again."""
    place = arena.directory
    given = ("--cert", f"{place}/chain.pem", "--key", f"{place}/key.pem")
    return ("install", *given, "--answers", str(arena.answers))


def left_record(arena: Arena) -> Sequence[str]:
    """An earlier server of this name has left its record in the site to come, and it may be removed."""
    arena.tenant.leave_a_record("Elsewhere")
    (arena.directory / "left.yaml").write_text(f"{arena.answers.read_text()}existing_record: replace\n")
    return ("env", "get")


def damaged_journal(arena: Arena) -> Sequence[str]:
    """A byte in the middle of the journal has changed, as on a bad disk."""
    place = arena.place(JOURNAL)
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 4
    place.write_bytes(content)
    return ("env", "get")


def repaired(_arena: Arena) -> Sequence[str]:
    """The journal is restored from its copy."""
    return ("journal", "repair", "--yes")


def lineage(arena: Arena) -> Sequence[str]:
    """certbot renews the first certificate."""
    live = arena.place("/etc/letsencrypt/live/gw")
    live.mkdir(parents=True, exist_ok=True)
    for name, source in (("fullchain.pem", "chain.pem"), ("privkey.pem", "key.pem")):
        (live / name).write_bytes((arena.directory / source).read_bytes())
    return ("env", "get")


@dataclass(frozen=True)
class Command:
    """What is run; `before` comes first, and `before_removal` before each uninstallation.

    Given once more after its end it may end with the error `over`.
    """

    arguments: Arguments
    before: Arguments | None = None
    over: str = ""
    before_removal: Arguments | None = None


COMMANDS = {
    "import": Command(renewed),
    "return to an earlier certificate": Command(returned, renewed),
    "delayed import": Command(delayed),
    "delayed import that is due": Command(
        lambda arena: ("import_cert", "--activate", pending(arena)), delayed, "import-unknown"
    ),
    "delayed import that is cancelled": Command(
        lambda arena: ("import_cert", "--cancel", pending(arena)), delayed, "import-unknown"
    ),
    "setting": Command(lambda _arena: ("env", "set", "TRACE_SESSIONS", "1")),
    "renewal hook": Command(lambda _arena: ("cert", "hook", "certbot"), lineage),
    "root": Command(lambda arena: ("ca-trust", "add", f"{arena.directory}/root.pem")),
    "site": Command(signed_in("site", "change", "Elsewhere")),
    "site with a record that was left": Command(
        lambda arena: ("site", "change", "Elsewhere", "--answers", f"{arena.directory}/left.yaml"),
        left_record,
    ),
    "identity": Command(signed_in("reenroll")),
    "configuration": Command(signed_in("config", "pull")),
    # An uninstallation refuses a damaged journal, and names this command.
    "journal repair": Command(repaired, damaged_journal, before_removal=repaired),
}

# The others take the same ways: another time, another file.
OF_EVERY_CHANGE = ("import", "site")


@dataclass
class Rehearsed:
    """A command on an installed gateway, undisturbed: before, after, and the points on the way."""

    scene: Scene
    command: Command
    arguments: Sequence[str] = ()
    kept: Kept | None = None
    untouched: dict[str, Any] = field(default_factory=dict)
    golden: dict[str, Any] = field(default_factory=dict)
    removed: dict[str, Any] = field(default_factory=dict)
    points: tuple[str, ...] = ()

    def rehearse(self) -> "Rehearsed":
        arena = self.scene.arena
        self.scene.install()
        if self.command.before is not None:
            arena.run("mst-cli", *self.command.before(arena)).checked()
        self.kept, self.arguments = arena.keep(), self.command.arguments(arena)
        self.uninstall().checked()
        self.untouched = arena.state()
        for _ in range(2):  # the first run imports what later ones find imported
            self.points = self.run().checked().points
            self.golden = self.state()
        self.uninstall().checked()
        # A setting of the administrator is kept, and the file with it.
        self.removed = arena.state()
        return self

    def run(self, **options: Any) -> Ended:
        """The command on the gateway as it was before."""
        assert self.kept is not None
        self.scene.arena.bring_back(self.kept)
        return self.scene.arena.run("mst-cli", *self.arguments, **options)

    def uninstall(self) -> Ended:
        """Remove the gateway, in whatever state the command has left it."""
        if self.command.before_removal is not None:
            self.scene.arena.run("mst-cli", *self.command.before_removal(self.scene.arena)).checked()
        return self.scene.arena.uninstall()

    def fails(self, number: int) -> list[str]:
        """What is wrong after a kill at `number` and the same command; and after an uninstallation."""
        arena = self.scene.arena
        killed = self.run(kill_at=number)
        complaints = [] if killed.code == KILLED else [f"not killed: exit {killed.code}"]
        again = arena.run("mst-cli", *self.arguments)
        if again.code and again.error != self.command.over:
            complaints.append(f"given once more: exit {again.code}: {again.stdout[-400:]}")
        complaints += differences(self.golden, self.state())
        self.run(kill_at=number)
        removed = self.uninstall()
        complaints += [f"uninstall: exit {removed.code}: {removed.stdout[-400:]}"] if removed.code else []
        return [*complaints, *self._left()]

    def check_each(self, command: str, numbers: Sequence[int]) -> None:
        """None of these kills is wrong; each is recorded under the name of the command."""
        count, failed = len(self.points), []
        for number in numbers:
            complaints = self.fails(number)
            plugin.record("commands", command=command, point=number, of=count, complaints=complaints)
            failed += [f"point {number} ({self.points[number - 1]}): {text}" for text in complaints]
        assert not failed, "\n".join(failed)

    def state(self) -> dict[str, Any]:
        """Everything but earlier versions of an object, and revocation statuses: they are queried again.

        And but for the record that a command came to its end: given once more, with nothing left to do, it
        prints nothing, and that record is not needed.
        """
        state = self.scene.arena.state()
        state["receipt"]["steps"] = [name for name in state["receipt"]["steps"] if name in _ASKED_FOR]
        kept = PurePosixPath(ASKED_BY_COMMANDS).name
        state["tree"] = {path: text for path, text in state["tree"].items() if kept not in path}
        for entry in state["receipt"]["entries"].values():
            entry[2] = entry[2][-1:]
        return state

    def _left(self) -> list[str]:
        """What an uninstallation has left, and would not have left before or after the command."""
        found = self.scene.arena.state()
        left = [differences(state, found) for state in (self.untouched, self.removed)]
        return [] if [] in left else [*left[0]]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", sample(COMMANDS, kept=OF_EVERY_CHANGE))
def test_a_command_killed_anywhere_is_brought_to_its_end(
    variant: Callable[[str], Scene], everything: bool, name: str
) -> None:
    rehearsed = Rehearsed(variant("systemd"), COMMANDS[name]).rehearse()
    count = len(rehearsed.points)
    rehearsed.check_each(name, range(1, count + 1, 1 if everything else max(1, count // 3)))


# Read and undone, but begun no more.
OF_EARLIER_JOURNALS = {
    *("enable-init-script", "place-radius-servers", "start-service", "write-message-catalogue"),
}
# Only a person agrees to it: one request, sent twice in tests/unit/tenant/test_against_lab.py.
OF_A_PERSON = {"remove-application"}


def unknown(*goldens: dict[str, Any]) -> set[str]:
    """The kinds of actions that none of these receipts holds."""
    entries = [entry for golden in goldens for entry in golden["receipt"]["entries"].values()]
    return set(CODEC._kinds) - {str(version["kind"]) for entry in entries for version in entry[2]}


@pytest.mark.long
def test_every_kind_of_action_is_killed(variant: Callable[[str], Scene]) -> None:
    """A new kind of action must be added to a host or a command of the kill loops.

    What root does for an account is killed in tests/unit/actions/test_killed_host_half.py.
    """
    hosts = [variant(name).golden for name in VARIANTS]
    special = ("delayed import", "return to an earlier certificate", "site with a record that was left")
    commands = [Rehearsed(variant("systemd"), COMMANDS[name]).rehearse().golden for name in special]
    assert unknown(*commands, *hosts) == OF_ROOT | OF_EARLIER_JOURNALS | OF_A_PERSON
    # And without one of the hosts some would be missing.
    assert "label-port" in unknown(*hosts[:2])
