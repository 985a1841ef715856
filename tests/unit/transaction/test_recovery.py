"""An attempt that was cut off: what it left is removed before the next one, and before an undo."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.files import MakeDirectory, WriteFile
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Codec
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import Step

_ACTIONS = (MakeDirectory(path="/tunnel", mode=0o750), WriteFile(path="/tunnel/a", text="A\n"))
_STEP: Step[None, None] = Step("one", "Do it", lambda _context: None, lambda _facts: _ACTIONS)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@dataclass
class Ports(Any):
    files: Files


def runner(root: Path) -> Runner:
    ports, clock = Ports(Files(root)), Clock()
    journal = Journal(ports.files, clock, "/state")
    return Runner(ports, journal, Codec([MakeDirectory, WriteFile]), clock, lambda _event: None)


@pytest.mark.parametrize("give_up", [True, False])
def test_only_an_attempt_that_was_cut_off_is_recovered_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, give_up: bool
) -> None:
    seen: list[str] = []

    def killed(*_arguments: object) -> None:
        raise Killed

    for kind in (MakeDirectory, WriteFile):
        monkeypatch.setattr(kind, "clear_attempt", lambda self, _ports: seen.append(self.path))
    with monkeypatch.context() as patch:
        patch.setattr(WriteFile, "apply", killed)
        with pytest.raises(Killed):
            runner(tmp_path).run([_STEP], None)
    assert seen == []

    if give_up:
        runner(tmp_path).undo()
    else:
        runner(tmp_path).run([_STEP], None)

    assert seen == ["/tunnel/a"]
