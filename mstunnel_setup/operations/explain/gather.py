"""The facts for an explanation: from files, the gateway's container, its log, and a handshake with it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Final

from mstunnel_setup.actions import control
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import FILE_MISSING, SetupError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.gateway.occtl import SHOW_COMMANDS
from mstunnel_setup.gateway.served import Address, Served, read_served
from mstunnel_setup.install.session import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate import check
from mstunnel_setup.operations.certificate.errors import CERTIFICATE_REVOKED
from mstunnel_setup.operations.certificate.summary import certificate_facts, certificate_notices
from mstunnel_setup.operations.component import health
from mstunnel_setup.operations.explain.model import Facts, Subject, Token
from mstunnel_setup.operations.explain.refusals import LogFindings, read_log
from mstunnel_setup.operations.gateway_log import log_since
from mstunnel_setup.operations.sessions import ask
from mstunnel_setup.tenant.token_sources import claims, header

# Who may read the files concerns this host; no device can see it.
_OF_THE_HOST: Final = frozenset({"key-mode", "key-owner", "chain-mode", "key-exposed"})
_WINDOW: Final = timedelta(hours=24)
_SECONDS: Final = 10.0
_LARGEST_TOKEN: Final = 1 << 20
_MOST_ADDRESSES: Final = 8
_BY_WORDS: Final = {command.words: command for command in SHOW_COMMANDS}
# The address is an argument of the shell, and no part of its text.
_ANSWERS: Final = ("timeout", "3", "bash", "-c", ': <"/dev/tcp/$1/53"', "bash")


def gather(operator: Operator, run: Run, subject: Subject, token: Token | None) -> Facts:
    """What is known now; what the gateway does not report is left out. Nothing is changed."""
    ports = run.context.ports
    served = read_served(ports.files.read(paths.OCSERV_CONF) or b"")
    state = _health(ports)
    inside = _Inside(ports) if state == "healthy" else None
    destinations = _destinations(inside, subject)
    summary = certificate_facts(ports, run.context.receipt)
    days = summary["days_left"]
    return Facts(
        subject=subject,
        now=operator.clock.now().timestamp(),
        health=state,
        sessions=_rows(ports, "users"),
        banned=_banned(ports),
        served=served,
        rules=read_rules(ports.files),
        token=token,
        log=_log(ports, subject),
        destinations=destinations,
        dns=_answering(inside, served),
        protected=tuple(address for address in destinations if inside and inside.refuses(address)),
        unroutable=tuple(address for address in destinations if inside and not inside.routes(address)),
        certificate=tuple(_certificate(run, summary)),
        certificate_days=days if isinstance(days, int) else None,
    )


def read_token(operator: Operator, file: Path) -> Token:
    """The token in a file, which no output will show. Raises UsageError `file-missing`."""
    content = operator.files.read_given(str(file))
    if content is None:
        raise FILE_MISSING(path=file)
    text = content[:_LARGEST_TOKEN].decode("ascii", "replace").strip()
    operator.secrets.register(text)
    return Token(claims(text), header(text))


class _Inside:
    """What can only be found out within the gateway's container."""

    def __init__(self, ports: Host) -> None:
        self._ports = ports

    def _output(self, *command: str) -> str | None:
        """What a program prints; None where it fails."""
        with suppress(SetupError):
            finished = self._ports.engine.execute(paths.SERVER, command, _SECONDS)
            return finished.output if finished.code == 0 else None
        return None

    def refuses(self, address: Address) -> bool:
        """Whether a rule keeps devices from this address of the host (`images/gateway/traffic-rules`)."""
        name = "host" if isinstance(address, IPv4Address) else "host6"
        return self._output("nft", "get", "element", "inet", "mstunnel", name, f"{{ {address} }}") is not None

    def routes(self, address: Address) -> bool:
        """Whether the kernel there has a route."""
        return self._output("ip", "route", "get", str(address)) is not None

    def answers(self, server: str) -> bool:
        """Whether a DNS server accepts a connection."""
        return self._output(*_ANSWERS, server) is not None

    def addresses_of(self, name: str) -> Iterator[Address]:
        """What a name resolves to there, each address once."""
        for found in dict.fromkeys(
            line.split(" ")[0] for line in (self._output("getent", "ahosts", name) or "").splitlines()
        ):
            with suppress(ValueError):
                yield ip_address(found)


def _destinations(inside: _Inside | None, subject: Subject) -> tuple[Address, ...]:
    if subject.address is not None:
        return (subject.address,)
    if subject.kind == "name" and inside is not None:
        return tuple(inside.addresses_of(subject.text))[:_MOST_ADDRESSES]
    return ()


def _answering(inside: _Inside | None, served: Served | None) -> Mapping[str, bool]:
    if inside is None or served is None:
        return {}
    return {server: inside.answers(server) for server in served.dns_servers[:_MOST_ADDRESSES]}


def _health(ports: Host) -> str:
    try:
        return health(control.state_of(ports, paths.SERVER))
    except SetupError as error:
        return text("in an unknown state: {message}", message=error.message)


def _rows(ports: Host, *words: str) -> tuple[JsonObject, ...] | None:
    """The rows of a `show` command; None where the gateway does not answer."""
    try:
        found = ask(ports, _BY_WORDS[words])
    except SetupError:
        return None
    return tuple(map(as_object, found)) if isinstance(found, list) else ()


def _banned(ports: Host) -> tuple[str, ...] | None:
    rows = _rows(ports, "ip", "bans")
    return None if rows is None else tuple(str(row.get("IP", "")) for row in rows)


def read_rules(files: Files) -> JsonObject:
    """The rules for tokens, `oidc.json`; empty when they cannot be read."""
    try:
        return as_object(json_value(files.read(paths.OIDC_JSON) or b"{}"))
    except ValueError:
        return {}  # edited by hand; the gateway refuses it, too


def _log(ports: Host, subject: Subject) -> LogFindings | None:
    try:
        return read_log(log_since(ports, ports.clock.now() - _WINDOW), subject.text)
    except SetupError:
        return None


def _certificate(run: Run, summary: JsonObject) -> Sequence[Problem]:
    """What devices see of the certificate, with what the authority answered last; it is not asked again."""
    try:
        examined = check.examine(run, ask_authority=False)
        found = [finding for finding in examined if finding.code not in _OF_THE_HOST]
    except SetupError as error:
        found = [Problem(error.code, error.message, error.hint, Severity.ERROR)]
    notices = [notice for notice in certificate_notices(summary) if notice.code == CERTIFICATE_REVOKED.code]
    return [*(replace(each, severity=Severity.ERROR) for each in notices), *found]
