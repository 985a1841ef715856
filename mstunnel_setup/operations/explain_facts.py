"""Facts for an explanation: from files, the gateway's container, its log, and a TLS handshake with it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Final, Literal

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import FILE_MISSING, SetupError
from mstunnel_setup.base.parsing import json_object
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.checked_state import checked_state
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.gateway.ocserv_conf import Address, TunnelSettings, read_tunnel_settings
from mstunnel_setup.install.run import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate import check
from mstunnel_setup.operations.certificate.summary import CertificateSummary
from mstunnel_setup.operations.component import container_health
from mstunnel_setup.operations.gateway_log import SessionRecord, log_since, session_record
from mstunnel_setup.operations.sessions import ask
from mstunnel_setup.operations.upgrade.proof import refused_addresses
from mstunnel_setup.tenant.token_sources import claims, header

_NAMES: Final = ("upn", "unique_name", "preferred_username", "email")

_REASON: Final = re.compile(r"ocserv-oidc: (?!fetched new JWK)(.*)")
"""Log messages about a token, which share their logger with those about downloaded keys."""
_LONGEST: Final = 120
# File permissions matter to this host only; no device sees them.
_OF_THE_HOST: Final = frozenset({"key-mode", "key-owner", "chain-mode", "key-exposed"})
_WINDOW: Final = timedelta(hours=24)
_SECONDS: Final = 10.0
_LARGEST_TOKEN: Final = 1 << 20
_MOST_ADDRESSES: Final = 8
# The address is a separate argument, so the shell never parses it as code.
_ANSWERS: Final = ("timeout", "3", "bash", "-c", ': <"/dev/tcp/$1/53"', "bash")


@dataclass(frozen=True)
class Subject:
    """The subject to explain: an address, a host name, or a user as `server show users` names it."""

    text: str

    @property
    def address(self) -> Address | None:
        """The subject as an IP address, if it is one."""
        try:
            return ip_address(self.text)
        except ValueError:
            return None

    @property
    def kind(self) -> Literal["address", "name", "user"]:
        """Kind of subject: an object id has no dot, and a user name with a dot also has an @."""
        if self.address is not None:
            return "address"
        return "name" if "." in self.text and "@" not in self.text else "user"

    @property
    def is_guest(self) -> bool:
        """True for a guest's user principal name: Entra ID writes #EXT# into all of them."""
        return "#EXT#@" in self.text.upper()


@dataclass(frozen=True)
class Token:
    """A device's access token, decoded but not verified; both parts are empty unless it is a JWT."""

    claims: Mapping[str, object]
    header: Mapping[str, object]

    def names(self, user: str) -> bool:
        """Return whether `user` is the token's user, by any of its readable claims."""
        return user.casefold() in {str(self.claims.get(claim, "")).casefold() for claim in _NAMES}


@dataclass(frozen=True)
class LogFindings:
    """Log findings: number of `refused` sign-ins of the subject, last reason, `last` session record.

    Attributes:
        refused: Number of refused sign-ins from the subject's address.
        reason: Why the last of them was refused.
        others: Number of refused sign-ins from other addresses; the log names no user for these.
        last: The last session record of the subject.
    """

    refused: int = 0
    reason: str = ""
    others: int = 0
    last: SessionRecord | None = None


@dataclass(frozen=True, kw_only=True)
class ConnectionFacts:
    """Facts known on this host; None marks a fact that could not be determined.

    `now` is Unix time in seconds, `health` that of the server's container, `sessions` and `banned` are
    occtl's, `rules` is `oidc.json`. `destinations` are the subject's address, or the addresses that the
    gateway resolves its name to; `protected` are those that the gateway's own rules refuse, `unroutable`
    those without a route. `dns` tells for each DNS server whether it answers on TCP port 53.
    """

    subject: Subject
    now: float
    health: str
    sessions: tuple[JsonObject, ...] | None = None
    banned: tuple[str, ...] = ()
    served: TunnelSettings | None = None
    rules: JsonObject = field(default_factory=dict)
    token: Token | None = None
    log: LogFindings = LogFindings()
    destinations: tuple[Address, ...] = ()
    dns: Mapping[str, bool] = field(default_factory=dict)
    protected: tuple[Address, ...] = ()
    unroutable: tuple[Address, ...] = ()
    certificate: tuple[Problem, ...] = ()
    certificate_days: int | None = None

    @property
    def own_sessions(self) -> tuple[JsonObject, ...]:
        """The subject's sessions: those of this user, or from or with this address."""
        keys = ("Username", "Remote IP", "IPv4", "IPv6")
        return tuple(
            row for row in self.sessions or () if self.subject.text in [row.get(key) for key in keys]
        )

    @property
    def connected(self) -> bool:
        """True if the subject has an open session that was let in."""
        return any(row.get("State") == "connected" for row in self.own_sessions)

    @property
    def is_banned(self) -> bool:
        """True if the gateway has banned the subject's address."""
        return self.subject.text in self.banned

    @property
    def is_device(self) -> bool:
        """True for a user, and for an address that a device was seen with."""
        known = self.own_sessions or self.log.refused or self.is_banned or self.log.last
        return self.subject.kind == "user" or bool(known)


def read_log(lines: Iterable[str], subject: str) -> LogFindings:
    """Return the findings about `subject`, a user or an address, from log lines of any number.

    ocserv logs the reason on the lines before the refusal, the most exact one first; reasons of devices that
    sign in at the same moment can be mixed up.
    """
    refused = others = 0
    waiting = reason = ""
    last: SessionRecord | None = None
    for line in lines:
        record = session_record(line)
        if record is not None and subject in (record.user, record.client, record.assigned):
            last = record
        elif found := _REASON.match(line):
            waiting = waiting or plain(found[1], _LONGEST)
        elif addresses := refused_addresses(line):
            if subject in addresses:
                refused, reason = refused + 1, waiting
            else:
                others += 1
            waiting = ""
    return LogFindings(refused, reason, others, last)


def gather(run: Run, subject: Subject, token: Token | None) -> ConnectionFacts:
    """Return the facts known now, without those that the gateway does not report; change nothing."""
    host = run.host
    served = read_tunnel_settings(host.files.read(paths.OCSERV_CONF) or b"")
    try:
        state = container_health(checked_state(host, paths.SERVER))
    except SetupError as error:
        state = text("in an unknown state: {message}", message=error.message)
    healthy = state == "healthy"
    destinations: tuple[Address, ...] = ()
    if subject.address is not None:
        destinations = (subject.address,)
    elif subject.kind == "name" and healthy:
        destinations = tuple(_resolved(host, subject.text))[:_MOST_ADDRESSES]
    # These facts need the gateway's container.
    asked = destinations if healthy else ()
    dns_servers = served.dns_servers[:_MOST_ADDRESSES] if healthy and served else ()
    log = LogFindings()
    with suppress(SetupError):
        log = read_log(log_since(host, host.clock.now() - _WINDOW), subject.text)
    summary = CertificateSummary.read(host, run.receipt)
    return ConnectionFacts(
        subject=subject,
        now=host.clock.now().timestamp(),
        health=state,
        sessions=_rows(host, "users"),
        banned=tuple(str(row.get("IP", "")) for row in _rows(host, "ip", "bans") or ()),
        served=served,
        rules=read_rules(host.files),
        token=token,
        log=log,
        destinations=destinations,
        dns={server: _inside(host, *_ANSWERS, server) is not None for server in dns_servers},
        protected=tuple(address for address in asked if _refuses(host, address)),
        unroutable=tuple(item for item in asked if _inside(host, "ip", "route", "get", str(item)) is None),
        certificate=tuple(_certificate(run, summary)),
        certificate_days=summary.days_left,
    )


def read_token(operator: Operator, file: Path) -> Token:
    """Return the token in a file, which is never printed. Raises UsageError `file-missing`."""
    content = operator.files.read_given(str(file))
    if content is None:
        raise FILE_MISSING(path=file)
    text = content[:_LARGEST_TOKEN].decode("ascii", "replace").strip()
    operator.secrets.register(text)
    return Token(claims(text), header(text))


def read_rules(files: Files) -> JsonObject:
    """Return the token rules in `oidc.json`; empty if the file cannot be read."""
    return json_object(files.read(paths.OIDC_JSON) or b"")


def _inside(host: GatewayHost, *command: str) -> str | None:
    """Return the output of a program run in the gateway's container; None if it fails."""
    with suppress(SetupError):
        finished = host.engine.execute(paths.SERVER, command, _SECONDS)
        return finished.output if finished.code == 0 else None
    return None


def _resolved(host: GatewayHost, name: str) -> Iterator[Address]:
    """Yield each address that the gateway's container resolves a name to, once."""
    lines = (_inside(host, "getent", "ahosts", name) or "").splitlines()
    for found in dict.fromkeys(line.split(" ")[0] for line in lines):
        with suppress(ValueError):
            yield ip_address(found)


def _refuses(host: GatewayHost, address: Address) -> bool:
    """Return whether a rule in `images/gateway/traffic-rules` blocks devices from this address."""
    name = "host" if isinstance(address, IPv4Address) else "host6"
    return _inside(host, "nft", "get", "element", "inet", "mstunnel", name, f"{{ {address} }}") is not None


def _rows(host: GatewayHost, *words: str) -> tuple[JsonObject, ...] | None:
    """Return the rows of a `show` command; None if the gateway does not answer."""
    with suppress(SetupError):
        return ask(host, *words)
    return None


def _certificate(run: Run, summary: CertificateSummary) -> Sequence[Problem]:
    """Return the certificate findings that devices notice, with the CA's last answer; ask no CA again."""
    try:
        examined = check.examine(run, ask_authority=False)
        found = [finding for finding in examined if finding.code not in _OF_THE_HOST]
    except SetupError as error:
        found = [error.problem]
    notices = [notice for notice in summary.notices() if notice.code == "certificate-revoked"]
    return [*(replace(each, severity=Severity.ERROR) for each in notices), *found]
