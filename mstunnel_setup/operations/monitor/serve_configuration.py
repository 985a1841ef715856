"""The server configuration on its way from agent to gateway: judged, rendered and proved by the host."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, NamedTuple

from mstunnel_setup.agent.log_lines import CONFIGURATION_REFUSED
from mstunnel_setup.answers.address import is_probe_address
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import LockedError, SetupError
from mstunnel_setup.base.log_line import Tell
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import configuration as handover
from mstunnel_setup.exchange.agent_settings import read_gateway_options, read_log_level
from mstunnel_setup.exchange.configuration import Handed, Verdict
from mstunnel_setup.exchange.gateway_report import read_report
from mstunnel_setup.gateway import rendering
from mstunnel_setup.gateway.log_level import served_level, with_level
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE, GatewayOptions
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.configuration import (
    Served,
    Turn,
    digest_of,
    read_record,
    write_record,
)
from mstunnel_setup.operations.monitor.limits import Change, Ledger
from mstunnel_setup.operations.monitor.log_lines import (
    CONFIGURATION_ACCEPTED,
    CONFIGURATION_WRITTEN,
    LOG_LEVEL_CHANGED,
)
from mstunnel_setup.transaction.lock import exclusive

# The gateway reloads at once when it gets the signal; a restart of ocserv takes a second or two.
_PATIENCE: Final = 10.0
_PAUSE: Final = 0.25
# A gateway that reported so long ago does not answer within seconds either.
_ALIVE: Final = timedelta(minutes=1)
_HINT: Final = text("The earlier one is in use again. Correct the server configuration in the admin center.")


class _Known(NamedTuple):
    """Data that was judged, for devices that authenticate so, and the name of what is to be served."""

    content: bytes
    options: GatewayOptions
    handed: Handed
    wanted: str


@dataclass
class Configurations:
    """Serves what the agent hands over.

    `nudge` has the gateway look at its files now instead of a few seconds later.
    """

    files: Files
    clock: Clock
    reload_gateway: Callable[[], None]
    tell: Tell
    _known: _Known | None = field(default=None, init=False)

    def look(self) -> None:
        """Hear what became of the last configuration, then serve another one if the agent handed it over.

        Raises SetupError for what cannot be served; the agent gets the reason as its verdict.
        """
        if self.files.state(paths.OUTBOX) is None:
            return
        self._settle()
        content = handover.read_handed(self.files)
        if content is None:
            return
        try:
            known = self._judge(content)
        except SetupError as error:
            self._answer(Verdict.refused(handover.name_of(content), error.message, error.hint))
            raise
        self._show_address(known.handed.probe_url)
        self._serve(known)

    @property
    def settled(self) -> bool:
        """Whether the gateway has taken or refused what was written last."""
        record = read_record(self.files)
        return record is None or self._turn(record) == "rest"

    def keep_level(self) -> None:
        """Have the gateway log as much as this host wants now. Raises SetupError: env.sh is wrong."""
        present, record = self._present(), read_record(self.files)
        served = served_level(present)
        # While the gateway has not spoken, what stands there is known by its digest.
        if served is None or (record is not None and self._turn(record) != "rest"):
            return
        if (level := read_log_level(self.files, self.clock.now())) != served:
            with self._changing():
                self.files.write(paths.OCSERV_CONF, with_level(present, level), CONFIGURATION_MODE)
            self.tell(LOG_LEVEL_CHANGED(level=level))
            self.reload_gateway()

    def _judge(self, content: bytes) -> _Known:
        """The data, judged and rendered once: at most looks the same bytes lie there."""
        options = read_gateway_options(self.files)
        known = self._known
        if known is None or (known.content, known.options) != (content, options):
            handed = handover.judge(content)
            wanted = rendering.render(handed.configuration, options).digest
            known = _Known(content, options, handed, wanted)
            self._known = known
        return known

    def _show_address(self, address: str) -> None:
        """Have the gateway try the site's internal address, and none that is no address."""
        content = (address if is_probe_address(address) else "").encode() + b"\n"
        if self.files.read(paths.PROBE_URL) != content and not self._wait("probe"):
            with self._changing():
                self._ledger.take("probe", self.clock.now())
                self.files.write(paths.PROBE_URL, content)

    def _serve(self, known: _Known) -> None:
        present, record = rendering.current(self.files), read_record(self.files)
        if record is not None and record.wanted == known.wanted and self._turn(record) != "again":
            self._answer(_verdict(known.handed.digest, record))
            return
        level = served_level(self._present()) or 0
        options = replace(known.options, debug_level=level)
        files = rendering.render(known.handed.configuration, options, rendering.open_port(present)).files
        change = _change(present, files)
        changed = rendering.changes(present, files)
        if changed and (wait := self._wait(change)):
            until = f"{self.clock.now() + wait:%H:%M} UTC"
            reason = text("too many changes in a short time; the next one is made after {until}", until=until)
            self._answer(Verdict(digest=known.handed.digest, state="waiting", reason=reason))
            return
        self._apply(known, present, files, change)

    def _apply(
        self, known: _Known, present: Mapping[str, bytes | None], files: Mapping[str, bytes], change: Change
    ) -> None:
        """Write the record, then the files; an interruption in between is recognised by what stands there."""
        changed = rendering.changes(present, files)
        served = Served(
            wanted=known.wanted,
            written=digest_of(files[paths.OCSERV_CONF]),
            settings=digest_of(files[paths.ADMIN_SETTINGS]),
            outcome="applying",
            previous=self._proved(present) if changed else {},
        )
        with self._changing():
            if changed:
                self._ledger.take(change, self.clock.now())
            write_record(self.files, served)
            rendering.write(self.files, changed)
        self._answer(_verdict(known.handed.digest, served))
        if changed:
            self.tell(CONFIGURATION_WRITTEN(paths=", ".join(changed)))
            self.reload_gateway()
        self._await()
        self._answer(_verdict(known.handed.digest, read_record(self.files) or served))

    def _proved(self, present: Mapping[str, bytes | None]) -> dict[str, str]:
        """The files to go back to: what stands there, or what stood there before that was proved."""
        record = read_record(self.files)
        if record is not None and self._turn(record) in ("hear", "again"):
            return record.previous
        return {path: content.decode(errors="replace") for path, content in present.items() if content}

    def _await(self) -> None:
        """Wait a little for the gateway's word, when one was heard of lately."""
        report = read_report(self.files)
        if report is None or abs(self.clock.now() - report.at) > _ALIVE:
            return
        end = self.clock.monotonic() + _PATIENCE
        while self._settle() and self.clock.monotonic() < end:
            self.clock.sleep(_PAUSE)

    def _settle(self) -> bool:
        """Bring the last change to its end; whether the gateway's word on it is still to come."""
        record = read_record(self.files)
        if record is not None and self._turn(record) == "hear":
            record = self._heard(record)
        if record is not None and self._turn(record) == "go-back":
            with self._changing():
                rendering.write(self.files, record.files_before)
            self.reload_gateway()
        return record is not None and self._turn(record) == "hear"

    def _heard(self, record: Served) -> Served:
        """The record after the gateway's word on what stands there; the same while there is none."""
        report = read_report(self.files)
        applied = report.configuration if report is not None else None
        if applied is None or applied.digest != record.written:
            return record
        ended = record.after(applied.refusal)
        write_record(self.files, ended)
        refused = ended.outcome == "refused"
        self.tell(
            CONFIGURATION_REFUSED(reason=ended.reason, advice=_HINT) if refused else CONFIGURATION_ACCEPTED()
        )
        return ended

    def _answer(self, verdict: Verdict) -> None:
        handover.write_verdict(self.files, verdict)

    def _turn(self, record: Served) -> Turn:
        return record.turn(rendering.current(self.files))

    def _present(self) -> bytes:
        return self.files.read(paths.OCSERV_CONF) or b""

    def _wait(self, change: Change) -> timedelta:
        return self._ledger.wait(change, self.clock.now())

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.files)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock of this gateway. Raises LockedError, also when it was just removed."""
        with exclusive(self.files, self.clock, paths.LOCK):
            if self.files.state(paths.OUTBOX) is None:
                raise LockedError(
                    "gateway-removed",
                    "the gateway was removed a moment ago",
                )
            yield


def _change(present: Mapping[str, bytes | None], files: Mapping[str, bytes]) -> Change:
    """What serving these files takes: a restart of ocserv, or a reload."""
    before = present.get(paths.OCSERV_CONF) or b""
    return "restart" if rendering.needs_restart(before, files[paths.OCSERV_CONF]) else "reload"


def _verdict(digest: str, record: Served) -> Verdict:
    if record.outcome == "refused":
        return Verdict.refused(digest, f"the gateway refuses the configuration: {record.reason}", _HINT)
    return Verdict(digest=digest, state=record.outcome)
