"""The runner applies only changes, continues interrupted runs, and undoes everything."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.files import CopyFile, Link, MakeDirectory, MergeFile, WriteFile, WriteJson
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base.errors import StepError, WaitingError
from mstunnel_setup.base.result import Event
from mstunnel_setup.base.values import JsonObject, output
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Action, Codec, Undo
from mstunnel_setup.transaction.journal import LARGE, Journal
from mstunnel_setup.transaction.receipt import all_remembered, fold, remembered
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import Step
from tests.refusals import refused
from tests.unit.transaction.ports import Ports

_CODEC = Codec([MakeDirectory, WriteFile, MergeFile, WriteJson, CopyFile, Link, StoreAnswer])
_ACTIONS = (
    MakeDirectory(path="/etc/tunnel", mode=0o750),
    WriteFile(path="/etc/tunnel/a", text="A\n"),
    WriteFile(path="/etc/present", text="ours\n", mode=0o600),
    StoreAnswer(name="site", value={"id": "7"}),
    # The names are not sorted: a journal that sorted them would not recognise its own file.
    WriteJson(path="/etc/tunnel/b.json", value={"site": output("answer:site", "value"), "first": 1}),
    Link(path="/etc/tunnel/active", target="a"),
)


class Killed(BaseException):
    """The equivalent of SIGKILL: nothing in the program catches it."""


def _prepared(root: Path) -> Path:
    for name in ("etc", "var/lib"):
        (root / name).mkdir(parents=True)
    (root / "etc/present").write_text("theirs\n")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return _prepared(tmp_path)


def _journal(root: Path, clock: Clock | None = None) -> Journal:
    return Journal(Files(root), clock or Clock(), "/var/lib/tunnel")


def _runner(root: Path, tell: Callable[[Event], None] = lambda _event: None, **options: Any) -> Runner:
    ports, clock = Ports(Files(root), "/var/lib/tunnel"), options.pop("clock", Clock())
    return Runner(ports, _journal(root, clock), _CODEC, clock, tell, **options)


def _step(actions: Sequence[Action] = _ACTIONS, name: str = "one", *prove: Any) -> Step[None, None]:
    return Step(name, "Do it", lambda _run: None, lambda _facts: actions, *prove)


def _die(*_arguments: object) -> None:
    raise Killed


def _refuse(*_arguments: object) -> None:
    raise StepError("not-good", "it is not good", "Make it good.")


def _tree(root: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(root)): (path.lstat().st_mode, _content(path))
        for path in sorted((root / "etc").rglob("*"))
    }


def _content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return path.read_text() if path.is_file() else ""


def test_plan_shows_exactly_the_actions_that_run_applies(root: Path) -> None:
    planned = _runner(root).plan([_step()], None)
    done = _runner(root).run([_step()], None)
    journaled = [r["action"] for r in _journal(root).records if "action" in r]
    assert planned == done
    # The journal has the results that the plan did not know yet.
    known: dict[str, JsonObject] = {"answer:site": {"value": {"id": "7"}}}
    assert [_CODEC.dump(action.resolved(known)) for action in planned[0].actions] == journaled


def test_results_of_earlier_actions_are_inserted(root: Path) -> None:
    runner = _runner(root)
    runner.run([_step()], None)
    assert '"id": "7"' in (root / "etc/tunnel/b.json").read_text()
    assert remembered(runner.receipt, "site") == {"id": "7"}


def test_interrupted_answer_is_not_remembered() -> None:
    action: JsonObject = {"kind": "remember", "name": "site", "value": "A"}
    begun: JsonObject = {
        "type": "begin", "sequence": 1, "key": "answer:site", "step": "site", "action": action, "before": {},
    }  # fmt: skip
    done: JsonObject = {"type": "done", "sequence": 2, "key": "answer:site", "outputs": {"value": "A"}}
    assert all_remembered(fold([begun])) == {}
    assert all_remembered(fold([begun, done])) == {"site": "A"}


def test_second_run_changes_nothing(root: Path) -> None:
    _runner(root).run([_step()], None)
    before = {path: path.lstat().st_mtime_ns for path in root.rglob("*")}
    assert [planned.actions for planned in _runner(root).run([_step()], None)] == [()]
    assert {path: path.lstat().st_mtime_ns for path in root.rglob("*")} == before


def _run_killed_at(root: Path, number: int, tell_begin: bool) -> None:
    count = 0

    def kill(event: Event) -> None:
        nonlocal count
        count += event.action != "" and (event.phase == "begin") == tell_begin
        if count == number:
            raise Killed

    _runner(root, kill).run([_step()], None)


@pytest.mark.parametrize("tell_begin", [True, False])
@pytest.mark.parametrize("number", range(1, len(_ACTIONS) + 1))
def test_run_killed_between_actions_is_completed(
    root: Path, tmp_path_factory: pytest.TempPathFactory, number: int, tell_begin: bool
) -> None:
    golden = _prepared(tmp_path_factory.mktemp("golden"))
    _runner(golden).run([_step()], None)
    with pytest.raises(Killed):
        _run_killed_at(root, number, tell_begin)
    _runner(root).run([_step()], None)
    assert _tree(root) == _tree(golden)


@pytest.mark.parametrize("position", range(len(_ACTIONS)))
@pytest.mark.parametrize("applied", [True, False])
def test_run_killed_within_an_action_is_undone(
    root: Path, monkeypatch: pytest.MonkeyPatch, position: int, applied: bool
) -> None:
    before = _tree(root)
    target = _ACTIONS[position]
    original = type(target).apply

    def cut_off(self: Any, ports: Any, outputs: Any) -> Any:
        if self == target:
            if applied:
                original(self, ports, outputs)
            raise Killed
        return original(self, ports, outputs)

    monkeypatch.setattr(type(target), "apply", cut_off)
    with pytest.raises(Killed):
        _runner(root).run([_step()], None)
    monkeypatch.undo()
    _runner(root).undo()
    assert _tree(root) == before


def test_unrecorded_change_of_a_killed_run_counts_as_done(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/etc/module.conf"

    def missing(_context: None) -> Sequence[Action]:
        return () if Files(root).state(path) else [WriteFile(path=path, text="tun\n")]

    step: Step[None, Sequence[Action]] = Step("kernel", "Modules", missing, lambda actions: actions)
    monkeypatch.setattr(Journal, "append", _dies_before_done(Journal.append))
    with pytest.raises(Killed):
        _runner(root).run([step], None)
    monkeypatch.undo()
    (entry,) = _runner(root).receipt.entries.values()
    assert not entry.finished
    assert _runner(root).run([step], None)[0].actions == ()
    (entry,) = _runner(root).receipt.entries.values()
    assert entry.finished


def _dies_before_done(append: Callable[..., None]) -> Callable[..., None]:
    def dying(journal: Journal, kind: str, **fields: Any) -> None:
        if kind == "done":
            raise Killed
        append(journal, kind, **fields)

    return dying


def test_file_is_recognised_after_its_inputs_were_undone(root: Path) -> None:
    runner = _runner(root)
    path, key = "/etc/tunnel/b.json", "file:/etc/tunnel/b.json"
    runner.run([_step()], None)
    runner.take_back(["answer:site"])
    assert runner.changed(_ACTIONS[4]) == ""
    (removal,) = runner.take_back([key])
    assert (removal.key, removal.undone.outcome) == (key, Undo.REMOVED)
    assert Files(root).state(path) is None


def test_undo_restores_earlier_files(root: Path) -> None:
    before = _tree(root)
    _runner(root).run([_step()], None)
    removals = _runner(root).undo()
    assert _tree(root) == before
    assert {removal.key: removal.undone.outcome for removal in removals}["file:/etc/present"] is Undo.RESTORED


def test_undo_of_two_versions_restores_the_original(root: Path) -> None:
    before = _tree(root)
    for text in ("first\n", "second\n"):
        _runner(root).run([_step([WriteFile(path="/etc/present", text=text)])], None)
    _runner(root).undo()
    assert _tree(root) == before


def test_undo_removes_a_file_before_its_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the order of an undo: a file begun before its directory, and made after it, is removed first."""
    directory, file = MakeDirectory(path="/etc/tunnel"), WriteFile(path="/etc/tunnel/a", text="A\n")
    before = _tree(root)
    with pytest.raises(StepError):
        _runner(root).run([_step([file])], None)
    _runner(root).run([_step([directory, file])], None)
    _runner(root).undo()
    assert _tree(root) == before
    # An object keeps its position when it is made again.
    _runner(root).run([_step([directory, file])], None)
    (root / "etc/tunnel/a").unlink()
    (root / "etc/tunnel").rmdir()
    monkeypatch.setattr(MakeDirectory, "apply", _die)
    for _ in range(2):
        with pytest.raises(Killed):
            _runner(root).run([_step([directory, file])], None)
    monkeypatch.undo()
    _runner(root).run([_step([directory, file])], None)
    _runner(root).undo()
    assert _tree(root) == before


def test_undo_removes_a_link_before_its_newer_target(root: Path) -> None:
    """Check the order of an undo: a reader of the link finds everything or nothing."""
    for name in ("one", "two"):
        actions = (
            MakeDirectory(path=f"/etc/{name}"),
            WriteFile(path=f"/etc/{name}/a", text="A\n"),
            Link(path="/etc/active", target=name),
        )
        _runner(root).run([_step(actions)], None)
    removals = [removal.key for removal in _runner(root).undo()]
    assert removals.index("link:/etc/active") < removals.index("file:/etc/two/a")


@pytest.mark.parametrize("give_up", [True, False])
def test_only_an_interrupted_attempt_is_cleared(
    root: Path, monkeypatch: pytest.MonkeyPatch, give_up: bool
) -> None:
    cleared: list[str] = []
    for kind in (MakeDirectory, WriteFile):
        monkeypatch.setattr(kind, "clear_attempt", lambda self, _ports: cleared.append(self.path))
    with monkeypatch.context() as patch:
        patch.setattr(WriteFile, "apply", _die)
        with pytest.raises(Killed):
            _runner(root).run([_step()], None)
    assert cleared == []
    if give_up:
        _runner(root).undo()
    else:
        _runner(root).run([_step()], None)
    assert cleared == ["/etc/tunnel/a"]


def test_undo_keeps_and_reports_changes_of_others(root: Path) -> None:
    _runner(root).run([_step()], None)
    (root / "etc/tunnel/a").write_text("edited by hand\n")
    (root / "etc/tunnel/foreign").write_text("not ours\n")
    kept = [removal.key for removal in _runner(root).undo() if removal.undone.outcome is Undo.KEPT]
    assert kept == ["file:/etc/tunnel/a", "directory:/etc/tunnel"]
    assert (root / "etc/tunnel/foreign").exists()


def test_undo_removes_a_managed_file_even_if_changed(root: Path) -> None:
    managed = WriteFile(path="/etc/managed", text="as installed\n", managed=True)
    _runner(root).run([_step([managed])], None)
    (root / "etc/managed").write_text("as the tenant wants it today\n")
    assert [removal.undone.outcome for removal in _runner(root).undo()] == [Undo.REMOVED]
    assert not (root / "etc/managed").exists()


_EDITED = ("/etc/tunnel/a", "/etc/present", "/etc/tunnel/b.json")


@pytest.mark.parametrize("path", _EDITED)
def test_changed_file_is_not_overwritten_without_confirmation(root: Path, path: str) -> None:
    _runner(root).run([_step()], None)
    edited = root / path.lstrip("/")
    edited.write_text("edited by hand\n")
    with pytest.raises(WaitingError) as caught:
        _runner(root).run([_step()], None)
    assert (caught.value.code, path in caught.value.message) == ("changed-by-others", True)
    assert edited.read_text() == "edited by hand\n"


def test_a_replaced_file_of_others_is_backed_up(root: Path) -> None:
    _runner(root).run([_step()], None)
    before = _tree(root)
    (root / "etc/tunnel/a").write_text("edited by hand\n")
    asked: list[str] = []

    def agree(changed: str) -> bool:
        asked.append(changed)
        return True

    _runner(root, may_replace=agree).run([_step()], None)
    assert asked == ["/etc/tunnel/a was changed outside mstunnel-setup"]
    assert _tree(root) == before
    kept = [path.read_text() for path in (root / "var/lib/tunnel/saved").iterdir()]
    assert "edited by hand\n" in kept


def test_removed_objects_are_made_again_without_a_question(root: Path) -> None:
    _runner(root).run([_step()], None)
    before = _tree(root)
    for name in ("a", "active"):
        (root / "etc/tunnel" / name).unlink()
    _runner(root).run([_step()], None)
    assert _tree(root) == before


def test_merged_file_is_updated_without_a_question(root: Path) -> None:
    def merged(*lines: str) -> Step[None, None]:
        return _step([MergeFile(path="/etc/present", text="".join(lines))])

    _runner(root).run([merged("theirs\n", "ours\n")], None)
    (root / "etc/present").write_text("theirs\nours\nmore\n")
    _runner(root).run([merged("theirs\n", "more\n", "new\n")], None)
    assert (root / "etc/present").read_text() == "theirs\nmore\nnew\n"


def test_failure_of_a_step_is_kept_until_it_succeeds(root: Path) -> None:
    with pytest.raises(StepError):
        _runner(root).run([_step(_ACTIONS, "one", _refuse)], None)
    failure = _runner(root).receipt.failure
    assert failure is not None
    assert failure.code == "not-good"
    _runner(root).run([_step()], None)
    assert _runner(root).receipt.failure is None
    assert _runner(root).receipt.steps == ("one",)


def test_failure_is_cleared_by_a_success_without_changes(root: Path) -> None:
    """Check a failure whose cause was removed by an administrator."""
    runner = _runner(root)
    runner.run([_step(), _step((), "two")], None)
    with pytest.raises(StepError):
        runner.run([_step((), "two", _refuse)], None)
    runner.run([_step()], None)
    assert runner.receipt.failure is not None
    runner.run([_step((), "two")], None)
    assert runner.receipt.failure is None


def test_failure_before_any_change_leaves_no_journal(root: Path) -> None:
    with pytest.raises(StepError):
        _runner(root).run([Step("one", "Do it", _refuse, lambda _facts: ())], None)
    assert list((root / "var/lib").iterdir()) == []


def test_an_action_of_a_newer_version_is_refused() -> None:
    with refused(StepError, "journal-newer"):
        _CODEC.load({"kind": "fly", "height": 3})


def test_copied_file_must_have_the_checked_digest(root: Path) -> None:
    (root / "source").write_text("swapped")
    action = CopyFile(source=str(root / "source"), digest="0" * 64, path="/etc/copy")
    with refused(StepError, "source-changed"):
        _runner(root).run([_step([action])], None)
    assert not (root / "etc/copy").exists()


def test_left_objects_stay_and_the_rest_is_undone(root: Path) -> None:
    runner = _runner(root)
    runner.run([_step()], None)
    left = runner.leave({"file:/etc/tunnel/a": "kept for you", "file:/etc/nobody's": "not ours"})
    assert [(item.key, item.undone.outcome, item.undone.reason) for item in left] == [
        ("file:/etc/tunnel/a", Undo.KEPT, "kept for you")
    ]
    assert "file:/etc/tunnel/a" not in {removal.key for removal in runner.undo()}
    assert (root / "etc/tunnel/a").read_text() == "A\n"
    assert not (root / "etc/tunnel/active").is_symlink()
    assert _runner(root).receipt.entries == {}


def test_one_record_releases_objects_and_the_step_stays_done(root: Path) -> None:
    runner = _runner(root)
    files = [WriteFile(path=f"/etc/{name}", text=name) for name in ("kept", "also-kept", "ours")]
    runner.run([_step(files)], None)
    before = len(_journal(root).records)

    released = runner.release(["file:/etc/kept", "file:/etc/also-kept", "file:/etc/not-ours"], "yours now")

    journal = _journal(root)
    assert [record["type"] for record in journal.records[before:]] == ["released"]
    assert [item.key for item in released] == ["file:/etc/also-kept", "file:/etc/kept"]
    assert {(item.undone.outcome, item.undone.reason) for item in released} == {(Undo.KEPT, "yours now")}
    assert (set(journal.receipt.entries), journal.receipt.steps) == ({"file:/etc/ours"}, ("one",))
    runner.undo()
    assert sorted(path.name for path in (root / "etc").iterdir()) == ["also-kept", "kept", "present"]


class _StandingClock(Clock):
    """A clock that advances only while a person is waited for."""

    elapsed = 0.0

    def monotonic(self) -> float:
        return self.elapsed


def test_duration_of_a_step_excludes_waiting_for_a_person(root: Path) -> None:
    clock, events = _StandingClock(), list[Event]()

    def ask(_context: None) -> None:
        clock.elapsed += 600

    runner = _runner(root, events.append, clock=clock, waited=lambda: clock.elapsed)
    runner.run([Step("one", "Do it", ask, lambda _facts: _ACTIONS)], None)
    assert (events[-1].phase, events[-1].seconds) == ("done", 0)


def test_undo_reports_its_progress(root: Path) -> None:
    counts = list[tuple[int, int]]()
    _runner(root).run([_step()], None)
    _runner(root).undo(counted=lambda undone, total: counts.append((undone, total)))
    assert counts == [(made, len(_ACTIONS)) for made in range(1, len(_ACTIONS) + 1)]


def test_superseded_records_are_gone_after_each_run(root: Path) -> None:
    """Check that the journal is short between two runs, since every command reads all of it."""
    path = root / "var/lib/tunnel/journal.jsonl"
    texts = [f"{number}" * 1000 for number in range(40)]
    for text in texts:
        _runner(root).run([_step([WriteFile(path="/etc/tunnel-a", text=text)])], None)
        assert path.stat().st_size <= LARGE
    assert (root / "etc/tunnel-a").read_text() == texts[-1]


def test_obsolete_objects_are_undone_once_their_step_is_done(root: Path) -> None:
    kept, given_up = (WriteFile(path=f"/etc/{name}", text="") for name in ("kept", "given-up"))
    _runner(root).run([_step((kept, given_up))], None)
    seen: list[bool] = []

    def gather(_run: None) -> None:
        seen.append((root / "etc/given-up").exists())

    changed = Step(
        "one", "Do it", gather, lambda _facts: (kept,), obsolete=lambda _run: (given_up.key, "file:/x")
    )
    _runner(root).run([changed, Step("two", "Look", gather, lambda _facts: ())], None)
    assert seen == [True, False]
    assert set(_journal(root).receipt.entries) == {kept.key}


def test_step_that_fails_keeps_its_obsolete_objects(root: Path) -> None:
    _runner(root).run([_step()], None)
    failing = Step(
        "one",
        "Do it",
        lambda _run: None,
        lambda _facts: _ACTIONS,
        _refuse,
        obsolete=lambda _run: [_ACTIONS[1].key],
    )
    with refused(StepError, "not-good"):
        _runner(root).run([failing], None)
    assert (root / "etc/tunnel/a").exists()
