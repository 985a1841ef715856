"""Group `inbound`: does what is sent from elsewhere arrive at the gateway's port?"""

from mstunnel_setup.base.text import text
from mstunnel_setup.readiness import findings
from mstunnel_setup.readiness.facts import InboundFacts, Settings
from mstunnel_setup.readiness.model import Checks, Group, Verdict, passed, skipped

CHECKS = Checks(Group.INBOUND)


def _arrives(protocol: str) -> None:
    @CHECKS.add(
        f"inbound-{protocol}",
        f"{protocol.upper()} arrives",
        passes=f"A {protocol.upper()} probe from a second machine arrived (with `--probe`: was answered).",
    )
    def arrives(settings: Settings, inbound: InboundFacts) -> Verdict:
        if inbound.role == "none":
            return skipped(text("not probed"), text("Run `mst-readiness inbound --from HOST`."))
        if inbound.error:
            return findings.PROBE_FAILED(error=inbound.error)
        sources: tuple[str, ...] = getattr(inbound, protocol)
        if inbound.role == "probe":
            return _probed(inbound, protocol, sources)
        if sources:
            other = (
                text(", not {expected} (NAT?)", expected=inbound.expected)
                if inbound.expected and inbound.expected not in sources
                else ""
            )
            return passed(text("a probe came from {sources}{other}", sources=", ".join(sources), other=other))
        return findings.PROBE_MISSING(protocol=protocol.upper(), port=settings.port)


_arrives("tcp")
_arrives("udp")


def _probed(inbound: InboundFacts, protocol: str, sources: tuple[str, ...]) -> Verdict:
    if sources:
        kind = text("a TLS server") if inbound.gateway and protocol == "tcp" else text("the listener")
        return passed(text("{kind} at {sources} answered", kind=kind, sources=", ".join(sources)))
    if inbound.gateway:
        return findings.GATEWAY_RUNNING()
    return findings.PROBE_UNANSWERED(expected=inbound.expected, protocol=protocol.upper())
