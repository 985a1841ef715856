"""The certificate in `status` and `health`: days left, and the CA's last answer."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pydantic import Field

from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Day, Moment, Report
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates import generations, revocation
from mstunnel_setup.certificates.chain_findings import days_left
from mstunnel_setup.certificates.expiry import Expiry, expiry_of
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.transaction.receipt import Receipt

_UNANSWERED = frozenset({RevocationState.UNKNOWN, RevocationState.UNREACHABLE, RevocationState.NOT_ASKED})
# The monitor takes over from a failed timer after five minutes.
_PATIENCE = timedelta(minutes=10)
# The kind of action that schedules an import (actions/certificates.py).
_SCHEDULED = "schedule-import"
_RENEW = "Renew it and run `mst-cli import_cert`; `mst-cli help certificates` has a hook that does both."


class RevocationSummary(Report):
    """The last revocation status, from an OCSP responder or a CRL."""

    state: str
    asked: Moment
    problems: tuple[str, ...] = Field(description="For each address that gave no answer, why.")


class PendingImport(Report):
    """A delayed import that has not run yet."""

    name: str
    at: Moment
    overdue: bool = Field(description="Its time is over by more than ten minutes.")


class CertificateSummary(Report):
    """A summary of the certificate in use."""

    days_left: int | None = Field(description="Days until the leaf in use ends.")
    not_after: Day | None
    expiry: Expiry | None = Field(
        default=None, description="Urgency of the renewal, relative to the lifetime."
    )
    revocation: RevocationSummary | None
    pending: tuple[PendingImport, ...] = Field(description="Delayed imports.")

    @classmethod
    def read(cls, host: GatewayHost, receipt: Receipt) -> "CertificateSummary":
        """Return days left, the stored revocation answer, and the delayed imports; fetch nothing."""
        leaf = generations.leaf_in_use(host.files)
        now = host.clock.now()
        asked = revocation.last(host.files, str(generations.linked(host.files)), now)
        answer = None
        if asked is not None:
            at = asked.asked.isoformat(timespec="seconds")
            answer = RevocationSummary(state=asked.state.value, asked=at, problems=tuple(asked.problems))
        return cls(
            days_left=None if leaf is None else days_left(leaf, now),
            not_after=None if leaf is None else f"{leaf.not_valid_after_utc:%Y-%m-%d}",
            expiry=None if leaf is None else expiry_of(leaf, now),
            revocation=answer,
            pending=tuple(
                PendingImport(name=name, at=due.isoformat(), overdue=due + _PATIENCE < now)
                for due, name in _pending(receipt)
            ),
        )

    def notices(self) -> Iterator[Problem]:
        """Yield warnings: nearly expired, revoked, revocation not checked, failed import."""
        days, date = self.days_left, self.not_after
        if self.expiry is None:
            yield warning(
                "certificate-not-in-use", "no usable certificate is in use", hint="Run `mst-cli cert check`."
            )
        elif self.expiry is Expiry.EXPIRED:
            yield warning("certificate-expired", "the certificate expired on {date}", hint=_RENEW, date=date)
        elif self.expiry is Expiry.CRITICAL:
            yield warning(
                "certificate-nearly-expired",
                "the certificate expires on {date}, and no device can connect then (days left: {days})",
                hint=_RENEW,
                date=date,
                days=days,
            )
        elif self.expiry is Expiry.SOON:
            yield warning(
                "certificate-expires-soon",
                "the certificate expires on {date} (days left: {days})",
                hint=_RENEW,
                date=date,
                days=days,
            )
        state = self.revocation and self.revocation.state
        if state == RevocationState.REVOKED:
            yield warning(
                "certificate-revoked",
                "the authority has revoked the certificate",
                hint="Import a new one with `mst-cli import_cert`.",
            )
        elif self.revocation is not None and state in _UNANSWERED:
            why = "; ".join(self.revocation.problems)
            yield warning(
                "revocation-undetermined",
                "cannot determine whether the certificate is revoked{why}",
                hint="Run `mst-cli cert check`.",
                why=text(": {why}", why=why) if why else "",
            )
        for item in (item for item in self.pending if item.overdue):
            yield warning(
                "import-overdue",
                "the delayed import {name} did not run at its time",
                hint="The monitor retries it every hour; `journalctl -t mstunnel_monitor` shows why it "
                "fails, `mst-cli import_cert --cancel {name}` cancels it.",
                name=item.name,
            )

    def lines(self) -> list[tuple[str, str]]:
        """Return rows for people."""
        days, answer = self.days_left, self.revocation
        left = text("not installed yet") if days is None else text("{days} days left", days=days)
        rows = [(text("Certificate"), left)]
        if answer is not None:
            asked = datetime.fromisoformat(answer.asked)
            said = (
                text("the certificate names no OCSP responder or CRL")
                if answer.state == RevocationState.NOT_OFFERED
                else text("{state}, checked on {asked:%Y-%m-%d %H:%M} UTC", state=answer.state, asked=asked)
            )
            rows.append(("Revocation", said))
        return [*rows, *((text("Next"), f"{item.name} at {item.at}") for item in self.pending)]


def _pending(receipt: Receipt) -> list[tuple[datetime, str]]:
    """Return time and name of each delayed import, the earliest first."""
    scheduled = (entry.versions[-1] for entry in receipt.entries.values())
    return sorted(
        (datetime.fromisoformat(str(data["at"])).astimezone(UTC), str(data["name"]))
        for data in scheduled
        if data["kind"] == _SCHEDULED
    )
