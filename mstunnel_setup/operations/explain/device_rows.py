"""The rows about the device: does the gateway run, and does it let this device in."""

import re
from collections.abc import Mapping
from typing import Final

from mstunnel_setup.base.text import plain, text
from mstunnel_setup.gateway.fixed_rules import rule_of
from mstunnel_setup.operations.explain.model import Facts, Outcome, Row, Token
from mstunnel_setup.operations.explain.token_rules import (
    claim_problems,
    header_problem,
    moment,
    time_problem,
    user_of,
)

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
# By what the gateway logs of a refused token; the first that fits.
_REASONS: Final[Mapping[str, str]] = {
    r"validity period|valid for more": _SIGN_IN_AGAIN,
    r"\b(acct|idp|xms_idrel)\b": _USE_MEMBER,
    r"claim|GUID": _CORRECT_CLAIMS,
    r"JWK|kid": text(
        "The gateway needs the keys of the tenant: test the connection with `mst-readiness network`."
    ),
}


def gateway(facts: Facts) -> Row:
    """Whether the server's container runs and is healthy."""
    if facts.health == "healthy":
        return Row("gateway", "ok", "running and healthy")
    hint = text("Run `mst-cli server restart`; `mst-cli server logs --tail 20` shows why.")
    return Row("gateway", "problem", f"the server is {facts.health}", hint)


def token(facts: Facts) -> Row:
    """Whether the token is valid now: the given one, or by what the gateway logged about the device."""
    if facts.served is not None and not facts.served.by_token:
        return Row("token", "ok", "not used: devices present no token here")
    if facts.token is not None:
        return _given_token(facts, facts.token)
    if facts.refused and facts.log is not None:
        # Many devices share the address of one office or mobile network.
        result: Outcome = "warning" if facts.connected else "problem"
        rule = rule_of(facts.log.reason)
        seen = text(
            "{refused} sign-ins refused in 24 hours; the last: {reason}{more}",
            refused=facts.refused,
            reason=facts.log.reason or text("no reason"),
            more=f" (rule {rule})" if rule else "",
        )
        reason = facts.log.reason
        hint = next((hint for pattern, hint in _REASONS.items() if re.search(pattern, reason)), _ADD_FILE)
        return Row("token", result, seen, hint)
    if facts.connected:
        return Row("token", "ok", "accepted when the device connected")
    others = facts.log.others if facts.log else 0
    seen = text("no token given; {others} sign-ins from other addresses refused in 24 hours", others=others)
    hint = text(
        "{add_file} The log names refused devices by address: `mst-cli explain ADDRESS`.", add_file=_ADD_FILE
    )
    return Row("token", "unknown", seen, hint)


def _given_token(facts: Facts, given: Token) -> Row:
    if not given.claims:
        return Row("token", "problem", "the file holds no JSON Web Token", _ADD_FILE)
    if problem := header_problem(given.header, facts.rules):
        return Row("token", "problem", str(problem), _GET_FROM_ENTRA)
    if problem := time_problem(given.claims, facts.rules, facts.now):
        return Row("token", "problem", str(problem), _SIGN_IN_AGAIN)
    seen = text(
        "valid until {exp}; its signature was not verified here", exp=moment(int(str(given.claims["exp"])))
    )
    return Row("token", "ok", seen)


def claims(facts: Facts) -> Row:
    """Whether the claims follow the rules for tokens."""
    if facts.served is not None and not facts.served.by_token:
        return Row("claims", "ok", "not used: devices present no token here")
    if facts.token is None or not facts.token.claims:
        if facts.connected:
            return Row("claims", "ok", "accepted when the device connected")
        if facts.subject.is_guest:
            seen = text("a guest of the tenant (#EXT# in the name), whose tokens are refused (rule member)")
            return Row("claims", "problem", seen, _USE_MEMBER)
        return Row("claims", "unknown", "no token to decode", _ADD_FILE)
    if not facts.rules:
        return Row("claims", "unknown", "no rules for tokens on this host", text("Run mstunnel-setup."))
    return _given_claims(facts, facts.token.claims)


def _given_claims(facts: Facts, given: Mapping[str, object]) -> Row:
    if problems := [*claim_problems(given, facts.rules)]:
        guest = any(problem.rule in _GUEST_RULES for problem in problems)
        hint = _USE_MEMBER if guest else _CORRECT_CLAIMS
        return Row("claims", "problem", "; ".join(map(str, problems)), hint)
    user = user_of(given, facts.rules)
    if facts.subject.kind == "user" and facts.subject.text != user:
        hint = text("Explain that user: `mst-cli explain {user}`.", user=user)
        return Row("claims", "warning", f"the token is of another user: {user or 'none'}", hint)
    return Row("claims", "ok", f"all rules met; user {user}")


def session(facts: Facts) -> Row:
    """Whether the device is connected, and if not, what is known of its last session."""
    if facts.sessions is None:
        return Row("session", "unknown", "the gateway did not list its sessions", _ASK_GATEWAY)
    if facts.is_banned:
        hint = text("Run `mst-cli server unban ip {words}`.", words=facts.subject.text)
        return Row("session", "problem", "the address is banned after failed sign-ins", hint)
    if own := facts.own_sessions:
        first = own[0]
        seen = text(
            "{state} from {ip} since {at}{more}",
            state=first.get("State"),
            ip=first.get("Remote IP"),
            at=first.get("Connected at"),
            more=text(", and {own} more", own=len(own) - 1) if len(own) > 1 else "",
        )
        hint = "" if facts.connected else text("It has not signed in yet: see the rows token and claims.")
        return Row("session", "ok" if facts.connected else "warning", plain(seen), hint)
    if not facts.is_device:
        seen = text("no device with this address is connected, was refused or is banned")
        return Row("session", "unknown", seen, "For a destination, read the rows routes, dns and firewall.")
    hint = text("Fix the first row that is not ok; then connect again on the device.")
    return Row("session", "problem", f"not connected; {_last(facts)}", hint)


def _last(facts: Facts) -> str:
    record = None if facts.log is None else facts.log.last
    if record is None:
        return text("no session in the log of the last 24 hours")
    if record.operation == "connect":
        return text("the last session, from {client}, was cut off", client=plain(record.client, 45))
    return text(
        "the last session, from {client}, ended after {seconds} s",
        client=plain(record.client, 45),
        seconds=record.seconds,
    )


def lease(facts: Facts) -> Row:
    """The addresses of the device inside the tunnel, or whether there are any left."""
    if facts.sessions is None or facts.served is None:
        return Row("lease", "unknown", "the gateway did not list its leases", _ASK_GATEWAY)
    own = [str(row[key]) for row in facts.own_sessions for key in ("IPv4", "IPv6") if row.get(key)]
    if own:
        return Row("lease", "ok", plain(", ".join(own)))
    # Network, broadcast and the gateway's own address are no device's.
    pool = facts.served.pools[0]
    free = max(0, pool.num_addresses - 3 - len(facts.sessions))
    seen = text("{free} addresses free in {pool}", free=free, pool=pool)
    if free:
        return Row("lease", "ok", seen)
    return Row(
        "lease", "problem", seen, "Use a larger network: `mst-admin config update NAME --network CIDR`."
    )
