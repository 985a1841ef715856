"""Group `inbound`: does what is sent from elsewhere arrive at the gateway's port?"""

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
            return skipped("not probed", "Run `mst-readiness inbound --from HOST`.")
        if inbound.error:
            return findings.PROBE_FAILED(error=inbound.error)
        sources: tuple[str, ...] = getattr(inbound, protocol)
        if inbound.role == "probe":
            return _probed(inbound, protocol, sources)
        if sources:
            other = (
                f", not {inbound.expected} (NAT?)"
                if inbound.expected and inbound.expected not in sources
                else ""
            )
            return passed(f"a probe came from {', '.join(sources)}{other}")
        return findings.PROBE_MISSING(protocol=protocol.upper(), port=settings.port)


_arrives("tcp")
_arrives("udp")


def _probed(inbound: InboundFacts, protocol: str, sources: tuple[str, ...]) -> Verdict:
    if sources:
        kind = "a TLS server" if inbound.gateway and protocol == "tcp" else "the listener"
        return passed(f"{kind} at {', '.join(sources)} answered")
    if inbound.gateway:
        return findings.GATEWAY_RUNNING()
    return findings.PROBE_UNANSWERED(expected=inbound.expected, protocol=protocol.upper())
