"""Where the lines of agent and monitor go: to standard streams as text or JSON, or to the journal."""

import json
import socket
from pathlib import Path

import pytest

from mstunnel_setup.agent.loop import log_of
from mstunnel_setup.base import paths
from mstunnel_setup.cli import monitor
from mstunnel_setup.exchange.log_lines import CHECKED_IN, RESTART
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.systemd import SystemJournal
from tests.unit.io.test_systemd import fields_of
from tests.unit.operators import operator_of

LINE = RESTART(container="mstunnel-agent", condition="unhealthy")


def set_format(root: Path, value: str) -> None:
    (root / paths.CONFIGURATION.lstrip("/")).mkdir(parents=True, exist_ok=True)
    (root / paths.ENVIRONMENT.lstrip("/")).write_text(f"LOG_FORMAT={value}\n")


def test_agent_logs_json_once_env_sh_asks_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell = log_of(Files(tmp_path))
    tell(CHECKED_IN())
    set_format(tmp_path, "json")
    tell(CHECKED_IN())
    set_format(tmp_path, "text")
    tell(CHECKED_IN())
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == third == "checked-in: the tenant accepted the first check-in"
    assert json.loads(second)["code"] == "checked-in"


@pytest.mark.parametrize("value", ["json", "text"])
def test_the_monitor_sends_its_fields_to_the_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    set_format(tmp_path, value)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        receiver.settimeout(5)
        monitor._log_of(operator_of(tmp_path), SystemJournal(str(tmp_path / "socket")))(LINE)
        fields = fields_of(receiver.recv(4096))
    assert fields["SYSLOG_IDENTIFIER"] == "mstunnel_monitor"
    assert (fields["MESSAGE"], fields["MSTUNNEL_CONTAINER"]) == (str(LINE), "mstunnel-agent")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("away", [True, False], ids=["journal that is away", "no journal"])
def test_without_a_journal_the_monitor_writes_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], away: bool
) -> None:
    tell = monitor._log_of(operator_of(tmp_path), SystemJournal(str(tmp_path / "no")) if away else None)
    tell(LINE)
    assert capsys.readouterr().err == f"{LINE}\n"
    set_format(tmp_path, "json")
    tell(LINE)
    assert json.loads(capsys.readouterr().err)["values"]["container"] == "mstunnel-agent"
