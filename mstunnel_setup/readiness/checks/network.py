"""Group `network`: every name the cloud needs, the issuer of its certificate, and the clock."""

from collections.abc import Sequence

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import text
from mstunnel_setup.io.endpoint import REFUSED
from mstunnel_setup.readiness import findings
from mstunnel_setup.readiness.data import REGISTRY, endpoints
from mstunnel_setup.readiness.facts import Attempt, EndpointFacts, NetworkFacts
from mstunnel_setup.readiness.model import Checks, Group, Severity, Verdict, passed, skipped

CHECKS = Checks(Group.NETWORK)

# Entra refuses tokens and assertions whose times differ by more than five minutes.
_MOST_SKEW = 300.0
_SOME_SKEW = 30.0
# The least MTU of an IPv6 link (RFC 8200); DTLS through less stalls.
_LEAST_MTU = 1280
_SHOWN = 3
_SERVER_ERROR = 500
_REACHED = text("every address answers with TLS; behind a proxy the proxy connects us by name.")
_PASSES = {
    "storage": text("its names are assigned later, so there is usually none to test; see `allowed-names`."),
}


def _reached(attempt: Attempt) -> bool:
    return not attempt.error


def _deciding(endpoint: EndpointFacts) -> list[Attempt]:
    """Behind a proxy the try by name counts: many proxies refuse bare addresses."""
    by_name = [item for item in endpoint.attempts if item.through and item.target == endpoint.host]
    return by_name or list(endpoint.attempts)


def _proxied(network: NetworkFacts) -> list[Attempt]:
    return [item for endpoint in network.endpoints for item in endpoint.attempts if item.through]


def _proxy_away(network: NetworkFacts) -> bool:
    """Whether the proxy itself is unreachable: one cause is reported once, not once for every endpoint."""
    tried = _proxied(network)
    return bool(tried) and not any(_reached(item) or item.error.startswith(REFUSED) for item in tried)


def _names_away(network: NetworkFacts) -> bool:
    """Whether no name could be resolved, so that nothing was tried: this, too, is reported once."""
    found = network.endpoints
    return bool(found) and all(item.unresolved and not item.attempts for item in found)


def _no_way(network: NetworkFacts) -> Verdict | None:
    """The verdict of every check that needs a response from outside, when one cause prevents them all."""
    if _proxy_away(network):
        return skipped(text("the proxy cannot be reached, see proxy-connects"))
    return skipped(text("no name resolves, see dns")) if _names_away(network) else None


@CHECKS.add(
    "dns",
    "Names resolve",
    passes="Every name resolves. Behind a proxy that resolves them this is a warning.",
)
def _dns(network: NetworkFacts) -> Verdict:
    failed = [item for item in network.endpoints if item.unresolved]
    if not failed:
        return passed(text("{endpoints} of {endpoints} names", endpoints=len(network.endpoints)))
    names = ", ".join(item.host for item in failed[:_SHOWN])
    seen = text(
        "{failed} of {endpoints} names do not resolve ({names}: {unresolved})",
        failed=len(failed),
        endpoints=len(network.endpoints),
        names=names,
        unresolved=failed[0].unresolved,
    )
    if all(any(map(_reached, _deciding(item))) for item in failed):
        return findings.DNS_BEHIND_PROXY(seen=seen)
    return findings.DNS_FAILS(seen=seen, host=failed[0].host)


@CHECKS.add("proxy-connects", "Proxy connects", passes="The proxy connects to at least one endpoint.")
def _proxy_connects(network: NetworkFacts) -> Verdict:
    attempts = _proxied(network)
    if not attempts:
        return skipped(text("no proxy"))
    if any(map(_reached, attempts)):
        return passed(attempts[0].through)
    through = attempts[0].through
    return findings.PROXY_UNREACHABLE(through=through, error=attempts[0].error, target=attempts[0].target)


def _endpoint(purpose: str, title: str) -> None:
    @CHECKS.add(f"endpoint-{purpose}", title, passes=f"{title}: {_PASSES.get(purpose, _REACHED)}")
    def endpoint_reachable(network: NetworkFacts) -> Verdict:
        if purpose == REGISTRY and network.missing_archive:
            return findings.ARCHIVE_MISSING(archive=network.missing_archive, place=paths.IMAGE_ARCHIVES)
        found = [item for item in network.endpoints if item.purpose == purpose]
        if not found:
            patterns = [name for name, of in network.patterns.items() if of == purpose]
            return skipped(
                text("cannot be tried: any name of {patterns}", patterns=", ".join(patterns))
                if patterns
                else text("not part of this cloud")
            )
        if no_way := _no_way(network):
            return no_way
        verdicts = [_judge_endpoint(item) for item in found]
        return next((item for item in verdicts if item.outcome is None), None) or _together(found, verdicts)


for _purpose, _title in endpoints().purposes.items():
    _endpoint(_purpose, _title)


def _judge_endpoint(endpoint: EndpointFacts) -> Verdict:
    attempts = _deciding(endpoint)
    bad = [item for item in attempts if not _reached(item)]
    if not attempts:
        return findings.ENDPOINT_UNRESOLVED(
            host=endpoint.host, reason=endpoint.unresolved or text("no address")
        )
    if len(bad) == len(attempts):
        through = text(" through {through}", through=bad[0].through) if bad[0].through else ""
        return findings.ENDPOINT_UNREACHABLE(host=endpoint.host, through=through, error=bad[0].error)
    if bad:
        names = ", ".join(item.target for item in bad[:_SHOWN])
        return findings.ENDPOINT_PARTLY_REACHABLE(
            host=endpoint.host, bad=len(bad), attempts=len(attempts), names=names, error=bad[0].error
        )
    return passed(endpoint.host)


def _together(found: Sequence[EndpointFacts], verdicts: Sequence[Verdict]) -> Verdict:
    doubtful = [item for item in verdicts if item.hint]
    if doubtful:
        return doubtful[0]
    count = sum(len(_deciding(item)) for item in found)
    hosts = ", ".join(item.host for item in found)
    issuers = dict.fromkeys(one.issuer for item in found for one in _deciding(item) if one.issuer)
    by = text(", issued by {issuers}", issuers=", ".join(issuers)) if issuers else ""
    return passed(
        text(
            "{hosts} ({count} {tries}{by})",
            hosts=hosts,
            count=count,
            tries=text("try") if count == 1 else text("tries"),
            by=by,
        )
    )


@CHECKS.add(
    "http-answers",
    "HTTP answers as expected",
    Severity.RECOMMENDED,
    passes="Every answer has the HTTP status that the endpoint table expects, or any below 500 where it "
    "expects none.",
)
def _http_answers(network: NetworkFacts) -> Verdict:
    tried = [
        (item, one) for item in network.endpoints for one in _deciding(item) if not one.error and one.status
    ]
    if not tried:
        return _no_way(network) or findings.HTTP_UNKNOWN()
    odd = [(item, one) for item, one in tried if not _expected(one.status, item.expect)]
    if not odd:
        return passed(text("{tried} responses are those of the service", tried=len(tried)))
    item, one = odd[0]
    return findings.HTTP_UNEXPECTED(host=item.host, status=one.status, expected=_statuses(item.expect))


def _expected(status: int, wanted: Sequence[int]) -> bool:
    return status in wanted if wanted else status < _SERVER_ERROR


def _statuses(wanted: Sequence[int]) -> str:
    return " or ".join(map(str, wanted)) if wanted else text("anything below 500")


@CHECKS.add(
    "client-certificate",
    "Client certificates pass",
    Severity.RECOMMENDED,
    passes=(
        "The Intune service refuses a certificate that is not enrolled (403, where it answers 400"
        " without one): client certificates reach it."
    ),
)
def _client_certificate(network: NetworkFacts) -> Verdict:
    shown = [(item, item.with_certificate) for item in network.endpoints if item.with_certificate]
    if not shown:
        return skipped(text("no endpoint of this cloud asks for one"))
    for item, one in shown:
        if one.error:
            seen = text("{host}, with a client certificate: {error}", host=item.host, error=one.error)
            return _no_way(network) or findings.CLIENT_CERTIFICATE_FAILS(seen=seen)
        if one.status not in item.expect_certificate:
            return findings.CLIENT_CERTIFICATE_LOST(
                host=item.host, status=one.status, expected=_statuses(item.expect_certificate)
            )
    return passed(
        text("{shown} received the client certificate", shown=", ".join(item.host for item, _ in shown))
    )


@CHECKS.add(
    "inspection",
    "No TLS inspection",
    passes=(
        "Every certificate chains to a public root (Mozilla's list). One that chains only to this"
        " host's own roots means that a proxy inspects TLS; the check names the issuer."
    ),
)
def _inspection(network: NetworkFacts) -> Verdict:
    if network.private:
        return skipped(text("a custom cloud may have a private CA"))
    tried = [(item.host, one) for item in network.endpoints for one in item.attempts if one.trust]
    foreign = [(host, one) for host, one in tried if one.trust == "host"]
    unknown = [(host, one) for host, one in tried if one.trust == "none"]
    if not tried:
        return _no_way(network) or findings.INSPECTION_UNKNOWN()
    if foreign or unknown:
        host, one = (foreign or unknown)[0]
        known = text("trusted by this host only") if foreign else text("which no trust store has")
        return findings.TLS_INSPECTED(host=host, issuer=one.issuer or text("a CA"), known=known)
    return passed(text("{tried} certificates chain to public roots", tried=len(tried)))


@CHECKS.add(
    "clock",
    "Clock",
    passes="This host's clock differs from the servers' (`Date`) by at most 30 s (warning) or 300 s "
    "(failure).",
)
def _clock(network: NetworkFacts) -> Verdict:
    skews = [one.skew for item in network.endpoints for one in item.attempts if one.skew is not None]
    if not skews:
        return _no_way(network) or findings.CLOCK_UNKNOWN()
    skew = sorted(skews, key=abs)[len(skews) // 2]
    seen = text(
        "{skew:.0f} s {behind} the servers",
        skew=abs(skew),
        behind=text("ahead of") if skew > 0 else text("behind"),
    )
    hint = text("Synchronise it: `timedatectl set-ntp true`, or `chronyc makestep`.")
    if abs(skew) > _MOST_SKEW:
        return findings.CLOCK_WRONG(seen=seen, hint=hint)
    return (
        findings.CLOCK_DRIFTS(seen=seen, hint=hint)
        if abs(skew) > _SOME_SKEW
        else passed(text("within {some_skew:.0f} s of the servers", some_skew=_SOME_SKEW))
    )


@CHECKS.add(
    "path-mtu",
    "MTU to the cloud",
    Severity.RECOMMENDED,
    passes=(
        "The path to the cloud carries packets of 1280 bytes: read after a request of several "
        "full packets, when the kernel has discovered a smaller path MTU."
    ),
)
def _path_mtu(network: NetworkFacts) -> Verdict:
    known = [one.mtu for item in network.endpoints for one in item.attempts if one.mtu]
    if not known:
        return _no_way(network) or findings.PATH_MTU_UNKNOWN()
    if min(known) >= _LEAST_MTU:
        return passed(text("{known} bytes or more", known=min(known)))
    return findings.PATH_MTU_TOO_SMALL(least=min(known), host=network.endpoints[0].host)


@CHECKS.add(
    "allowed-names",
    "Names to allow",
    Severity.INFO,
    passes="Lists the name patterns that firewall and proxy must allow but that cannot be tested.",
)
def _allowed_names(network: NetworkFacts) -> Verdict:
    if not network.patterns:
        return skipped(text("this cloud has no wildcard names"))
    return passed(text("allow all of {patterns}", patterns=", ".join(network.patterns)))
