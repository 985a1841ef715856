"""The server configuration on its way from agent to gateway: judged, rendered and proved by the host."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from mstunnel_setup.answers.address import is_probe_address
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import LockedError, SetupError
from mstunnel_setup.base.log_line import Tell
from mstunnel_setup.exchange import configuration as handover
from mstunnel_setup.exchange.agent_settings import read_log_level
from mstunnel_setup.exchange.configuration import Handed, Verdict
from mstunnel_setup.exchange.gateway_report import Applied, read_report
from mstunnel_setup.exchange.log_lines import (
    CONFIGURATION_ACCEPTED,
    CONFIGURATION_REFUSED,
    CONFIGURATION_WRITTEN,
    LOG_LEVEL_CHANGED,
)
from mstunnel_setup.gateway import rendering
from mstunnel_setup.gateway.log_level import served_level, with_level
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE, served_port
from mstunnel_setup.gateway.options import GatewayOptions, read_gateway_options
from mstunnel_setup.gateway.rendering import listen_port
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.limits import Change, Ledger
from mstunnel_setup.transaction.lock import exclusive

Outcome: TypeAlias = Literal["applying", "accepted", "refused"]
Turn: TypeAlias = Literal["rest", "hear", "go-back", "again"]


class Served(BaseModel):
    """What was made of the agent's last data.

    `wanted` names what it was rendered to, whatever the port and the log level. `written` and `settings` are
    the SHA-256 of the `ocserv.conf` and of the `admin-settings.json` that were written; an earlier release
    recorded no `settings`. `previous` are the texts of the two files before that, by path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    wanted: str
    written: str
    settings: str = ""
    outcome: Outcome
    reason: str = ""
    previous: dict[str, str] = {}

    def turn(self, present: Mapping[str, bytes | None]) -> Turn:
        """What is left to do while the two files are as `present`.

        `hear` what the gateway says of it, `go-back` to what was before, apply it `again` because a kill came
        before both were written, or `rest`: also when another command has written a configuration since.
        """
        stands = digest_of(present.get(paths.OCSERV_CONF) or b"") == self.written
        if self.outcome == "refused":
            return "go-back" if stands and self._refused_left(present) else "rest"
        if self.outcome == "accepted":
            return "rest"
        if self._cut_off(present):
            return "again"
        return "hear" if stands else "rest"

    @property
    def _digests(self) -> Mapping[str, str]:
        return {paths.OCSERV_CONF: self.written, paths.ADMIN_SETTINGS: self.settings}

    def _refused_left(self, present: Mapping[str, bytes | None]) -> bool:
        """Whether a file is still the refused one; a file that the change left alone is not."""
        for path, written in self._digests.items():
            content, before = present.get(path) or b"", self.previous.get(path)
            if before not in (None, content.decode(errors="replace")) and digest_of(content) == written:
                return True
        return False

    def _cut_off(self, present: Mapping[str, bytes | None]) -> bool:
        """Whether one of the files is still the one before."""
        for path, written in self._digests.items():
            content = present.get(path)
            text = None if content is None else content.decode(errors="replace")
            if written and text == self.previous.get(path) and digest_of(content or b"") != written:
                return True
        return False

    def after(self, refusal: str | None) -> "Served":
        """The record once the gateway has spoken; `refusal` is None when it serves what was written."""
        if refusal is None:
            return self.model_copy(update={"outcome": "accepted", "previous": {}})
        return self.model_copy(update={"outcome": "refused", "reason": refusal})

    @property
    def files_before(self) -> Mapping[str, bytes]:
        """The two files to go back to, in the order to write them; empty when there were none."""
        return {path: text.encode() for path, text in self.previous.items()}


def digest_of(configuration: bytes) -> str:
    """SHA-256 in hex of an `ocserv.conf`, as the gateway names it."""
    return hashlib.sha256(configuration).hexdigest()


def read_record(files: Files) -> Served | None:
    """The record; one that is damaged, or of a newer version, is none: all is judged again then."""
    try:
        return Served.model_validate_json(files.read(paths.SERVED_CONFIGURATION) or b"")
    except ValidationError:
        return None


def write_record(files: Files, served: Served) -> None:
    """Replace the record; it is on the disk when this returns."""
    files.write(paths.SERVED_CONFIGURATION, served.model_dump_json(indent=2).encode() + b"\n", 0o600)


# The gateway reloads at once when it gets the signal; a restart of ocserv takes a second or two.
_PATIENCE: Final = 10.0
_PAUSE: Final = 0.25
# A gateway that reported so long ago does not answer within seconds either.
_ALIVE: Final = timedelta(minutes=1)
_HINT: Final = "The earlier one is in use again. Correct the server configuration in the admin center."


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
        port = rendering.open_port(present)
        files = rendering.render(known.handed.configuration, known.options, port, level).files
        change = _change(present, files)
        changed = rendering.changes(present, files)
        if changed and (wait := self._wait(change)):
            until = f"{self.clock.now() + wait:%H:%M} UTC"
            reason = f"too many changes in a short time; the next one is made after {until}"
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


def wanted_port(files: Files) -> int | None:
    """The port to move to; None when it is in use already, or the gateway has not taken what stands there.

    Raises StepError `settings-unreadable`.
    """
    configuration, report = files.read(paths.OCSERV_CONF), read_report(files)
    if configuration is None or report is None:
        return None
    if report.configuration != Applied(digest_of(configuration)):
        return None
    wanted = listen_port(files)
    return None if wanted == served_port(configuration) else wanted
