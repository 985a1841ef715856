"""Configurations that the agent requests: the host validates, renders and tests them for the gateway.

The record of the last write is beside the journal, where the agent cannot write. It is written before the
gateway's files, so the monitor recognizes an interrupted change by comparing the files with the record.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from mstunnel_setup.answers.address import is_probe_address
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import LockedError, SetupError
from mstunnel_setup.base.log_line import Tell
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import log_lines, mailbox
from mstunnel_setup.exchange.agent_settings import read_log_level
from mstunnel_setup.exchange.gateway_report import LATEST_REPORT, ConfigurationOutcome, read_report
from mstunnel_setup.exchange.mailbox import CONFIGURATION, AgentRequest, Reply
from mstunnel_setup.gateway import rendering
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE, served_level, served_port, with_level
from mstunnel_setup.gateway.options import GatewayOptions, read_gateway_options
from mstunnel_setup.io import messages
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.limits import ChangeKind, RateLimiter
from mstunnel_setup.transaction.lock import exclusive

NextStep: TypeAlias = Literal["settled", "awaiting", "rollback", "retry"]

# The gateway reloads as soon as it gets the signal; a restart of ocserv takes one or two seconds.
_PATIENCE: Final = 10.0
_PAUSE: Final = 0.25
_HINT: Final = text("The earlier one is in use again. Correct the server configuration in the admin center.")


class ConfigurationRecord(BaseModel):
    """The result of the agent's last request.

    `wanted` identifies the rendered text without port and log level. `written` and `settings` are the SHA-256
    of the written `ocserv.conf` and `admin-settings.json`; an earlier release recorded no `settings`.
    `previous` holds the earlier texts of the two files, by path, until the change is accepted or undone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    version: Literal[1] = 1
    wanted: str
    written: str
    settings: str = ""
    outcome: Literal["applying", "accepted", "refused"]
    reason: str = ""
    previous: dict[str, str] = {}

    def next_step(self, present: Mapping[str, bytes | None]) -> NextStep:
        """Return what remains to be done if the two files are as in `present`.

        `awaiting` the gateway's report, `rollback` to the previous files, `retry` because a kill came before
        both were written, or `settled`, also if another command has written a configuration since.
        """
        files = []
        for path, written in ((paths.OCSERV_CONF, self.written), (paths.ADMIN_SETTINGS, self.settings)):
            content, before = present.get(path), self.previous.get(path)
            text = None if content is None else content.decode(errors="replace")
            files.append((digest_of(content or b"") == written, text, before, written))
        in_place = files[0][0]
        if self.outcome == "refused":
            # A file that the change did not touch cannot be a refused one.
            left = any(placed and before not in (None, text or "") for placed, text, before, _ in files)
            return "rollback" if in_place and left else "settled"
        if self.outcome == "accepted":
            return "settled"
        # One of the files is still the previous one, so the write was interrupted.
        if any(written and text == before and not placed for placed, text, before, written in files):
            return "retry"
        return "awaiting" if in_place else "settled"

    def reply(self, request: AgentRequest) -> Reply:
        """Return the reply to the recorded request."""
        if self.outcome == "refused":
            reason = text("the gateway refuses the configuration: {reason}", reason=self.reason)
            return Reply.to(request, "refused", reason, _HINT)
        return Reply.to(request, self.outcome)


def digest_of(configuration: bytes) -> str:
    """Return the SHA-256 in hex of an `ocserv.conf`, by which the gateway identifies it."""
    return hashlib.sha256(configuration).hexdigest()


def read_record(files: Files) -> ConfigurationRecord | None:
    """Read the record; None if it is missing, damaged or of a newer version, so that all is tested again."""
    return messages.read_trusted(files, paths.SERVED_CONFIGURATION, ConfigurationRecord)


def write_record(files: Files, record: ConfigurationRecord) -> None:
    """Replace the record; it is on the disk when this returns."""
    files.write(paths.SERVED_CONFIGURATION, record.model_dump_json(indent=2).encode() + b"\n", 0o600)


@dataclass(frozen=True)
class _ValidRequest:
    """A request that was validated for these options; `wanted` identifies the rendered text."""

    request: AgentRequest
    options: GatewayOptions
    configuration: ServerConfiguration
    probe_url: str
    wanted: str


@dataclass
class Configurations:
    """The handler of the configurations that the agent requests.

    `reload_gateway` makes the gateway check its files at once instead of at the next interval.
    """

    files: Files
    clock: Clock
    reload_gateway: Callable[[], None]
    tell: Tell
    _valid: _ValidRequest | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._limiter = RateLimiter(self.files)

    def look(self) -> None:
        """Complete the last change, then write another configuration if the agent requests it.

        Raises SetupError for one that cannot be served; the agent gets the reason as the reply.
        """
        if self.files.state(paths.OUTBOX) is None:
            return
        self._settle()
        request = mailbox.receive(self.files, CONFIGURATION)
        if request is None:
            return
        try:
            valid = self._validate(request)
        except SetupError as error:
            mailbox.write_reply(self.files, Reply.to(request, "refused", error.message, error.hint))
            raise
        self._show_address(valid.probe_url)
        mailbox.write_reply(self.files, self._serve(valid))

    @property
    def settled(self) -> bool:
        """True if the gateway has accepted or refused the last written configuration."""
        return self._next_step(read_record(self.files)) == "settled"

    def keep_level(self) -> None:
        """Apply the log level of `env.sh` to the gateway. Raises SetupError if `env.sh` is invalid."""
        present = self.files.read(paths.OCSERV_CONF) or b""
        served = served_level(present)
        # Until the gateway has reported, the file is identified by its digest, so it must not change.
        if served is None or not self.settled:
            return
        if (level := read_log_level(self.files, self.clock.now())) != served:
            with self._changing():
                self.files.write(paths.OCSERV_CONF, with_level(present, level), CONFIGURATION_MODE)
            self.tell(log_lines.LOG_LEVEL_CHANGED(level=level))
            self.reload_gateway()

    def _validate(self, request: AgentRequest) -> _ValidRequest:
        """Validate and render the request, or return the last result if its bytes are unchanged."""
        options = read_gateway_options(self.files)
        valid = self._valid
        if valid is None or (valid.request.payload, valid.options) != (request.payload, options):
            configuration, probe_url = request.configuration()
            wanted = rendering.render(configuration, options).digest
            valid = self._valid = _ValidRequest(request, options, configuration, probe_url, wanted)
        return valid

    def _show_address(self, address: str) -> None:
        """Write the site's internal address for the gateway to probe, if it is a valid address."""
        content, now = (address if is_probe_address(address) else "").encode() + b"\n", self.clock.now()
        if self.files.read(paths.PROBE_URL) != content and not self._limiter.wait("probe", now):
            with self._changing():
                self._limiter.record("probe", now)
                self.files.write(paths.PROBE_URL, content)

    def _serve(self, valid: _ValidRequest) -> Reply:
        """Write the configuration unless it is already in use or was refused; return the reply."""
        present, record, now = rendering.current(self.files), read_record(self.files), self.clock.now()
        if record is not None and record.wanted == valid.wanted and record.next_step(present) != "retry":
            return record.reply(valid.request)
        before = present.get(paths.OCSERV_CONF) or b""
        port, level = rendering.open_port(present), served_level(before) or 0
        files = rendering.render(valid.configuration, valid.options, port, level).files
        changed = rendering.changes(present, files)
        restarts = rendering.needs_restart(before, files[paths.OCSERV_CONF])
        change: ChangeKind = "restart" if restarts else "reload"
        if changed and (wait := self._limiter.wait(change, now)):
            reason = text(
                "too many changes in a short time; the next one is allowed after {time:%H:%M} UTC",
                time=now + wait,
            )
            return Reply.to(valid.request, "waiting", reason)
        # Until the gateway has reported, the previous files stay those that it accepted last.
        if record is not None and record.next_step(present) in ("awaiting", "retry"):
            previous = record.previous
        else:
            previous = {path: text.decode(errors="replace") for path, text in present.items() if text}
        record = ConfigurationRecord(
            wanted=valid.wanted,
            written=digest_of(files[paths.OCSERV_CONF]),
            settings=digest_of(files[paths.ADMIN_SETTINGS]),
            outcome="applying",
            previous=previous if changed else {},
        )
        with self._changing():
            if changed:
                self._limiter.record(change, now)
            # After an interruption between the files, the monitor recognizes the state by comparing them.
            write_record(self.files, record)
            rendering.write(self.files, changed)
        mailbox.write_reply(self.files, record.reply(valid.request))
        if changed:
            self.tell(log_lines.CONFIGURATION_WRITTEN(paths=", ".join(changed)))
            self.reload_gateway()
        self._await_report()
        return (read_record(self.files) or record).reply(valid.request)

    def _await_report(self) -> None:
        """Wait a short time for the gateway's report, if it has reported recently."""
        report = read_report(self.files)
        # A gateway that has not reported recently will not report within seconds either.
        if report is None or abs(self.clock.now() - report.at) > LATEST_REPORT:
            return
        end = self.clock.monotonic() + _PATIENCE
        while self._settle() and self.clock.monotonic() < end:
            self.clock.sleep(_PAUSE)

    def _settle(self) -> bool:
        """Complete the last change; return True if the gateway's report on it is still missing."""
        record = read_record(self.files)
        if record is not None and self._next_step(record) == "awaiting":
            record = self._with_report(record)
        if record is not None and record.outcome == "refused" and record.previous:
            record = self._rolled_back()
        return self._next_step(record) == "awaiting"

    def _rolled_back(self) -> ConfigurationRecord | None:
        """Restore the files before a refused change and return the new record.

        The record drops the previous files: if a command later writes the same configuration, that is
        deliberate.
        """
        with self._changing():
            # Another command may meanwhile have written a configuration and removed the record.
            record = read_record(self.files)
            if record is None or record.outcome != "refused":
                return record
            rollback = self._next_step(record) == "rollback"
            if rollback:
                before = {path: text.encode() for path, text in record.previous.items()}
                rendering.write(self.files, before)
            record = record.model_copy(update={"previous": {}})
            write_record(self.files, record)
        if rollback:
            self.reload_gateway()
        return record

    def _with_report(self, record: ConfigurationRecord) -> ConfigurationRecord:
        """Return the record updated with the gateway's report on the present files; unchanged without one."""
        report = read_report(self.files)
        applied = report.configuration if report is not None else None
        if applied is None or applied.digest != record.written:
            return record
        update: dict[str, object] = {"outcome": "accepted", "previous": {}}
        line = log_lines.CONFIGURATION_ACCEPTED()
        if applied.refusal is not None:
            update = {"outcome": "refused", "reason": applied.refusal}
            line = log_lines.CONFIGURATION_REFUSED(reason=applied.refusal, advice=_HINT)
        ended = record.model_copy(update=update)
        write_record(self.files, ended)
        self.tell(line)
        return ended

    def _next_step(self, record: ConfigurationRecord | None) -> NextStep:
        return "settled" if record is None else record.next_step(rendering.current(self.files))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock of this gateway. Raises LockedError, also if the gateway was just uninstalled."""
        with exclusive(self.files, self.clock, paths.LOCK):
            if self.files.state(paths.OUTBOX) is None:
                raise LockedError("gateway-removed", "the gateway was removed a moment ago")
            yield


def wanted_port(files: Files) -> int | None:
    """Return the port to move to; None if it is in use, or the gateway has not accepted the present files.

    Raises StepError `settings-unreadable`.
    """
    configuration, report = files.read(paths.OCSERV_CONF), read_report(files)
    if (
        configuration is None
        or report is None
        or report.configuration != ConfigurationOutcome(digest_of(configuration))
    ):
        return None
    wanted = rendering.listen_port(files)
    return None if wanted == served_port(configuration) else wanted
