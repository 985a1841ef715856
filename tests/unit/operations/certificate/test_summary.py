"""The certificate in `status` and `health`: its rows, and when warnings appear."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from mstunnel_setup.actions.certificates import ScheduleImport
from mstunnel_setup.base import paths
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.expiry import expiry
from mstunnel_setup.certificates.revocation import ASKED_BY_AGENT
from mstunnel_setup.operations.certificate.summary import CertificateSummary, RevocationSummary
from mstunnel_setup.transaction.action import Codec
from mstunnel_setup.transaction.receipt import Entry, Receipt
from tests.cases import every
from tests.unit.certificates.pki import NOW
from tests.unit.clocks import StoppedClock
from tests.unit.fakes import ports_of

_ASKED = "2026-11-25T09:41:27+00:00"


def summary(days: int | None, state: str | None, *problems: str) -> CertificateSummary:
    answer = RevocationSummary(state=state, asked=_ASKED, problems=problems) if state else None
    near = None if days is None else expiry(NOW + timedelta(days=days), NOW)
    return CertificateSummary(
        days_left=days, not_after="2026-12-31", expiry=near, revocation=answer, pending=()
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("good", "good, checked on 2026-11-25 09:41 UTC"),
        ("unreachable", "unreachable, checked on 2026-11-25 09:41 UTC"),
        ("not-offered", "the certificate names no OCSP responder or CRL"),
    ],
)
def test_last_revocation_status_is_shown(state: str, said: str) -> None:
    assert summary(89, state).lines() == [("Certificate", "89 days left"), ("Revocation", said)]


@every(
    "days, state, warned",
    [
        (31, "good", []),
        (31, "not-offered", []),
        (30, "good", ["certificate-expires-soon"]),
        (4, "good", ["certificate-expires-soon"]),
        (3, "good", ["certificate-nearly-expired"]),
        (0, "good", ["certificate-nearly-expired"]),
        (-1, "good", ["certificate-expired"]),
        (None, None, ["certificate-not-in-use"]),
        (31, None, []),
        (31, "revoked", ["certificate-revoked"]),
        (31, "unknown", ["revocation-undetermined"]),
        (31, "unreachable", ["revocation-undetermined"]),
        (31, "not-asked", ["revocation-undetermined"]),
        (-1, "revoked", ["certificate-expired", "certificate-revoked"]),
    ],
)
def test_expiry_and_revocation_cause_warnings(days: int | None, state: str | None, warned: list[str]) -> None:
    problems = ["http://ocsp.example.net: it did not answer"]
    notices = list(summary(days, state, *problems).notices())
    assert [notice.code for notice in notices] == warned
    assert all(notice.hint for notice in notices)
    unanswered = [notice for notice in notices if notice.code == "revocation-undetermined"]
    assert all(problems[0] in notice.message for notice in unanswered)


@pytest.mark.parametrize(("minutes", "warned"), [(-60, []), (9, []), (11, ["import-overdue"])])
def test_overdue_import_has_a_warning(tmp_path: Path, minutes: int, warned: list[str]) -> None:
    due = NOW - timedelta(minutes=minutes)
    pending = ScheduleImport(name="0123456789ab", at=due.isoformat(), fingerprint="f", program="/bin/true")
    entry = Entry(pending.key, "import", {}, (Codec([ScheduleImport]).dump(pending),), finished=True)
    found_here = CertificateSummary.read(
        ports_of(tmp_path, clock=StoppedClock(NOW)), Receipt({pending.key: entry})
    )
    found = [notice for notice in found_here.notices() if notice.code != "certificate-not-in-use"]
    assert [notice.code for notice in found] == warned
    assert all("--cancel 0123456789ab" in notice.hint for notice in found)


@pytest.mark.parametrize("asked", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"])
def test_unusable_time_from_the_agent_is_ignored(tmp_path: Path, asked: str) -> None:
    ports = ports_of(tmp_path, clock=StoppedClock(NOW))
    ports.files.make_directories(paths.AGENT_STATE)
    name = str(generations.linked(ports.files))
    record = {"fingerprint": name, "asked": asked, "state": "good", "certificates": []}
    ports.files.write(ASKED_BY_AGENT, json.dumps(record).encode())
    assert CertificateSummary.read(ports, Receipt({})).revocation is None
