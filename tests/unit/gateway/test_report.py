"""The gateway's report: the output of its script is parsed, anything else is ignored."""

import hashlib
import json
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mstunnel_setup.exchange.gateway_report import ConfigurationOutcome, GatewayReport, parse_report
from tests.cases import every
from tests.unit.gateway.test_stop import ENTRYPOINT, functions
from tests.unit.present import present

REPORT = Path(__file__).parents[3] / "images/gateway/report"
STATUS = '{\n  "Status": "online",\n  "Active sessions": 7\n}'


def parsed(text: str) -> GatewayReport:
    return present(parse_report(text))


def reported(folder: Path, *outcome: str, device: str = "/dev/net/tun") -> GatewayReport:
    """Return the output of the real script with other paths of files, device and programs."""
    (folder / "ocserv.conf").write_text("device = vpns\n")
    script = REPORT.read_text().replace("/var/lib/mstunnel-server", str(folder))
    script = script.replace("/etc/mstunnel/ocserv.conf", str(folder / "ocserv.conf"))
    command = ["bash", "-c", script.replace("/dev/net/tun", device), "report", "0" * 64, *outcome]
    subprocess.run(command, env={"PATH": f"{folder}:{os.environ['PATH']}"}, check=True)
    return parsed((folder / "report").read_text())


def test_what_the_gateway_writes(tmp_path: Path) -> None:
    """A script replaces occtl."""
    (tmp_path / "occtl").write_text(f"#!/bin/sh\necho '{STATUS}'\n")
    (tmp_path / "occtl").chmod(0o755)
    account = {"http_code": 200, "time_namelookup": 0.001, "time_connect": 0.004}
    (tmp_path / "probe").write_text(f"1767225600 http://intranet.example/ {json.dumps(account)}\n")

    found = reported(tmp_path, "refused", "line 3:\nbad value")

    assert abs((datetime.now(UTC) - found.at).total_seconds()) < 60
    assert found.configuration == ConfigurationOutcome("0" * 64, "line 3: bad value")
    assert found.connections == 7
    assert found.transferred is not None
    assert found.probe is not None
    assert (found.probe.url, found.probe.status) == ("http://intranet.example/", 200)
    assert found.probe.connect_seconds == pytest.approx(0.003)


@pytest.mark.parametrize(("device", "opens"), [("/dev/null", True), ("/dev/missing", False)])
def test_report_says_if_tunnel_device_can_be_opened(tmp_path: Path, device: str, opens: bool) -> None:
    assert reported(tmp_path, "applied", device=device).opens_tunnel is opens


@pytest.mark.parametrize(("passed", "probes"), [(0, False), (299, False), (300, True)])
def test_the_internal_address_is_probed_when_it_is_due(tmp_path: Path, passed: int, *, probes: bool) -> None:
    """The interval is measured by the time since boot, because the clock can be changed."""
    (tmp_path / "probe-url").write_text("http://intranet.example/\n")
    last = "probed_url=http://intranet.example/ probed=100000"
    (seconds,) = re.findall(r"^probe_seconds=\d+$", ENTRYPOINT.read_text(), re.MULTILINE)
    settings = f"probe_url=probe-url probe=cat {seconds} {last}"
    (tmp_path / "uptime").write_text(f"{100000 + passed}.53 42.0\n")
    tries = functions("try_internal_address").replace("/proc/uptime", "uptime")
    command = ["sh", "-euc", f"{settings}\n{tries}\ntry_internal_address\nwait\ntry_internal_address\nwait"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == ("http://intranet.example/\n" if probes else ""), "once, and not again at once"


@pytest.mark.parametrize("outcome", ["applied", "refused"])
def test_check_result_belongs_to_checked_configuration(tmp_path: Path, outcome: str) -> None:
    """A configuration that arrives during the check does not get its result."""
    (tmp_path / "ocserv.conf").write_text("one")
    (tmp_path / "check").write_text(f"#!/bin/sh\necho two >$1\n[ {outcome} = applied ]\n")
    (tmp_path / "check").chmod(0o755)
    settings = "configuration=ocserv.conf check=./check report=echo"
    script = f"{settings}\n{functions('judge', 'tell')}\njudge || true\ntell {outcome}"
    done = subprocess.run(["sh", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [hashlib.sha256(b"one").hexdigest(), outcome]


def test_an_applied_configuration_and_all_interfaces_together() -> None:
    found = parsed("time 1\nconfiguration 00 applied \ninterface eth0 10 20\ninterface eth1 1 2\n")

    assert found.configuration == ConfigurationOutcome("00")
    assert found.transferred == 33


@pytest.mark.parametrize("text", ["", "time", "time tomorrow", "time 99999999999999999999", "nothing"])
def test_without_a_time_it_is_no_report(text: str) -> None:
    assert parse_report(text) is None


@every("line", [
        "configuration", "configuration 00", "configuration 00 perhaps", "status", "status []", "status {",
        'status {"Active sessions": "many"}', "interface", "interface eth0 x y", "probe", "probe soon x",
        "probe 1", "something new 1 2 3",
    ])  # fmt: skip
def test_a_meaningless_line_has_no_effect(line: str) -> None:
    found = parsed(f"time 1\n{line}\n")

    assert (found.configuration, found.connections, found.transferred, found.probe) == (None,) * 4


@pytest.mark.parametrize("number", ["1e999", "-Infinity", "NaN", "9" * 4_000, "-1", '"200"', "[]"])
def test_a_probe_that_measured_nonsense_has_reached_nothing(number: str) -> None:
    account = f'{{"http_code": {number}, "time_connect": {number}, "errormsg": "{"x" * 9_000}"}}'
    found = present(parsed(f"time 1\nprobe 1 http://intranet.example/ {account}\n").probe)
    assert (found.status, found.reached, found.connect_seconds) == (0, False, None)
    # A number that is invalid in JSON makes the accounting record unreadable.
    assert found.words == f"{'x' * 499}… (curl ?)" or found.account == {}


@given(st.text())
@example("[" * 100_000)
@example("9" * 5_000)
def test_any_report_text_is_parsed(text: str) -> None:
    for word in ("", "configuration", "status", "interface", "interface eth0", "probe 1 u"):
        assert parsed(f"time 1\n{word} {text}").at == datetime.fromtimestamp(1, UTC)
