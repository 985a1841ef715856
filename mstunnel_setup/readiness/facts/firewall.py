"""Parsers for the output of firewall and SELinux programs."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

from mstunnel_setup.base.parsing import json_object
from mstunnel_setup.readiness.facts.parse import objects
from mstunnel_setup.readiness.facts.section import Section


class Firewall(Section):
    """The host's firewall, and whether it admits the gateway's port; None if unknown.

    `forwarded`: the host forwards the port to the gateway, so only rules for forwarded packets apply.
    """

    kind: Literal["firewalld", "ufw", "nftables", "none"] = "none"
    forwarded: bool = False
    tcp: bool | None = None
    udp: bool | None = None


Rules: TypeAlias = list[list[dict[str, Any]]]
"""The expressions of each rule of a chain, as `nft --json` prints them (libnftables-json(5))."""

_SERVICES = {("https", 443, "tcp"), ("http3", 443, "udp")}
_UFW_RULE = re.compile(
    r"(?P<to>\S.*?)\s+(?P<verb>ALLOW|LIMIT|DENY|REJECT)(?: (?P<way>IN|OUT|FWD))?\s+(?P<source>.+)"
)
# Part of the names of the engines' network interfaces.
_OF_CONTAINERS = re.compile(r"docker|podman|cni|br-|veth")
# The targets of ufw's chains of hook forward, for IPv4 and IPv6.
_OF_UFW = ("ufw-before-forward", "ufw6-before-forward")
# The text after the ports: `(v6)`, or the name of an application profile.
_UFW_NOTE = re.compile(r" \(.*\)")


def proxy_port_ranges(semanage: str) -> tuple[str, ...]:
    """Return the TCP ports ("80", "8008-8010") of type http_port_t in the output of `semanage port -l`."""
    for line in semanage.splitlines():
        match line.split(None, 2):
            case ["http_port_t", "tcp", ports]:
                words = (word.strip() for word in ports.split(","))
                return tuple(word for word in words if re.fullmatch(r"[0-9]+(-[0-9]+)?", word, re.ASCII))
    return ()


def firewalld(zones: str, port: int) -> Firewall:
    """Parse `firewall-cmd --list-all-zones`: the port must be open in every active zone.

    If all interfaces in zones belong to containers, the host's are in the default zone. Rich rules are
    ignored; only ports and services count.
    """
    every = list(_zones(zones))
    own = [item for item in every if not all(map(_OF_CONTAINERS.match, item.get("interfaces", "").split()))]
    named = [zone for zone in every if zone.get("interfaces") or zone.get("sources")]
    unnamed = [zone for zone in every if zone["default"] and not own]
    tcp, udp = (
        all(_zone_opens(zone, port, protocol) for zone in (*named, *unnamed)) if own or unnamed else None
        for protocol in ("tcp", "udp")
    )
    return Firewall(kind="firewalld", tcp=tcp, udp=udp)


def _zones(text: str) -> Iterator[dict[str, str]]:
    """Yield the settings of each zone, which are indented below its name."""
    for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]:
        head, *lines = block.splitlines()
        settings = (line.strip().partition(":") for line in lines)
        named = {name: value.strip() for name, _, value in settings}
        yield {**named, "default": "yes" if "(default" in head else ""}


def _zone_opens(zone: dict[str, str], port: int, protocol: str) -> bool:
    by_port = any(_covers(item, port, protocol) for item in zone.get("ports", "").split())
    by_name = any((name, port, protocol) in _SERVICES for name in zone.get("services", "").split())
    return zone.get("target") == "ACCEPT" or by_port or by_name


def _covers(item: str, port: int, protocol: str) -> bool:
    """Return whether "443/tcp", "440-450/tcp" or "80,443/tcp" includes the port."""
    numbers, _, name = item.partition("/")
    for one in numbers.split(","):
        match = re.fullmatch(r"([0-9]{1,5})(?:[-:]([0-9]{1,5}))?", one, re.ASCII)
        if match and int(match[1]) <= port <= int(match[2] or match[1]):
            return name in (protocol, "")
    return False


def ufw(status: str, port: int) -> Firewall | None:
    """Parse the output of `ufw status verbose`; None if ufw is not active.

    The first rule for all sources decides. A rule that closes the port to some sources (addresses, an
    interface) is ignored. If a rule opens it to some sources only, devices may be among them, so the result
    is unknown.
    """
    if not re.search(r"^Status: active", status, re.MULTILINE):
        return None
    by_default = bool(re.search(r"^Default: allow \(incoming\)", status, re.MULTILINE))
    tcp, udp = (_ufw(status, port, name, ("IN", None), default=by_default) for name in ("tcp", "udp"))
    return Firewall(kind="ufw", tcp=tcp, udp=udp)


def _ufw(
    status: str, port: int, protocol: str, ways: tuple[str | None, ...], *, default: bool
) -> bool | None:
    """Return whether the rules for one of these directions open the port; None if unknown."""
    open_to_some = False
    for match in map(_UFW_RULE.fullmatch, map(str.strip, status.splitlines())):
        if match is None or match["way"] not in ways:
            continue
        place, interface, _ = _UFW_NOTE.sub("", match["to"]).partition(" on ")
        *addresses, ports = place.split()
        if _covers(ports.replace("Anywhere", str(port)), port, protocol):
            allows = match["verb"] in ("ALLOW", "LIMIT")
            if not addresses and not interface and match["source"].startswith("Anywhere"):
                return allows or (None if open_to_some else False)
            open_to_some = open_to_some or allows
    return default or (None if open_to_some else False)


def nftables(ruleset: str, port: int) -> Firewall | None:
    """Parse the output of `nft --json list ruleset`; None if nothing filters incoming packets.

    Only plain rules are understood: with jumps, named sets and iptables extensions, a closed port is reported
    as unknown.
    """
    closed = _closed("input", ruleset)
    if not closed:
        return None
    rules = [rule for chain in closed for rule in chain]

    def opens(protocol: str) -> bool | None:
        places = [{"payload": {"protocol": name, "field": "dport"}} for name in (protocol, "th")]
        return _accepts(
            rules,
            lambda match: (
                match.get("op") == "==" and match.get("left") in places and _holds(match.get("right"), port)
            ),
        )

    return Firewall(kind="nftables", tcp=opens("tcp"), udp=opens("udp"))


def forwarded(ruleset: str, ufw_status: str, port: int) -> Firewall:
    """Parse the output of `nft --json list ruleset` for a port that the host forwards to the gateway.

    A chain with default drop must accept redirected packets (`ct status dnat`, as firewalld does), or jump to
    the engine's rules: one chain's accept does not prevent another's drop. In ufw's chain its rules for
    routed packets decide, from the output of `ufw status verbose`.
    """
    closed = _closed("forward", ruleset)
    if not closed:
        return Firewall(forwarded=True)
    # Podman and Docker insert the jumps to their rules before those of ufw.
    of_ufw = [
        rules
        for rules in closed
        if any(_target(part) in _OF_UFW for parts in rules for part in parts) and not _lets_through(rules)
    ]
    others = [_lets_through(rules) for rules in closed if rules not in of_ufw]
    by_default = re.search(r"^Default: .*\ballow \(routed\)", ufw_status, re.MULTILINE) is not None
    answers: list[bool | None] = []
    for protocol in ("tcp", "udp"):
        routed = [_ufw(ufw_status, port, protocol, ("FWD",), default=by_default)] if of_ufw else []
        found = [*others, *routed]
        answers.append(False if False in found else None if None in found else True)
    kind: Literal["ufw", "nftables"] = "ufw" if of_ufw and False not in others else "nftables"
    return Firewall(kind=kind, forwarded=True, tcp=answers[0], udp=answers[1])


def _lets_through(rules: Rules) -> bool | None:
    """Return whether rules accept redirected packets, or jump to those of Podman (netavark) or Docker."""
    if any(_target(part).startswith(("NETAVARK_FORWARD", "DOCKER")) for parts in rules for part in parts):
        return True
    redirected = {"left": {"ct": {"key": "status"}}, "right": "dnat"}
    return _accepts(rules, lambda match: redirected.items() <= match.items())


def _target(part: dict[str, Any]) -> str:
    jump = part.get("jump")
    return str(jump.get("target", "")) if isinstance(jump, dict) else ""


def _closed(hook: str, ruleset: str) -> list[Rules]:
    """Return the rules of each chain of a hook that drops packets by default."""
    items = objects(json_object(ruleset).get("nftables"))
    found = []
    for chain in objects([item.get("chain") for item in items]):
        place = [chain.get(key) for key in ("family", "table", "name")]
        rules = [
            objects(rule["expr"])
            for rule in objects([item.get("rule") for item in items])
            if [rule.get(key) for key in ("family", "table", "chain")] == place
            and isinstance(rule.get("expr"), list)
        ]
        last = rules[-1] if rules else []
        ends_closed = len(last) == 1 and not {"drop", "reject"}.isdisjoint(last[0])
        if chain.get("hook") == hook and (chain.get("policy") == "drop" or ends_closed):
            found.append(rules)
    return found


def _accepts(rules: Rules, wanted: Callable[[dict[str, Any]], bool]) -> bool | None:
    """Return whether a rule accepts a match that is `wanted`; None for rules that this cannot parse."""
    for parts in rules:
        matches = [part["match"] for part in parts if isinstance(part.get("match"), dict)]
        if any(map(wanted, matches)) and any("accept" in part for part in parts):
            return True
    # These expressions may open a port in another way.
    for part in (part for parts in rules for part in parts):
        match = part.get("match")
        named_set = isinstance(match, dict) and str(match.get("right", "")).startswith("@")
        if named_set or not {"jump", "goto", "vmap", "xt"}.isdisjoint(part):
            return None
    return False


def _holds(right: object, port: int) -> bool:
    """Return whether a number, a set or a range contains the port (libnftables-json(5))."""
    if isinstance(right, dict):
        if isinstance(right.get("set"), list):
            return any(_holds(item, port) for item in right["set"])
        match right.get("range"):
            case [int(low), int(high)]:
                return low <= port <= high
        return False
    return isinstance(right, int) and right == port
