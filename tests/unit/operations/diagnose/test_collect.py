"""What of this host's logs goes into the diagnostic file."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.result import Result
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations import diagnose
from tests.unit.fakes import FakeSystemd, ports_of
from tests.unit.operators import operator_of

_RECORD = "ACCESS_LOG,user,device,tcp,10.20.0.2:4000,10.99.0.3:80,1,2,0"
_JOURNAL = f"""\
Nov 25 10:00:00 gw1 ocserv[7]: worker: mentions ocserv-access without being it
Nov 25 10:00:01 gw1 ocserv-access[8]: access log begins
Nov 25 10:00:02 gw1 ocserv-access[8]: {_RECORD}
Nov 25 10:00:02 gw1 ocserv-access: {_RECORD}
Nov 25 10:00:03 gw1 ocserv[7]: the last one
"""
_CONTAINER = f"2026-11-25T10:00:00Z ready\n2026-11-25T10:00:01Z {_RECORD}\n{_RECORD}"


class Programs(Processes):
    """Answers every program: the journal with one text, the engine's log command with another."""

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        return Completed(0, *((_JOURNAL, "") if arguments[0] == "journalctl" else ("", _CONTAINER)))


def test_the_access_log_stays_out_wherever_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("readiness", "health", "overview", "check", "version"):
        monkeypatch.setattr(diagnose, command, lambda *_given: Result())
    found = diagnose.collect(operator_of(tmp_path), ports_of(tmp_path, processes=Programs()))
    logs = {name: text for name, text in found.items() if name.startswith("logs/")}
    assert logs.keys() == {f"logs/{paths.SERVER}.log", f"logs/{paths.AGENT}.log", "logs/journal.log"}
    assert logs[f"logs/{paths.SERVER}.log"] == "2026-11-25T10:00:00Z ready\n"
    kept = [line.partition("gw1 ")[2] for line in logs["logs/journal.log"].splitlines()]
    assert kept == 2 * [
        "ocserv[7]: worker: mentions ocserv-access without being it",
        "ocserv[7]: the last one",
    ]


def test_a_part_that_fails_unforeseen_is_replaced_by_where_and_not_by_what_it_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("readiness", "overview", "check", "version"):
        monkeypatch.setattr(diagnose, command, lambda *_given: Result())

    def fail(_operator: Operator) -> Result:
        raise KeyError("a password")

    monkeypatch.setattr(diagnose, "health", fail)
    found = diagnose.collect(operator_of(tmp_path), ports_of(tmp_path, processes=Programs()))
    assert re.fullmatch(
        rf"not collected: internal-error: unexpected error: KeyError in {__name__}:\d+\n",
        found["checks/health.json"],
    )
    assert "checks/status.json" in found
    assert "logs/journal.log" in found


def test_what_a_host_does_not_have_is_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("readiness", "health", "overview", "check", "version"):
        monkeypatch.setattr(diagnose, command, lambda *_given: Result())
    ports = ports_of(tmp_path, processes=Programs(), systemd=FakeSystemd(runs=False))
    names = diagnose.collect(operator_of(tmp_path), ports).keys()
    assert not [name for name in names if name.startswith("files") or name == "logs/journal.log"]
