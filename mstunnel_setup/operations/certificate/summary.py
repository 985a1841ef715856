"""The certificate in `status` and `health`: days left, and the last answer of the authority."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mstunnel_setup.actions.certificate_schedule import pending_imports
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, as_list, as_object
from mstunnel_setup.certificates import generations, revocation_record
from mstunnel_setup.certificates.judge import WARN_DAYS, days_left
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.certificates.revocation_record import Record
from mstunnel_setup.operations.certificate.errors import (
    CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_IN_USE,
    CERTIFICATE_REVOKED,
)
from mstunnel_setup.transaction.receipt import Receipt

_UNANSWERED = frozenset({RevocationState.UNKNOWN, RevocationState.UNREACHABLE, RevocationState.NOT_ASKED})
# Where the timer has not done it, the monitor does after five minutes.
_PATIENCE = timedelta(minutes=10)


def certificate_facts(ports: Host, receipt: Receipt) -> JsonObject:
    """Days left, the revocation answer kept last, and the names of delayed imports; nothing is fetched."""
    leaf = generations.leaf_in_use(ports.files)
    asked = revocation_record.last(ports.files, str(generations.linked(ports.files)), ports.clock.now())
    now = ports.clock.now()
    pending = sorted(pending_imports(receipt), key=lambda item: item.due)
    return {
        "days_left": None if leaf is None else days_left(leaf, ports.clock.now()),
        "not_after": None if leaf is None else f"{leaf.not_valid_after_utc:%Y-%m-%d}",
        "revocation": None if asked is None else _answer(asked),
        "pending": [
            {"name": item.name, "at": item.due.isoformat(), "overdue": item.due + _PATIENCE < now}
            for item in pending
        ],
    }


def _answer(record: Record) -> JsonObject:
    """What was learnt, and of each address that gave no answer why."""
    asked = record.asked.isoformat(timespec="seconds")
    return {"state": record.state.value, "asked": asked, "problems": [*record.problems]}


def certificate_notices(facts: JsonObject) -> Iterator[Problem]:
    """Warnings: 30 days before the end, of a revoked one, of one not asked about, of a failed import."""
    days = facts["days_left"]
    if not isinstance(days, int):
        yield CERTIFICATE_NOT_IN_USE()
    elif days < 0:
        yield CERTIFICATE_EXPIRED(date=facts["not_after"])
    elif days <= WARN_DAYS:
        yield warning(
            "certificate-expires-soon",
            "the certificate expires on {date}, in {days} days",
            hint=(
                "Renew it and run `mst-cli import_cert`; `mst-cli help certificates` has a hook that "
                "does both."
            ),
            date=facts["not_after"],
            days=days,
        )
    if _state(facts) == RevocationState.REVOKED:
        yield CERTIFICATE_REVOKED()
    elif _state(facts) in _UNANSWERED:
        why = "; ".join(map(str, as_list(as_object(facts["revocation"])["problems"])))
        yield warning(
            "revocation-undetermined",
            "cannot determine whether the certificate is revoked{why}",
            hint="Run `mst-cli cert check`.",
            why=text(": {why}", why=why) if why else "",
        )
    for item in map(as_object, as_list(facts["pending"])):
        if item["overdue"]:
            yield warning(
                "import-overdue",
                "the delayed import {name} did not run at its time",
                hint=(
                    "The monitor retries it every hour; `journalctl -t mstunnel_monitor` shows why it "
                    "fails, `mst-cli import_cert --cancel {name}` cancels it."
                ),
                name=item["name"],
            )


def certificate_lines(facts: JsonObject) -> list[tuple[str, str]]:
    """Rows for people."""
    days, answer = facts["days_left"], as_object(facts["revocation"])
    rows = [
        (
            text("Certificate"),
            text("not installed yet") if days is None else text("{days} days left", days=days),
        )
    ]
    if answer:
        rows.append(("Revocation", _said(answer)))
    pending = map(as_object, as_list(facts["pending"]))
    rows += [(text("Next"), f"{item['name']} at {item['at']}") for item in pending]
    return rows


def _said(answer: JsonObject) -> str:
    if answer["state"] == RevocationState.NOT_OFFERED:
        return text("the certificate names no OCSP responder or CRL")
    return text(
        "{state}, asked on {asked:%Y-%m-%d %H:%M} UTC",
        state=answer["state"],
        asked=datetime.fromisoformat(str(answer["asked"])),
    )


def _state(facts: JsonObject) -> str:
    return str(as_object(facts["revocation"]).get("state", ""))
