"""Pure readers of what firewall and SELinux programs print."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.readiness.facts.section import Section


class Firewall(Section):
    """The firewall of the host. Whether the gateway's port is let in; None when unknown.

    `forwarded`: the host forwards the port to the gateway, so only rules for forwarded packets apply.
    """

    kind: Literal["firewalld", "ufw", "nftables", "none"] = "none"
    forwarded: bool = False
    tcp: bool | None = None
    udp: bool | None = None


Protocol: TypeAlias = Literal["tcp", "udp"]

NftObject: TypeAlias = dict[str, Any]

"""An object in the output of `nft --json` (libnftables-json(5))."""

_SERVICES = {("https", 443, "tcp"), ("http3", 443, "udp")}

_UFW_RULE = re.compile(
    r"(?P<to>\S.*?)\s+(?P<verb>ALLOW|LIMIT|DENY|REJECT)(?: (?P<way>IN|OUT|FWD))?\s+(?P<source>.+)"
)

# How engines name the interfaces of their networks.
_OF_CONTAINERS = re.compile(r"docker|podman|cni|br-|veth")

# Where ufw's chains of hook forward lead, for IPv4 and IPv6.
_OF_UFW = ("ufw-before-forward", "ufw6-before-forward")

# Behind the ports: `(v6)`, or the name of an application that has them.
_UFW_NOTE = re.compile(r" \(.*\)")


def proxy_port_ranges(semanage: str) -> tuple[str, ...]:
    """The TCP ports ("80", "8008-8010") of type http_port_t in the output of `semanage port -l`."""
    for line in semanage.splitlines():
        match line.split(None, 2):
            case ["http_port_t", "tcp", ports]:
                words = (word.strip() for word in ports.split(","))
                return tuple(word for word in words if re.fullmatch(r"[0-9]+(-[0-9]+)?", word, re.ASCII))
    return ()


def firewalld(zones: str, port: int) -> Firewall:
    """Judge the output of `firewall-cmd --list-all-zones`: the port must be open in every active zone.

    Where no zone has an interface but a container's, those of the host are in the default zone. A zone with
    rich rules is judged only as far as its ports and services go.
    """
    every = list(_zones(zones))
    has_own = any(map(_has_own_interface, every))
    named = [zone for zone in every if zone.get("interfaces") or zone.get("sources")]
    unnamed = [zone for zone in every if zone["default"] and not has_own]
    answers = {
        protocol: all(_zone_opens(zone, port, protocol) for zone in (*named, *unnamed))
        if has_own or unnamed
        else None
        for protocol in ("tcp", "udp")
    }
    return Firewall(kind="firewalld", tcp=answers["tcp"], udp=answers["udp"])


def _zones(text: str) -> Iterator[dict[str, str]]:
    zone: dict[str, str] = {}
    for line in [*text.splitlines(), "end"]:
        if line and not line[0].isspace():
            if zone:
                yield zone
            zone = {"name": line.split()[0], "default": "yes" if "(default" in line else ""}
        elif ":" in line:
            name, _, value = line.strip().partition(":")
            zone[name] = value.strip()


def _has_own_interface(zone: dict[str, str]) -> bool:
    return not all(map(_OF_CONTAINERS.match, zone.get("interfaces", "").split()))


def _zone_opens(zone: dict[str, str], port: int, protocol: str) -> bool:
    if zone.get("target") == "ACCEPT":
        return True
    ports = zone.get("ports", "").split()
    services = zone.get("services", "").split()
    by_port = any(_covers(item, port, protocol) for item in ports)
    return by_port or any((name, port, protocol) in _SERVICES for name in services)


def _covers(item: str, port: int, protocol: str) -> bool:
    """Whether "443/tcp", "440-450/tcp" or "80,443/tcp" covers the port."""
    numbers, _, name = item.partition("/")
    return name in (protocol, "") and any(_holds(one, port) for one in numbers.split(","))


def _holds(numbers: str, port: int) -> bool:
    match = re.fullmatch(r"([0-9]{1,5})(?:[-:]([0-9]{1,5}))?", numbers, re.ASCII)
    return match is not None and int(match[1]) <= port <= int(match[2] or match[1])


def ufw(status: str, port: int) -> Firewall | None:
    """Judge the output of `ufw status verbose`; None when not active.

    The first rule for all sources decides. One for some (addresses, an interface) closes the port to them
    alone; where one opens it to them only, devices may be among them: that cannot be judged.
    """
    if not re.search(r"^Status: active", status, re.MULTILINE):
        return None
    allowed_by_default = bool(re.search(r"^Default: allow \(incoming\)", status, re.MULTILINE))
    tcp, udp = (
        _ufw(_ufw_rules(status, port, protocol, ("IN", None)), default=allowed_by_default)
        for protocol in ("tcp", "udp")
    )
    return Firewall(kind="ufw", tcp=tcp, udp=udp)


def _ufw(rules: Iterable[tuple[bool, bool]], *, default: bool) -> bool | None:
    open_to_some = False
    for allows, for_all in rules:
        if for_all:
            return allows or (None if open_to_some else False)
        open_to_some = open_to_some or allows
    return default or (None if open_to_some else False)


def _ufw_rules(
    status: str, port: int, protocol: str, ways: tuple[str | None, ...]
) -> Iterator[tuple[bool, bool]]:
    """Of each rule about the port that is for one of these ways: whether it allows, and from everywhere."""
    for match in map(_UFW_RULE.fullmatch, map(str.strip, status.splitlines())):
        if match is None or match["way"] not in ways:
            continue
        place, interface, _ = _UFW_NOTE.sub("", match["to"]).partition(" on ")
        *addresses, ports = place.split()
        if _covers(ports.replace("Anywhere", str(port)), port, protocol):
            for_all = not addresses and not interface and match["source"].startswith("Anywhere")
            yield match["verb"] in ("ALLOW", "LIMIT"), for_all


def nftables(ruleset: str, port: int) -> Firewall | None:
    """Judge the output of `nft --json list ruleset`; None when nothing filters what comes in.

    Only plain rules are understood: with jumps, named sets and extensions of iptables, the answer to a closed
    port is "cannot be judged".
    """
    objects = _nft_objects(ruleset)
    closed = _closed("input", objects)
    if not closed:
        return None
    rules = [rule for chain in closed for rule in _rules(chain, objects)]
    tcp, udp = (_nft(rules, port, protocol) for protocol in ("tcp", "udp"))
    return Firewall(kind="nftables", tcp=tcp, udp=udp)


def forwarded(ruleset: str, ufw_status: str, port: int) -> Firewall:
    """Judge the output of `nft --json list ruleset` for a port that the host forwards to the gateway.

    A chain that drops what it does not know must let through what was redirected (`ct status dnat`, as
    firewalld does), or lead to the rules of the engine: what one chain accepts another one still drops. In
    the chain of ufw its rules for what is routed decide, from the output of `ufw status verbose`.
    """
    objects = _nft_objects(ruleset)
    closed = [_rules(chain, objects) for chain in _closed("forward", objects)]
    if not closed:
        return Firewall(forwarded=True)
    # Podman and Docker put the way to their rules before those of ufw.
    of_ufw = [rules for rules in closed if _leads_to_ufw(rules) and not _lets_through(rules)]
    others = [_lets_through(rules) for rules in closed if rules not in of_ufw]
    tcp, udp = (
        _every([*others, *(_routed_by_ufw(ufw_status, port, name) for _ in of_ufw)])
        for name in ("tcp", "udp")
    )
    kind: Literal["ufw", "nftables"] = "ufw" if of_ufw and False not in others else "nftables"
    return Firewall(kind=kind, forwarded=True, tcp=tcp, udp=udp)


def _routed_by_ufw(status: str, port: int, protocol: str) -> bool | None:
    by_default = re.search(r"^Default: .*\ballow \(routed\)", status, re.MULTILINE) is not None
    return _ufw(_ufw_rules(status, port, protocol, ("FWD",)), default=by_default)


def _every(answers: list[bool | None]) -> bool | None:
    return False if False in answers else None if None in answers else True


def _leads_to_ufw(rules: list[list[NftObject]]) -> bool:
    jumps = (part.get("jump") for parts in rules for part in parts)
    return any(isinstance(jump, dict) and jump.get("target") in _OF_UFW for jump in jumps)


def _closed(hook: str, objects: list[NftObject]) -> list[NftObject]:
    """The chains of a hook that drop what none of their rules accepts."""
    chains = [chain for chain in _of(objects, "chain") if chain.get("hook") == hook]
    return [chain for chain in chains if chain.get("policy") == "drop" or _ends_closed(chain, objects)]


def _lets_through(rules: list[list[NftObject]]) -> bool | None:
    for parts in rules:
        if any("accept" in part for part in parts) and any(_redirected(part) for part in parts):
            return True
        if any(_of_engine(part) for part in parts):
            return True
    return None if any(_nft_unclear(part) for parts in rules for part in parts) else False


def _redirected(part: NftObject) -> bool:
    match = part.get("match")
    return (
        isinstance(match, dict)
        and match.get("left") == {"ct": {"key": "status"}}
        and match.get("right") == "dnat"
    )


def _of_engine(part: NftObject) -> bool:
    """Whether a part of a rule leads to the rules of Podman (netavark) or Docker."""
    jump = part.get("jump")
    return isinstance(jump, dict) and str(jump.get("target", "")).startswith(("NETAVARK_FORWARD", "DOCKER"))


def _nft_objects(ruleset: str) -> list[NftObject]:
    try:
        found = json_value(ruleset)
    except ValueError:
        return []
    items = found.get("nftables") if isinstance(found, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _of(objects: list[NftObject], kind: str) -> list[NftObject]:
    return [item[kind] for item in objects if isinstance(item.get(kind), dict)]


def _rules(chain: NftObject, objects: list[NftObject]) -> list[list[NftObject]]:
    """The expressions of each rule of a chain."""
    place = [chain.get(key) for key in ("family", "table", "name")]
    rules = [
        rule
        for rule in _of(objects, "rule")
        if [rule.get(key) for key in ("family", "table", "chain")] == place
    ]
    lists = [rule.get("expr") for rule in rules]
    return [[part for part in parts if isinstance(part, dict)] for parts in lists if isinstance(parts, list)]


def _ends_closed(chain: NftObject, objects: list[NftObject]) -> bool:
    rules = _rules(chain, objects)
    return bool(rules) and len(rules[-1]) == 1 and not {"drop", "reject"}.isdisjoint(rules[-1][0])


def _nft(rules: list[list[NftObject]], port: int, protocol: str) -> bool | None:
    for parts in rules:
        if any("accept" in part for part in parts) and any(_nft_port(part, port, protocol) for part in parts):
            return True
    unclear = any(_nft_unclear(part) for parts in rules for part in parts)
    return None if unclear else False


def _nft_unclear(part: NftObject) -> bool:
    """Whether a part of a rule may open a port in a way that is not understood here."""
    match = part.get("match")
    named_set = isinstance(match, dict) and str(match.get("right", "")).startswith("@")
    return named_set or not {"jump", "goto", "vmap", "xt"}.isdisjoint(part)


def _nft_port(part: NftObject, port: int, protocol: str) -> bool:
    match = part.get("match")
    if not isinstance(match, dict) or match.get("op") != "==":
        return False
    wanted = ({"payload": {"protocol": name, "field": "dport"}} for name in (protocol, "th"))
    return match.get("left") in list(wanted) and _nft_value(match.get("right"), port)


def _nft_value(right: object, port: int) -> bool:
    """Whether a number, a set or a range holds the port (libnftables-json(5))."""
    if isinstance(right, dict):
        if isinstance(right.get("set"), list):
            return any(_nft_value(item, port) for item in right["set"])
        match right.get("range"):
            case [int(low), int(high)]:
                return low <= port <= high
        return False
    return isinstance(right, int) and right == port
