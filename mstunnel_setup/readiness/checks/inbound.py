"""Group `inbound`: does what is sent from elsewhere arrive at the gateway's port?"""

from mstunnel_setup.base.text import text
from mstunnel_setup.readiness.facts.inbound import InboundFacts
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.model import Checks, Group, Verdict, passed, problem, skipped, unknown

CHECKS = Checks(Group.INBOUND)

# Hints of several findings.
_LET_IN = "Allow it at the firewall, load balancer and NAT in front of that host."


def _arrives(protocol: str, why: str) -> None:
    upper = protocol.upper()

    @CHECKS.add(f"inbound-{protocol}", f"{upper} arrives", upper=upper, why=why)
    def arrives(settings: Settings, inbound: InboundFacts) -> Verdict:
        """A {upper} probe from a second machine arrived (with `--probe`: was answered).

        {why}
        """
        if inbound.role == "none":
            return skipped("not probed", "Run `mst-readiness inbound --from HOST`.")
        if inbound.error:
            return unknown(
                "{error}",
                hint="Probe it from another host: `mst-readiness inbound --probe HOST:PORT`.",
                error=inbound.error,
            )
        sources: tuple[str, ...] = getattr(inbound, protocol)
        if inbound.role == "probe":
            return _probed(inbound, protocol, sources)
        if sources:
            other = ""
            if inbound.expected and inbound.expected not in sources:
                other = text(", not {expected} (NAT?)", expected=inbound.expected)
            return passed("a probe came from {sources}{other}", sources=", ".join(sources), other=other)
        return problem(
            "no probe arrived at {protocol} {port}",
            hint=_LET_IN,
            protocol=protocol.upper(),
            port=settings.port,
        )


_arrives("tcp", "A firewall, router or load balancer before this host keeps devices out.")
_arrives("udp", "Without UDP the data channel falls back to TCP, which is slower.")


def _probed(inbound: InboundFacts, protocol: str, sources: tuple[str, ...]) -> Verdict:
    if sources:
        kind = text("a TLS server") if inbound.gateway and protocol == "tcp" else text("the listener")
        return passed("{kind} at {sources} answered", kind=kind, sources=", ".join(sources))
    if inbound.gateway:
        return unknown(
            "a running gateway does not answer UDP probes",
            hint="Stop the gateway, run `mst-readiness inbound --from HOST` there, then probe again.",
        )
    return problem(
        "{expected} did not answer over {protocol}",
        hint=_LET_IN,
        expected=inbound.expected,
        protocol=protocol.upper(),
    )
