"""The service manager, and hosts that have none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.io.systemd import Systemd


class Host(Processes):
    """Programs that answer `output`; none is installed when `empty`."""

    def __init__(self, output: str = "", code: int = 0, *, empty: bool = False) -> None:
        self.output = output
        self.code = code
        self.empty = empty
        self.calls: list[Sequence[str]] = []

    def find(self, program: str) -> str | None:
        return None if self.empty else f"/usr/bin/{program}"

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        self.calls.append(arguments)
        return Completed(self.code, self.output, "")


def test_where_systemctl_is_not_installed_no_unit_is_known() -> None:
    host = Host(empty=True)
    systemd = Systemd(host, "/nowhere")
    assert not systemd.running()
    assert not systemd.known("mstunnel-server.service")
    assert not systemd.active("mstunnel-server.service")
    assert host.calls == []


def test_where_systemd_is_installed_but_does_not_run_no_unit_is_known() -> None:
    assert not Systemd(Host(code=1), "/nowhere").known("mstunnel-server.service")


def test_no_answer_is_not_taken_for_no_unit(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        Systemd(Host(code=1), str(tmp_path)).known("mstunnel-server.service")
    assert caught.value.code == "systemd-failed"
    assert "run the command again" in caught.value.hint


def test_an_account_whose_manager_is_gone_has_no_unit(tmp_path: Path) -> None:
    assert not Systemd(Host(code=1), str(tmp_path), user=True).known("mstunnel-server.service")


def test_systemd_runs_where_its_directory_is(tmp_path: Path) -> None:
    assert Systemd(Host(), str(tmp_path)).running()


@pytest.mark.parametrize(
    ("state", "stopped"), [("inactive", True), ("active", False), ("activating", False), ("failed", False)]
)
def test_a_unit_that_starts_again_and_again_is_not_stopped(state: str, stopped: bool) -> None:
    assert Systemd(Host(f"{state}\n", code=3)).stopped("x.service") is stopped


def test_the_restarts_of_a_unit_are_those_that_systemd_counts() -> None:
    assert Systemd(Host("4\n")).restarts("x.service") == 4
    assert Systemd(Host("", code=1)).restarts("x.service") == 0


def test_a_unit_is_known_unless_systemd_says_that_it_is_not_found() -> None:
    assert Systemd(Host("loaded\n")).known("x.service")
    assert Systemd(Host("masked\n")).known("x.service")
    assert not Systemd(Host("not-found\n")).known("x.service")


def test_a_unit_that_was_stopped_leaves_no_failure() -> None:
    """`systemctl --failed` lists a unit whose process ended in another way, also when its file is gone."""
    host = Host()
    Systemd(host).stop("x.service")
    assert host.calls == [
        ("systemctl", "stop", "--", "x.service"),
        ("systemctl", "reset-failed", "--", "x.service"),
    ]
