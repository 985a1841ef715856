"""What is released to the administrator is no longer undone, and the installation stays finished."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Codec, Undo
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import Step


@dataclass
class Ports(Any):
    files: Files
    state_directory: str = "/var/lib/tunnel"


def test_one_record_drops_all_that_is_released_and_the_step_stays_done(tmp_path: Path) -> None:
    for name in ("etc", "var/lib"):
        (tmp_path / name).mkdir(parents=True)
    ports, clock = Ports(Files(tmp_path)), Clock()
    journal = Journal(ports.files, clock, ports.state_directory)
    runner = Runner(ports, journal, Codec([WriteFile]), clock, lambda _event: None)
    files = [WriteFile(path=f"/etc/{name}", text=name) for name in ("kept", "also-kept", "ours")]
    runner.run([Step("one", "Do it", lambda _context: None, lambda _facts: files)], None)
    before = len(journal.records)

    released = runner.release(["file:/etc/kept", "file:/etc/also-kept", "file:/etc/not-ours"], "yours now")

    assert [record["type"] for record in journal.records[before:]] == ["released"]
    assert [item.key for item in released] == ["file:/etc/also-kept", "file:/etc/kept"]
    assert {(item.undone.outcome, item.undone.reason) for item in released} == {(Undo.KEPT, "yours now")}
    receipt = Journal(ports.files, clock, ports.state_directory).receipt
    assert (set(receipt.entries), receipt.steps) == ({"file:/etc/ours"}, ("one",))
    runner.undo()
    assert sorted(path.name for path in (tmp_path / "etc").iterdir()) == ["also-kept", "kept"]
