"""`mst-cli explain USER|ADDRESS`: one table from token to certificate, with the next step for each row."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, UsageError
from mstunnel_setup.base.problem import Severity
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import fold, folded, joined, plain, text
from mstunnel_setup.gateway.occtl import judge_word
from mstunnel_setup.gateway.ocserv_conf import TunnelSettings, read_tunnel_settings
from mstunnel_setup.gateway.oidc import rule_of
from mstunnel_setup.install.session import installed_run
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations import explain_facts, token_rules
from mstunnel_setup.operations.explain_facts import ConnectionFacts, Subject, Token

Outcome: TypeAlias = Literal["ok", "warning", "problem", "unknown"]
RowId: TypeAlias = Literal[
    "gateway", "token", "claims", "session", "lease", "routes", "dns", "firewall", "inbound", "certificate"
]
_ADD_FILE: Final = text("Save a token of the device to a file, and add `--token-file FILE`.")
_ASK_GATEWAY: Final = text("Check the gateway with `mst-cli server status`.")
_SIGN_IN_AGAIN: Final = text(
    "Compare the clocks of device and server (`timedatectl`), then sign in again there."
)
_GET_FROM_ENTRA: Final = text("Get an access token from Microsoft Entra for the gateway, and check that one.")
_CORRECT_CLAIMS: Final = text(
    "Use an account and an app of this tenant; the rules for tokens are `token` in the answer file."
)
_USE_MEMBER: Final = text(
    "Guests and personal accounts cannot use the tunnel: use an account of this tenant."
)
_GUEST_RULES: Final = frozenset({"member", "home-account", "relation", "no-guest"})
# Reasons by the text that the gateway logs for a refused token; the first match applies.
_REASONS: Final[Mapping[str, str]] = {
    r"validity period|valid for more": _SIGN_IN_AGAIN,
    r"\b(acct|idp|xms_idrel)\b": _USE_MEMBER,
    r"claim|GUID": _CORRECT_CLAIMS,
    r"JWK|kid": text(
        "The gateway needs the keys of the tenant: test the connection with `mst-readiness network`."
    ),
}
_WHICH: Final = text("To test a destination: `mst-cli explain ADDRESS`.")
_PULL: Final = text("Fetch the configuration with `mst-cli config pull`.")
_SHOWN: Final = 3


@dataclass(frozen=True)
class Row:
    """One row of the table: subject, result, observation and next step."""

    id: RowId
    result: Annotated[
        Outcome,
        Field(description="`unknown` if this host cannot determine it; the hint says how to."),
    ]
    seen: str
    hint: Annotated[str, Field(description="The next step; empty where none is needed.")] = ""


def gateway(facts: ConnectionFacts) -> Row:
    """Report whether the server's container runs and is healthy."""
    if facts.health == "healthy":
        return Row("gateway", "ok", text("running and healthy"))
    hint = text("Run `mst-cli server restart`; `mst-cli server logs --tail 20` shows why.")
    return Row("gateway", "problem", text("the server is {state}", state=text(facts.health)), hint)


def token(facts: ConnectionFacts) -> Row:
    """Report whether the token is valid now: the given one, or the one that the log mentions."""
    if facts.served is not None and not facts.served.by_token:
        return Row("token", "ok", text("not used: devices present no token here"))
    if facts.token is not None:
        return _given_token(facts, facts.token)
    log = facts.log
    if log.refused:
        rule = rule_of(log.reason)
        seen = text(
            "{refused} sign-ins refused in 24 hours; the last: {reason}{more}",
            refused=log.refused,
            reason=log.reason or text("no reason"),
            more=text(" (rule {rule})", rule=rule) if rule else "",
        )
        hints = (hint for pattern, hint in _REASONS.items() if re.search(pattern, log.reason))
        # Many devices share the address of one office or mobile network, so the refusals may be another
        # device's.
        return Row("token", "warning" if facts.connected else "problem", seen, next(hints, _ADD_FILE))
    if facts.connected:
        return Row("token", "ok", text("accepted when the device connected"))
    seen = text(
        "no token given; {others} sign-ins from other addresses refused in 24 hours", others=log.others
    )
    hint = text(
        "{add_file} The log names refused devices by address: `mst-cli explain ADDRESS`.", add_file=_ADD_FILE
    )
    return Row("token", "unknown", seen, hint)


def _given_token(facts: ConnectionFacts, given: Token) -> Row:
    if not given.claims:
        return Row("token", "problem", text("the file holds no JSON Web Token"), _ADD_FILE)
    if problem := token_rules.header_problem(given.header, facts.rules):
        return Row("token", "problem", problem.shown, _GET_FROM_ENTRA)
    if problem := token_rules.time_problem(given.claims, facts.rules, facts.now):
        return Row("token", "problem", problem.shown, _SIGN_IN_AGAIN)
    end = token_rules.moment(int(str(given.claims["exp"])))
    return Row("token", "ok", text("valid until {exp}; its signature was not verified here", exp=end))


def claims(facts: ConnectionFacts) -> Row:
    """Report whether the claims follow the rules for tokens."""
    if facts.served is not None and not facts.served.by_token:
        return Row("claims", "ok", text("not used: devices present no token here"))
    if facts.token is None or not facts.token.claims:
        if facts.connected:
            return Row("claims", "ok", text("accepted when the device connected"))
        if facts.subject.is_guest:
            seen = text("a guest of the tenant (#EXT# in the name), whose tokens are refused (rule member)")
            return Row("claims", "problem", seen, _USE_MEMBER)
        return Row("claims", "unknown", text("no token to decode"), _ADD_FILE)
    if not facts.rules:
        return Row("claims", "unknown", text("no rules for tokens on this host"), text("Run mstunnel-setup."))
    return _given_claims(facts, facts.token.claims)


def _given_claims(facts: ConnectionFacts, given: Mapping[str, object]) -> Row:
    if problems := [*token_rules.claim_problems(given, facts.rules)]:
        guest = any(problem.rule in _GUEST_RULES for problem in problems)
        seen = joined((item.shown for item in problems), "; ")
        return Row("claims", "problem", seen, _USE_MEMBER if guest else _CORRECT_CLAIMS)
    user = token_rules.user_of(given, facts.rules)
    if facts.subject.kind == "user" and facts.subject.text != user:
        hint = text("Explain that user: `mst-cli explain {user}`.", user=user)
        return Row(
            "claims", "warning", text("the token is of another user: {user}", user=user or text("none")), hint
        )
    return Row("claims", "ok", text("all rules met; user {user}", user=user))


def session(facts: ConnectionFacts) -> Row:
    """Report whether the device is connected, else what is known of its last session."""
    if facts.sessions is None:
        return Row("session", "unknown", text("the gateway did not list its sessions"), _ASK_GATEWAY)
    if facts.is_banned:
        hint = text("Run `mst-cli server unban ip {words}`.", words=facts.subject.text)
        return Row("session", "problem", text("the address is banned after failed sign-ins"), hint)
    if own := facts.own_sessions:
        first = own[0]
        seen = text(
            "{state} from {ip} since {at}{more}",
            state=text(plain(first.get("State"))),
            ip=plain(first.get("Remote IP")),
            at=plain(first.get("Connected at")),
            more=text(", and {own} more", own=len(own) - 1) if len(own) > 1 else "",
        )
        hint = "" if facts.connected else text("It has not signed in yet: see the rows token and claims.")
        return Row("session", "ok" if facts.connected else "warning", seen, hint)
    if not facts.is_device:
        seen = text("no device with this address is connected, was refused or is banned")
        return Row(
            "session", "unknown", seen, text("For a destination, read the rows routes, dns and firewall.")
        )
    record = facts.log.last
    client = plain(record.client, 45) if record else ""
    if record is None:
        last = text("no session in the log of the last 24 hours")
    elif record.operation == "connect":
        last = text("the last session, from {client}, was cut off", client=client)
    else:
        last = text(
            "the last session, from {client}, ended after {seconds} s", client=client, seconds=record.seconds
        )
    hint = text("Fix the first row that is not ok, then reconnect the device.")
    return Row("session", "problem", text("not connected; {last}", last=last), hint)


def lease(facts: ConnectionFacts) -> Row:
    """Report the device's addresses inside the tunnel, or whether any address is free."""
    if facts.sessions is None or facts.served is None:
        return Row("lease", "unknown", text("the gateway did not list its leases"), _ASK_GATEWAY)
    own = [str(row[key]) for row in facts.own_sessions for key in ("IPv4", "IPv6") if row.get(key)]
    if own:
        return Row("lease", "ok", plain(", ".join(own)))
    # Devices never get the network, the broadcast or the gateway's own address.
    pool = facts.served.pools[0]
    free = max(0, pool.num_addresses - 3 - len(facts.sessions))
    seen = text("{free} addresses free in {pool}", free=free, pool=pool)
    hint = "" if free else text("Use a larger network: `mst-admin config update NAME --network CIDR`.")
    return Row("lease", "ok" if free else "problem", seen, hint)


def routes(facts: ConnectionFacts) -> Row:
    """Report whether devices send packets for the destinations into the tunnel."""
    served = facts.served
    if served is None:
        return Row("routes", "unknown", text("there is no server configuration to read"), _PULL)
    if facts.is_device or not facts.destinations:
        more = len(served.includes) - _SHOWN
        listed = ", ".join(map(str, served.includes[:_SHOWN])) or text("all traffic")
        seen = text(
            "into the tunnel: {listed}{more}",
            listed=listed,
            more=text(" and {more} more", more=more) if more > 0 else "",
        )
        return Row("routes", "ok" if facts.is_device else "unknown", seen, _WHICH)
    for address in facts.destinations:
        if excluded := served.excluded_by(address):
            hint = text("Remove the range: `mst-admin config update NAME --exclude …` sets the list.")
            return Row(
                "routes",
                "problem",
                text("{address} is excluded by {network}", address=address, network=excluded),
                hint,
            )
        if served.route_to(address) is None:
            seen = text(
                "{address} is in no range that goes into the tunnel ({includes} ranges)",
                address=address,
                includes=len(served.includes),
            )
            hint = text(
                "Add it: `mst-admin config update NAME --include …` sets the list; devices reconnect."
            )
            return Row("routes", "problem", seen, hint)
    route = served.route_to(facts.destinations[0])
    seen = text(
        "devices send {address} into the tunnel by {route}", address=facts.destinations[0], route=route
    )
    return Row("routes", "ok", seen)


def dns(facts: ConnectionFacts) -> Row:
    """Report whether devices get DNS servers that answer and resolve the name."""
    served = facts.served
    if served is None:
        return Row("dns", "unknown", text("there is no server configuration to read"), _PULL)
    if not served.dns_servers:
        hint = text("Set some: `mst-admin config update NAME --dns-server ADDRESS`.")
        return Row("dns", "warning", text("devices get no DNS servers; internal names stay unknown"), hint)
    if silent := [server for server, answers in facts.dns.items() if not answers]:
        seen = text("no answer on TCP port 53 at the gateway from {silent}", silent=", ".join(silent))
        hint = text(
            "Fix route or firewall to the server. A server that answers only over UDP works for short "
            "answers."
        )
        return Row("dns", "warning" if len(silent) < len(served.dns_servers) else "problem", seen, hint)
    if facts.subject.kind == "name":
        return _name(facts, served)
    if not facts.dns:
        return Row(
            "dns",
            "unknown",
            text("not asked: {servers}", servers=", ".join(served.dns_servers)),
            _ASK_GATEWAY,
        )
    return Row(
        "dns", "ok", text("answering on TCP port 53: {servers}", servers=", ".join(served.dns_servers))
    )


def _name(facts: ConnectionFacts, served: TunnelSettings) -> Row:
    name = facts.subject.text
    if not served.asks_for(name):
        seen = text("devices do not ask for {name} here: it is in none of the split DNS domains", name=name)
        hint = text("Add its domain: `mst-admin config update NAME --split-dns …` sets the list.")
        return Row("dns", "problem", seen, hint)
    if not facts.destinations:
        hint = text("Query the devices' DNS servers directly: the gateway uses those of its host.")
        return Row("dns", "warning", text("{name} does not resolve on the gateway", name=name), hint)
    addresses = ", ".join(map(str, facts.destinations))
    return Row("dns", "ok", text("{name} is {addresses} on the gateway", name=name, addresses=addresses))


def firewall(facts: ConnectionFacts) -> Row:
    """Report whether the gateway's own rules and routes let devices reach the destinations."""
    if facts.served is None or facts.health != "healthy":
        return Row("firewall", "unknown", text("the rules of the gateway could not be read"), _ASK_GATEWAY)
    if facts.is_device or not facts.destinations:
        return Row("firewall", "unknown", text("the rules depend on the destination"), _WHICH)
    for address in facts.destinations:
        if facts.served.is_of_device(address):
            hint = text(
                "To allow it: `mst-cli env set CLIENT_TO_CLIENT true`, then `mst-cli server restart`."
            )
            seen = text("{address} belongs to devices, which are kept apart", address=address)
            return Row("firewall", "problem", seen, hint)
        if address in facts.protected:
            seen = text(
                "{address} belongs to the gateway's host or to a service of the cloud: devices may not "
                "reach it",
                address=address,
            )
            return Row(
                "firewall", "problem", seen, text("Serve it from another host; this rule has no exception.")
            )
        if address in facts.unroutable:
            hint = text("Add the route on this host, see `ip route`.")
            seen = text("the gateway has no route to {address}", address=address)
            return Row("firewall", "problem", seen, hint)
    hint = text(
        "Firewalls behind the gateway: record with `mst-cli server capture eth0 FILE` while a device tries."
    )
    return Row("firewall", "ok", text("the gateway forwards it; what lies behind cannot be seen here"), hint)


def inbound(facts: ConnectionFacts) -> Row:
    """Report whether devices outside reach the port, which only a session proves."""
    if connected := [row for row in facts.sessions or () if row.get("State") == "connected"]:
        return Row("inbound", "ok", text("devices connected through it now: {count}", count=len(connected)))
    port = facts.served.port if facts.served else 443
    seen = text(
        "no device is connected; whether port {port} is open from outside cannot be determined here",
        port=port,
    )
    hint = text("From another network, run `curl --insecure https://ADDRESS:{port}/`.", port=port)
    # A gateway that does not list its sessions may not listen at all.
    hint = _ASK_GATEWAY if facts.sessions is None else hint
    return Row("inbound", "unknown", seen, hint)


def certificate(facts: ConnectionFacts) -> Row:
    """Report on the certificate as devices see it: the one served, its names, chain and dates."""
    results: dict[Severity, Outcome] = {Severity.ERROR: "problem", Severity.WARNING: "warning"}
    for severity, result in results.items():
        if found := [finding for finding in facts.certificate if finding.severity is severity]:
            seen = joined((finding.message for finding in found), "; ")
            hint = joined(filter(None, (found[0].hint, text("`mst-cli cert check` shows all."))))
            return Row("certificate", result, seen, hint)
    if facts.certificate_days is None:
        return Row("certificate", "unknown", text("it could not be read"), text("Run `mst-cli cert check`."))
    seen = text(
        "served, valid for {certificate_days} more days; devices need its root",
        certificate_days=facts.certificate_days,
    )
    return Row("certificate", "ok", seen)


_ROWS: Final = (gateway, token, claims, session, lease, routes, dns, firewall, inbound, certificate)


class ExplainReport(Report):
    """The reasons why a device cannot connect or reach an address. Exit code 3 with a problem among them."""

    subject: str = Field(description="The given user, address or name.")
    kind: Literal["address", "name", "user"] = Field(
        description="The kind of subject; a name is that of a destination."
    )
    rows: tuple[Row, ...]


def explain(operator: Operator, who: str, token_file: Path | None) -> Result[ExplainReport]:
    """Return all rows about `who`: a user, a device's or destination's address, or a host name.

    The exit code is 3 with a problem among the rows. Raises UsageError if nothing is installed, for an
    invalid subject, for a name (UPN) that only the tenant could resolve, and for a missing token file.
    """
    judge_word("WHO", who)
    given = Subject(who)
    # Write an address in the form that the gateway uses.
    subject = given if given.address is None else Subject(str(given.address))
    token = None if token_file is None else explain_facts.read_token(operator, token_file)
    with installed_run(operator, exclusively=False) as run:
        facts = explain_facts.gather(run, _known_user(run.files, subject, token), token)
    found = rows(facts)
    results = {row.result for row in found}
    cells = [(text("Row"), text("Result"), text("Seen, and the next step"))]
    for row in found:
        cells.append((row.id, text(row.result), row.seen))
        # Show the next step below the observation.
        cells += [("", "", text("> {hint}", hint=row.hint))] if row.hint else []
    lines = []
    for identifier, result, content in cells:
        head = f"{identifier!s:12} {result!s:8} "
        lines += folded(fold(f"{head}{content!s}", len(head)), identifier, result, content)
    return Result(
        "warning" if results & {"problem", "warning"} else "ok",
        ExplainReport(subject=who, kind=subject.kind, rows=tuple(found)),
        text=lines,
        exit_code=ExitCode.CHECK if "problem" in results else ExitCode.DONE,
    )


def rows(facts: ConnectionFacts) -> list[Row]:
    """Return all rows, from the device to the gateway's certificate."""
    return [row(facts) for row in _ROWS]


def _known_user(files: Files, subject: Subject, token: Token | None) -> Subject:
    """Return the user as the gateway knows them: for a UPN, the object id in their token.

    Raises UsageError `user-name-unresolved`. Guests never have a session, so they need no id; without tokens,
    user names are those in the certificates.
    """
    served = read_tunnel_settings(files.read(paths.OCSERV_CONF) or b"")
    if "@" not in subject.text or subject.is_guest or (served is not None and not served.by_token):
        return subject
    user = ""
    if token is not None and token.names(subject.text):
        user = token_rules.user_of(token.claims, explain_facts.read_rules(files))
    if not user:
        raise UsageError(
            "user-name-unresolved",
            "the gateway identifies users by object id, not by name: {name}",
            hint="Find the object id in the Entra admin center (Users > Overview) or with "
            "`az ad user show --id {name} --query id`, then run `mst-cli explain ID`. Or add "
            "`--token-file FILE` with a token of this user.",
            name=subject.text,
        )
    return Subject(user)
