"""The server configuration on its way from agent to gateway: validated, rendered and proved by the host.

The record of what was written last lies beside the journal, where the agent cannot write. It is written
before the gateway's files, so whatever a kill leaves half done is recognised by the file that stands there.
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

# The gateway reloads at once when it gets the signal; a restart of ocserv takes a second or two.
_PATIENCE: Final = 10.0
_PAUSE: Final = 0.25
_HINT: Final = text("The earlier one is in use again. Correct the server configuration in the admin center.")


class ConfigurationRecord(BaseModel):
    """What became of the agent's last request.

    `wanted` names what it was rendered to, whatever the port and the log level. `written` and `settings` are
    the SHA-256 of the `ocserv.conf` and of the `admin-settings.json` that were written; an earlier release
    recorded no `settings`. `previous` are the texts of the two files before that, by path, until the change
    is accepted or undone.
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
        """What is left to do while the two files are as `present`.

        `awaiting` the gateway's report on it, `rollback` to what was before, `retry` because a kill came
        before both were written, or `settled`: also when another command has written a configuration since.
        """
        files = []
        for path, written in ((paths.OCSERV_CONF, self.written), (paths.ADMIN_SETTINGS, self.settings)):
            content, before = present.get(path), self.previous.get(path)
            text = None if content is None else content.decode(errors="replace")
            files.append((digest_of(content or b"") == written, text, before, written))
        in_place = files[0][0]
        if self.outcome == "refused":
            # Whether a file is still the refused one; a file that the change left alone is not.
            left = any(placed and before not in (None, text or "") for placed, text, before, _ in files)
            return "rollback" if in_place and left else "settled"
        if self.outcome == "accepted":
            return "settled"
        # One of the files is still the one before.
        if any(written and text == before and not placed for placed, text, before, written in files):
            return "retry"
        return "awaiting" if in_place else "settled"

    def reply(self, request: AgentRequest) -> Reply:
        """The reply to the request that it is about."""
        if self.outcome == "refused":
            reason = text("the gateway refuses the configuration: {reason}", reason=self.reason)
            return Reply.to(request, "refused", reason, _HINT)
        return Reply.to(request, self.outcome)


def digest_of(configuration: bytes) -> str:
    """SHA-256 in hex of an `ocserv.conf`, as the gateway names it."""
    return hashlib.sha256(configuration).hexdigest()


def read_record(files: Files) -> ConfigurationRecord | None:
    """The record; one that is damaged, or of a newer version, is none: all is judged again then."""
    return messages.read_trusted(files, paths.SERVED_CONFIGURATION, ConfigurationRecord)


def write_record(files: Files, record: ConfigurationRecord) -> None:
    """Replace the record; it is on the disk when this returns."""
    files.write(paths.SERVED_CONFIGURATION, record.model_dump_json(indent=2).encode() + b"\n", 0o600)


@dataclass(frozen=True)
class _ValidRequest:
    """A request that was validated for these options; `wanted` names what it is rendered to."""

    request: AgentRequest
    options: GatewayOptions
    configuration: ServerConfiguration
    probe_url: str
    wanted: str


@dataclass
class Configurations:
    """Serves the configurations that the agent requests.

    `reload_gateway` has the gateway look at its files now instead of at its next look.
    """

    files: Files
    clock: Clock
    reload_gateway: Callable[[], None]
    tell: Tell
    _valid: _ValidRequest | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._limiter = RateLimiter(self.files)

    def look(self) -> None:
        """Complete the last change, then serve another configuration if the agent requests it.

        Raises SetupError for what cannot be served; the agent gets the reason as its reply.
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
        """Whether the gateway has taken or refused what was written last."""
        return self._next_step(read_record(self.files)) == "settled"

    def keep_level(self) -> None:
        """Have the gateway log as much as this host wants now. Raises SetupError: env.sh is wrong."""
        present = self.files.read(paths.OCSERV_CONF) or b""
        served = served_level(present)
        # While the gateway has not reported, what stands there is recognised by its digest.
        if served is None or not self.settled:
            return
        if (level := read_log_level(self.files, self.clock.now())) != served:
            with self._changing():
                self.files.write(paths.OCSERV_CONF, with_level(present, level), CONFIGURATION_MODE)
            self.tell(log_lines.LOG_LEVEL_CHANGED(level=level))
            self.reload_gateway()

    def _validate(self, request: AgentRequest) -> _ValidRequest:
        """The request, validated and rendered once: at most looks the same bytes lie there."""
        options = read_gateway_options(self.files)
        valid = self._valid
        if valid is None or (valid.request.payload, valid.options) != (request.payload, options):
            configuration, probe_url = request.configuration()
            wanted = rendering.render(configuration, options).digest
            valid = self._valid = _ValidRequest(request, options, configuration, probe_url, wanted)
        return valid

    def _show_address(self, address: str) -> None:
        """Have the gateway try the site's internal address, and none that is no address."""
        content, now = (address if is_probe_address(address) else "").encode() + b"\n", self.clock.now()
        if self.files.read(paths.PROBE_URL) != content and not self._limiter.wait("probe", now):
            with self._changing():
                self._limiter.record("probe", now)
                self.files.write(paths.PROBE_URL, content)

    def _serve(self, valid: _ValidRequest) -> Reply:
        """Serve the configuration unless it is served, or was refused, already; returns the reply."""
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
        # While the gateway has not reported, the way back leads to what it served before.
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
            # An interruption between the files is recognised by what stands there.
            write_record(self.files, record)
            rendering.write(self.files, changed)
        mailbox.write_reply(self.files, record.reply(valid.request))
        if changed:
            self.tell(log_lines.CONFIGURATION_WRITTEN(paths=", ".join(changed)))
            self.reload_gateway()
        self._await_report()
        return (read_record(self.files) or record).reply(valid.request)

    def _await_report(self) -> None:
        """Wait a little for the gateway's report, when there was one lately."""
        report = read_report(self.files)
        # One that has not reported does not answer within seconds either.
        if report is None or abs(self.clock.now() - report.at) > LATEST_REPORT:
            return
        end = self.clock.monotonic() + _PATIENCE
        while self._settle() and self.clock.monotonic() < end:
            self.clock.sleep(_PAUSE)

    def _settle(self) -> bool:
        """Complete the last change; whether the gateway's report on it is still to come."""
        record = read_record(self.files)
        if record is not None and self._next_step(record) == "awaiting":
            record = self._with_report(record)
        if record is not None and record.outcome == "refused" and record.previous:
            record = self._rolled_back()
        return self._next_step(record) == "awaiting"

    def _rolled_back(self) -> ConfigurationRecord | None:
        """The record once what was served before a refused change is in place again.

        It forgets the earlier files: a command that writes the same configuration later has a reason to.
        """
        with self._changing():
            # A command may have written a configuration meanwhile, and removed the record.
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
        """The record after the gateway's report on what stands there; the same while there is none."""
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
        """Hold the lock of this gateway. Raises LockedError, also when it was just removed."""
        with exclusive(self.files, self.clock, paths.LOCK):
            if self.files.state(paths.OUTBOX) is None:
                raise LockedError("gateway-removed", "the gateway was removed a moment ago")
            yield


def wanted_port(files: Files) -> int | None:
    """The port to move to; None when it is in use already, or the gateway has not taken what stands there.

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
