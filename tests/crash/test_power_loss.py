"""Power loss: a kill plus the loss of what was not synced; every legal disk is recovered (P3, P4)."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.certificates import PlaceIdentity
from mstunnel_setup.actions.files import Link, MakeDirectory, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.certificates.load import IdentitySource, fingerprint, load_identity
from mstunnel_setup.io import appender
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction import journal as journals
from mstunnel_setup.transaction.action import Codec
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.receipt import fold
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import Step
from tests.crash import disk, plugin
from tests.crash.points import let_writer_use
from tests.testbed.certificates import Authority
from tests.unit.fakes import ports_of

_STATE = "/var/lib/mstunnel"
_PRIVATE = "/etc/mstunnel/private"
_ENVIRONMENT = "/etc/mstunnel/env.sh"
_CODEC = Codec([MakeDirectory, WriteFile, Link, PlaceIdentity])
_OLD, _NEW = "OLD=1\n", "NEW='two words'\n"


@dataclass
class History:
    """What was recorded, from which operation on it counts, and how many records were promised when."""

    log: disk.Log
    start: int
    promised: list[tuple[int, int]]
    before: disk.Picture

    def record(self, what: str, count: int) -> None:
        """Keep how many disks were checked."""
        moments = len(self.log.operations) - self.start
        plugin.record("disks", what=what, moments=moments, disks=count)


class Workshop:
    """Two certificates and the actions that put a configuration and one of them in place."""

    def __init__(self, place: Path) -> None:
        self.place = place
        authority = Authority()
        self._sources = [self._certificate(authority, name) for name in ("first", "second")]

    def _certificate(self, authority: Authority, name: str) -> IdentitySource:
        chain, key = authority.issue("vpn.crash.test")
        (self.place / f"{name}.crt").write_bytes(chain)
        (self.place / f"{name}.key").write_bytes(key)
        return IdentitySource(chain=str(self.place / f"{name}.crt"), key=str(self.place / f"{name}.key"))

    def _runner(self, root: Path) -> Runner:
        """A runner for the disk at `root`."""
        ports = ports_of(root, clock=Clock())
        journal = Journal(ports.files, ports.clock, _STATE)
        return Runner(ports, journal, _CODEC, ports.clock, lambda _event: None)

    def run(self, root: Path, which: int, text: str = _NEW) -> None:
        """Bring a disk to the state with certificate number `which`."""
        source = self._sources[which]
        mark = fingerprint(ports_of(root, clock=Clock()).load(source))
        directory = f"{_PRIVATE}/{mark}"
        actions = (
            MakeDirectory(path=_PRIVATE, mode=0o700),
            WriteFile(path=_ENVIRONMENT, text=text, mode=0o640),
            MakeDirectory(path=directory, mode=0o700),
            PlaceIdentity(directory=directory, source=source, fingerprint=mark),
            Link(path=f"{_PRIVATE}/active", target=mark),
        )
        step: Step[None, None] = Step("one", "", lambda _run: None, lambda _facts: actions)
        self._runner(root).run([step], None)

    def undo(self, root: Path) -> None:
        """Bring a disk to the state before anything was done."""
        self._runner(root).undo()


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def memory() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="disk-", dir="/dev/shm"))
    yield place
    shutil.rmtree(place)


def recorded(
    memory: Path,
    first: Callable[[Path], None],
    then: Callable[[Path], None],
    double: Callable[..., Any] = disk.RecordingOs,
) -> History:
    """Record `then` on a disk that `first` has prepared."""
    root = memory / "recorded"
    root.mkdir()
    log, promised = disk.Log(), []
    append = Journal.append

    def told(self: Journal, kind: str, **fields: Any) -> None:
        append(self, kind, **fields)
        promised.append((len(log.operations), len(self.records)))

    let_writer_use(double(log, root))
    Journal.append = told  # type: ignore[method-assign]
    try:
        for directory in ("/etc/mstunnel", "/var/lib"):
            Files(root).make_directories(directory)
        Files(root).write(_ENVIRONMENT, _OLD.encode(), 0o600)
        first(root)
        start, before = len(log.operations), disk.picture(log.operations, log.kinds)
        then(root)
    finally:
        Journal.append = append  # type: ignore[method-assign]
        let_writer_use(os)
    return History(log, start, promised, before)


def disks(history: History, memory: Path) -> Iterator[tuple[int, Path]]:
    """Every disk that a loss of power at any moment may leave, once each, laid down; and the moment."""
    seen: set[tuple[int, int]] = set()
    for moment in range(history.start + 1, len(history.log.operations) + 1):
        promised = max((count for at, count in history.promised if at < moment), default=0)
        for operations in history.log.disks(moment):
            tree = disk.picture(operations, history.log.kinds)
            mark = (promised, hash(frozenset(tree.items())))
            if mark in seen:
                continue
            seen.add(mark)
            root = memory / "disk"
            root.mkdir()
            disk.lay_down(tree, root)
            yield promised, root
            shutil.rmtree(root)


def tree(root: Path) -> disk.Picture:
    """The configuration on a disk; journal, saved files and the times in them are not compared."""
    found: disk.Picture = {}
    for path in sorted((root / "etc").rglob("*")):
        mode = path.lstat().st_mode & 0o7777
        link = str(path.readlink()) if path.is_symlink() else None
        found[str(path.relative_to(root))] = (mode, link or (path.read_bytes() if path.is_file() else None))
    return found


def complaints(root: Path, promised: int, wanted: disk.Picture, recover: Callable[[Path], None]) -> list[str]:
    """What is wrong with a disk as readers find it, and once the program has run again on it."""
    journal = Journal(Files(root), Clock(), _STATE)
    found = (
        []
        if len(journal.records) >= promised
        else [f"{promised} records promised, {len(journal.records)} there"]
    )
    if (root / "etc/mstunnel/env.sh").read_text() not in (_OLD, _NEW):
        found.append("env.sh is neither old nor new")
    active = root / _PRIVATE.lstrip("/") / "active"
    if active.is_symlink():
        load_identity((active / "chain.pem").read_bytes(), (active / "key.pem").read_bytes())
    recover(root)
    after = tree(root)
    return found + [
        f"{name}: wanted {wanted.get(name)}, found {after.get(name)}"
        for name in {**wanted, **after}
        if wanted.get(name) != after.get(name)
    ]


def check(
    history: History, memory: Path, recover: Callable[[Path], None], wanted: disk.Picture, figure: str
) -> int:
    """Recover every disk; returns how many there were. AssertionError names the first that is lost."""
    count = 0
    for promised, root in disks(history, memory):
        count += 1
        assert complaints(root, promised, wanted, recover) == []
    history.record(figure, count)
    return count


def outcome(memory: Path) -> disk.Picture:
    """The tree of the undisturbed run."""
    return tree(memory / "recorded")


def nothing(_root: Path) -> None:
    """What comes before a first installation."""


def test_a_first_installation(workshop: Workshop, memory: Path) -> None:
    history = recorded(memory, nothing, partial(workshop.run, which=0))
    recover = partial(workshop.run, which=0)
    assert check(history, memory, recover, outcome(memory), "journal, env.sh, certificate") > 80


def test_a_switch_of_the_certificate(workshop: Workshop, memory: Path) -> None:
    history = recorded(memory, partial(workshop.run, which=0), partial(workshop.run, which=1))
    recover = partial(workshop.run, which=1)
    assert check(history, memory, recover, outcome(memory), "certificate switch") > 50


def test_first_installation_is_undone_after_a_power_failure(workshop: Workshop, memory: Path) -> None:
    history = recorded(memory, nothing, partial(workshop.run, which=0))
    wanted: disk.Picture = {
        path.lstrip("/"): value for path, value in history.before.items() if path.startswith("/etc/")
    }
    assert check(history, memory, workshop.undo, wanted, "undo after the power failure") > 80


def test_an_uninstallation(workshop: Workshop, memory: Path) -> None:
    history = recorded(memory, partial(workshop.run, which=0), workshop.undo)
    assert check(history, memory, workshop.undo, outcome(memory), "uninstallation") > 30


def test_a_compaction_leaves_one_of_both_journals(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "LARGE", 2000)
    opened: list[Journal] = []

    def first(root: Path) -> None:
        opened.append(Journal(Files(root), Clock(), _STATE))
        for number in range(12):
            action: JsonObject = {"kind": "k", "text": str(number)}
            opened[0].append("begin", step="s", key="file:/a", action=action, before={})
            opened[0].append("done", key="file:/a", outputs={"number": number})

    def then(_root: Path) -> None:
        opened[0].compact()
        opened[0].append("step", step="s")

    history = recorded(memory, first, then)
    opened[0].close()
    count, kept, steps = 0, set(), set()
    for _promised, root in disks(history, memory):
        found = Journal(Files(root), Clock(), _STATE)
        entry = found.receipt.entries["file:/a"]
        assert (entry.outputs, entry.finished, entry.made) == ({"number": 11}, True, True)
        count += 1
        kept.add(len(found.records) - len(found.receipt.steps))
        steps.add(found.receipt.steps)
    assert (len(kept), steps) == (2, {(), ("s",)})
    history.record("compaction of the journal", count)


def test_the_receipt_is_old_or_new(memory: Path) -> None:
    old, new = b'{"version": 1, "objects": []}\n', b'{"version": 1, "objects": [1, 2, 3]}\n'
    path = f"{_STATE}/receipt.json"

    def first(root: Path) -> None:
        Files(root).make_directory(_STATE, 0o700)
        Files(root).write(path, old, 0o600)

    history = recorded(memory, first, lambda root: Files(root).write(path, new, 0o600))
    found = {Files(root).read(path) for _promised, root in disks(history, memory)}
    history.record("receipt", len(found))
    assert found == {old, new}


@pytest.mark.parametrize("skipped", ["file", "directory"])
def test_a_writer_that_skips_a_sync_is_found(workshop: Workshop, memory: Path, skipped: str) -> None:
    """Proof that these tests can fail: the very check of the first test complains."""
    double = partial(disk.SkippingOs, skip=skipped)
    history = recorded(memory, nothing, partial(workshop.run, which=0), double)
    recover = partial(workshop.run, which=0)
    with pytest.raises((AssertionError, OSError)) as found:
        check(history, memory, recover, outcome(memory), "never recorded")
    assert "operations are not synced" not in str(found.value)


def test_an_action_that_skips_its_sync_is_found(
    workshop: Workshop, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One broken action on the real writer: its file may be lost though the journal says done."""

    def apply(self: WriteFile, ports: Host, outputs: Any) -> dict[str, Any]:
        place = ports.files.locate(self.path)
        handle = os.open(place.parent, os.O_RDONLY)
        try:
            double = vars(appender)["os"]
            new = double.open(place.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, self.mode, dir_fd=handle)
            double.write(new, memoryview(self.text.encode()))
            os.close(new)
        finally:
            os.close(handle)
        return {}

    monkeypatch.setattr(WriteFile, "apply", apply)
    history = recorded(memory, nothing, partial(workshop.run, which=0))
    monkeypatch.undo()
    recover = partial(workshop.run, which=0)
    with pytest.raises(AssertionError, match=r"env\.sh"):
        check(history, memory, recover, outcome(memory), "never recorded")


def test_the_last_record_of_a_journal_may_be_cut_anywhere(memory: Path) -> None:
    (memory / "var/lib").mkdir(parents=True)
    files = Files(memory)
    journal = Journal(files, Clock(), _STATE)
    for number in range(4):
        journal.append("step", step=str(number))
    content = files.read(journal.path) or b""
    for cut in range(len(content) + 1):
        files.write(journal.path, content[:cut], 0o600)
        whole = content[:cut].count(b"\n")
        assert len(Journal(files, Clock(), _STATE).records) == whole
    assert fold(journal.records).steps == ("0", "1", "2", "3")
