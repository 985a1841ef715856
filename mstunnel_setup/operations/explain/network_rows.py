"""The rows about the network: routes, DNS, firewalls, and the certificate as devices see it."""

from typing import Final

from mstunnel_setup.base.problem import Severity
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.operations.explain.model import Facts, Outcome, Row

_WHICH: Final = text("To test a destination: `mst-cli explain ADDRESS`.")
_PULL: Final = text("Fetch the configuration with `mst-cli config pull`.")
_SHOWN: Final = 3


def routes(facts: Facts) -> Row:
    """Whether devices send packets for the destinations into the tunnel."""
    served = facts.served
    if served is None:
        return Row("routes", "unknown", "there is no server configuration to read", _PULL)
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
            return Row("routes", "problem", f"{address} is excluded by {excluded}", hint)
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
    return Row("routes", "ok", f"devices send {facts.destinations[0]} into the tunnel by {route}")


def dns(facts: Facts) -> Row:
    """Whether devices get DNS servers that answer, and look the name up there."""
    served = facts.served
    if served is None:
        return Row("dns", "unknown", "there is no server configuration to read", _PULL)
    if not served.dns_servers:
        hint = text("Set some: `mst-admin config update NAME --dns-server ADDRESS`.")
        return Row("dns", "warning", "devices get no DNS servers; internal names stay unknown", hint)
    if silent := [server for server, answers in facts.dns.items() if not answers]:
        seen = text("no answer on TCP port 53 at the gateway from {silent}", silent=", ".join(silent))
        hint = text(
            "Fix route or firewall to the server. One that answers on UDP alone works for short answers."
        )
        return Row("dns", "warning" if len(silent) < len(served.dns_servers) else "problem", seen, hint)
    if facts.subject.kind == "name":
        return _name(facts)
    if not facts.dns:
        hint = text("Check the gateway with `mst-cli server status`.")
        return Row("dns", "unknown", f"not asked: {', '.join(served.dns_servers)}", hint)
    return Row("dns", "ok", f"answering on TCP port 53: {', '.join(served.dns_servers)}")


def _name(facts: Facts) -> Row:
    served, name = facts.served, facts.subject.text
    if served is not None and not served.asks_for(name):
        seen = text("devices do not ask for {name} here: it is in none of the split DNS domains", name=name)
        return Row(
            "dns",
            "problem",
            seen,
            "Add its domain: `mst-admin config update NAME --split-dns …` sets the list.",
        )
    if not facts.destinations:
        hint = text("Look it up at the DNS servers themselves: the gateway asks those of its host.")
        return Row("dns", "warning", f"{name} does not resolve on the gateway", hint)
    return Row("dns", "ok", f"{name} is {', '.join(map(str, facts.destinations))} on the gateway")


def firewall(facts: Facts) -> Row:
    """Whether the gateway's own rules and routes let devices reach the destinations."""
    if facts.served is None or facts.health != "healthy":
        hint = text("Check the gateway with `mst-cli server status`.")
        return Row("firewall", "unknown", "the rules of the gateway could not be read", hint)
    if facts.is_device or not facts.destinations:
        return Row("firewall", "unknown", "the rules depend on the destination", _WHICH)
    for address in facts.destinations:
        if facts.served.is_of_device(address):
            hint = text(
                "To allow it: `mst-cli env set CLIENT_TO_CLIENT true`, then `mst-cli server restart`."
            )
            return Row("firewall", "problem", f"{address} belongs to devices, which are kept apart", hint)
        if address in facts.protected:
            seen = text(
                "{address} is of the gateway's host or of the cloud's services: devices are refused",
                address=address,
            )
            return Row("firewall", "problem", seen, "Serve it from another host; this rule has no exception.")
        if address in facts.unroutable:
            hint = text("Add the route on this host, see `ip route`.")
            return Row("firewall", "problem", f"the gateway has no route to {address}", hint)
    hint = text(
        "Firewalls behind the gateway: record with `mst-cli server capture eth0 FILE` while a device tries."
    )
    return Row("firewall", "ok", "the gateway forwards it; what lies behind cannot be seen here", hint)


def inbound(facts: Facts) -> Row:
    """Whether devices outside reach the port; only a session proves it."""
    if connected := [row for row in facts.sessions or () if row.get("State") == "connected"]:
        return Row("inbound", "ok", f"devices connected through it now: {len(connected)}")
    port = facts.served.port if facts.served else 443
    seen = text(
        "no device is connected; whether port {port} is open from outside cannot be seen here", port=port
    )
    return Row("inbound", "unknown", seen, "Run `mst-readiness inbound --from HOST` with a second host.")


def certificate(facts: Facts) -> Row:
    """The certificate as devices see it: what is served, its names, chain and time."""
    for severity, result in _RESULTS:
        if found := [finding for finding in facts.certificate if finding.severity is severity]:
            seen = joined((finding.message for finding in found), "; ")
            hint = joined(filter(None, (found[0].hint, text("`mst-cli cert check` shows all."))))
            return Row("certificate", result, seen, hint)
    if facts.certificate_days is None:
        return Row("certificate", "unknown", "it could not be read", text("Run `mst-cli cert check`."))
    seen = text(
        "served, valid for {certificate_days} more days; devices need its root",
        certificate_days=facts.certificate_days,
    )
    return Row("certificate", "ok", seen)


_RESULTS: Final[tuple[tuple[Severity, Outcome], ...]] = (
    (Severity.ERROR, "problem"),
    (Severity.WARNING, "warning"),
)
