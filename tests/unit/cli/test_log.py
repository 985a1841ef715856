"""The log and the redactor."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Event
from mstunnel_setup.cli.framework.progress import SetupLog
from mstunnel_setup.io.files import Files
from tests.unit.clocks import StoppedClock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _log(root: Path) -> SetupLog:
    return SetupLog(Files(root), StoppedClock(NOW), Redactor(), "run1")


def test_a_run_that_changes_nothing_leaves_no_trace(tmp_path: Path) -> None:
    log = _log(tmp_path)
    log.event(Event("eula", "begin"))
    log.event(Event("eula", "unchanged"))
    log.event(Event("site", "failed", text="no"))
    assert list(tmp_path.iterdir()) == []


def test_the_first_action_brings_what_went_before(tmp_path: Path) -> None:
    log = _log(tmp_path)
    log.event(Event("eula", "begin", text="Licence terms"))
    log.event(Event("eula", "done", "file:/x", "write /x", 0.12345))
    path = tmp_path / "var/log/mstunnel/setup.log"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert records[1] == {
        "time": "2026-01-02T03:04:05.000+00:00",
        "run": "run1",
        "step": "eula",
        "phase": "done",
        "action": "file:/x",
        "text": "write /x",
        "seconds": 0.123,
    }
    assert [record["phase"] for record in records] == ["begin", "done"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_closed_log_is_opened_again_by_the_next_event(tmp_path: Path) -> None:
    log = _log(tmp_path)
    path = tmp_path / "var/log/mstunnel/setup.log"
    log.event(Event("eula", "done", "file:/x"))
    log.close()
    path.rename(path.with_name("setup.log.1"))
    log.event(Event("site", "done", "file:/y"))
    log.close()
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == ["site"]


def test_short_texts_are_no_secrets() -> None:
    redactor = Redactor()
    redactor.register("on")
    assert redactor.clean("on and on") == "on and on"


@given(st.text('ab/+ "\\\n%é', min_size=4, max_size=12), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_does_not_survive_in_text_or_json(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.register(secret)
    assert secret not in redactor.clean(before + secret + after).replace("********", "\x00")
    assert redactor.clean_value({"k": [secret, 1, None]}) == {"k": ["********", 1, None]}
    assert json.dumps(secret)[1:-1] not in redactor.clean(json.dumps(secret))
