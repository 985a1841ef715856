"""Group `network`: every name the cloud needs, the issuer of its certificate, and the clock."""

from collections.abc import Sequence

from mstunnel_setup.base import paths
from mstunnel_setup.base.text import text
from mstunnel_setup.io.network import REFUSED
from mstunnel_setup.readiness.data import REGISTRY, endpoints
from mstunnel_setup.readiness.facts.cloud import EndpointAttempt, EndpointFacts, NetworkFacts
from mstunnel_setup.readiness.model import Checks, Group, Verdict, passed, problem, skipped, unknown, warning

CHECKS = Checks(Group.NETWORK)

# Hints of several findings.
_ALLOW = "Allow TCP {port} to it in firewall and proxy; test with `curl -v https://{host}`."
_ENDPOINTS = "Fix the failed checks `endpoint-…` first."
_EXEMPT = "Exempt the Intune hosts from TLS inspection: the agent uses mutual TLS."

# Entra refuses tokens and assertions whose times differ by more than five minutes.
_MOST_SKEW = 300.0
_SOME_SKEW = 30.0
# The minimum MTU of an IPv6 link (RFC 8200); DTLS stalls below it.
_LEAST_MTU = 1280
_SHOWN = 3
_SERVER_ERROR = 500


def _deciding(endpoint: EndpointFacts) -> list[EndpointAttempt]:
    """Return the attempts that count; many proxies refuse bare addresses, so by name behind a proxy."""
    by_name = [item for item in endpoint.attempts if item.through and item.target == endpoint.host]
    return by_name or list(endpoint.attempts)


def _proxied(network: NetworkFacts) -> list[EndpointAttempt]:
    return [item for endpoint in network.endpoints for item in endpoint.attempts if item.through]


def _no_way(network: NetworkFacts) -> Verdict | None:
    """Return a verdict for all checks that need a response from outside if one cause prevents them all.

    Such a cause is reported once, not once for every endpoint.
    """
    tried, endpoints = _proxied(network), network.endpoints
    if tried and not any(not item.error or item.error.startswith(REFUSED) for item in tried):
        return skipped("the proxy cannot be reached, see proxy-connects")
    if endpoints and all(item.unresolved and not item.attempts for item in endpoints):
        return skipped("no name resolves, see dns")
    return None


@CHECKS.add("dns", "Names resolve")
def _dns(network: NetworkFacts) -> Verdict:
    """Every name resolves. Behind a proxy that resolves them this is a warning.

    A name that does not resolve cannot be reached: sign-in, images or check-in would fail.
    """
    failed = [item for item in network.endpoints if item.unresolved]
    if not failed:
        return passed("{endpoints} of {endpoints} names", endpoints=len(network.endpoints))
    names = ", ".join(item.host for item in failed[:_SHOWN])
    seen = text(
        "{failed} of {endpoints} names do not resolve ({names}: {unresolved})",
        failed=len(failed),
        endpoints=len(network.endpoints),
        names=names,
        unresolved=text(failed[0].unresolved),
    )
    if all(any(not one.error for one in _deciding(item)) for item in failed):
        return warning(seen, hint="Check that this is intended: the proxy resolves them.")
    return problem(
        "{seen}",
        hint="Check the DNS servers in /etc/resolv.conf (`getent ahosts {host}`); if only a proxy resolves "
        "them, set https_proxy.",
        seen=seen,
        host=failed[0].host,
    )


@CHECKS.add("proxy-connects", "Proxy connects")
def _proxy_connects(network: NetworkFacts) -> Verdict:
    """The proxy connects to at least one endpoint.

    The proxy is the only way to the cloud; nothing works while it refuses every address.

    Check https_proxy, and that the proxy allows the host: `curl -v --proxy http://PROXY:PORT https://HOST`.
    """
    attempts = _proxied(network)
    if not attempts:
        return skipped("no proxy")
    through = attempts[0].through
    if any(not item.error for item in attempts):
        return passed(through)
    return problem(
        "{through}: {error}",
        hint="Check https_proxy, and that the proxy allows this host: `curl -v --proxy http://{through} "
        "https://{target}`.",
        through=through,
        error=text(attempts[0].error),
        target=attempts[0].target,
    )


_WHY = {
    "sign-in": "Neither you nor the gateway can sign in to the tenant without it.",
    "token-service": "Tokens of devices are verified with keys from there.",
    "graph": "Sites, server configurations and this server's registration are kept in Microsoft Graph.",
    "intune": "The agent reports the health of this server to Intune.",
    "registry": "Images are pulled from there, also for every upgrade. An image archive needs none.",
    "registry-data": "The registry refers to these hosts for the content of the images.",
    "storage": "Logs that support asks for are uploaded there.",
}


def _endpoint(purpose: str, title: str) -> None:
    passes = "every address answers with TLS; behind a proxy, the proxy connects to it by name."
    fix = (
        "Allow TCP 443 to the host that the finding names in firewall and proxy; test with "
        "`curl -v https://HOST`."
    )
    if purpose == "storage":
        passes = "its names are assigned later, so there is usually none to test; see `allowed-names`."
        fix = "Allow the names that `allowed-names` lists in firewall and proxy."

    @CHECKS.add(f"endpoint-{purpose}", title, title=title, passes=passes, why=_WHY[purpose], fix=fix)
    def endpoint_reachable(network: NetworkFacts) -> Verdict:
        """{title}: {passes}

        {why}

        {fix}
        """
        if purpose == REGISTRY and network.missing_archive:
            return problem(
                "the images come from an archive, and {archive} is neither beside the program nor in {place}",
                hint="Copy the archive of this release there, or use --offline FILE or `images.registry`.",
                archive=network.missing_archive,
                place=paths.IMAGE_ARCHIVES,
            )
        found = [item for item in network.endpoints if item.purpose == purpose]
        if not found:
            patterns = [name for name, of in network.patterns.items() if of == purpose]
            if patterns:
                return skipped("cannot be tested: any name of {patterns}", patterns=", ".join(patterns))
            return skipped("not part of this cloud")
        if no_way := _no_way(network):
            return no_way
        verdicts = [_judge_endpoint(item) for item in found]
        # A problem comes before a warning.
        bad = [item for item in verdicts if item.outcome is None] or [item for item in verdicts if item.hint]
        if bad:
            return bad[0]
        tried = [one for item in found for one in _deciding(item)]
        issuers = dict.fromkeys(one.issuer for one in tried if one.issuer)
        return passed(
            "{hosts} ({count} {tries}{by})",
            hosts=", ".join(item.host for item in found),
            count=len(tried),
            tries=text("try") if len(tried) == 1 else text("tries"),
            by=text(", issued by {issuers}", issuers=", ".join(issuers)) if issuers else "",
        )


for _purpose, _title in endpoints().purposes.items():
    _endpoint(_purpose, _title)


def _judge_endpoint(endpoint: EndpointFacts) -> Verdict:
    attempts = _deciding(endpoint)
    bad = [item for item in attempts if item.error]
    if not attempts:
        return problem(
            "{host}: {reason}",
            hint="Check DNS (`getent ahosts {host}`), or set a proxy in https_proxy.",
            host=endpoint.host,
            reason=text(endpoint.unresolved) or text("no address"),
        )
    if len(bad) == len(attempts):
        through = text(" through {through}", through=bad[0].through) if bad[0].through else ""
        return problem(
            "{host}{through}: {error}",
            hint=_ALLOW,
            host=endpoint.host,
            through=through,
            error=text(bad[0].error),
            port=endpoint.port,
        )
    if bad:
        names = ", ".join(item.target for item in bad[:_SHOWN])
        return warning(
            "{host}: {bad} of {attempts} addresses fail ({names}: {error})",
            hint=_ALLOW,
            host=endpoint.host,
            bad=len(bad),
            attempts=len(attempts),
            names=names,
            error=text(bad[0].error),
            port=endpoint.port,
        )
    return passed(endpoint.host)


@CHECKS.add("http-answers", "HTTP answers as expected", "recommended")
def _http_answers(network: NetworkFacts) -> Verdict:
    """Every answer has the HTTP status that the endpoint table expects, or any below 500 where it expects
    none.

    An unexpected status usually means that a proxy or a captive portal answers instead of the service.

    Run `curl -v https://HOST` with the host that the finding names: the answer shows which server it comes
    from.
    """
    tried = [
        (item, one) for item in network.endpoints for one in _deciding(item) if not one.error and one.status
    ]
    if not tried:
        return _no_way(network) or unknown("no server answered HTTP", hint=_ENDPOINTS)
    odd = [
        (item, one)
        for item, one in tried
        if (one.status not in item.expect if item.expect else one.status >= _SERVER_ERROR)
    ]
    if not odd:
        return passed("{tried} responses are those of the service", tried=len(tried))
    item, one = odd[0]
    return problem(
        "{host} returned HTTP {status}, expected {expected}",
        hint="Check which server responds: `curl -v https://{host}`.",
        host=item.host,
        status=one.status,
        expected=_statuses(item.expect),
    )


def _statuses(wanted: Sequence[int]) -> str:
    return " or ".join(map(str, wanted)) if wanted else text("anything below 500")


@CHECKS.add("client-certificate", "Client certificates pass", "recommended")
def _client_certificate(network: NetworkFacts) -> Verdict:
    """The Intune service refuses a certificate that is not enrolled (403, where it answers 400 without one):
    client certificates reach it.

    The agent identifies itself with a client certificate; a device that inspects TLS removes it.
    """
    shown = [(item, item.with_certificate) for item in network.endpoints if item.with_certificate]
    if not shown:
        return skipped("no endpoint of this cloud asks for one")
    for item, one in shown:
        if one.error:
            seen = text("{host}, with a client certificate: {error}", host=item.host, error=text(one.error))
            return _no_way(network) or problem("{seen}", hint=_EXEMPT, seen=seen)
        if one.status not in item.expect_certificate:
            return problem(
                "{host}, with a client certificate, returned HTTP {status}, expected {expected}",
                hint=_EXEMPT,
                host=item.host,
                status=one.status,
                expected=_statuses(item.expect_certificate),
            )
    return passed("{shown} received the client certificate", shown=", ".join(item.host for item, _ in shown))


@CHECKS.add("inspection", "No TLS inspection")
def _inspection(network: NetworkFacts) -> Verdict:
    """Every certificate, but for those of the image registry, chains to a public root (Mozilla's list). One
    that chains only to this host's own roots means that a proxy inspects TLS; the check names the issuer.

    A proxy that inspects TLS breaks mutual TLS, so the agent cannot check in.
    """
    if network.private:
        return skipped("a custom cloud may have a private CA")
    # A registry may have a private CA: the engine trusts the roots of this host, and uses no mutual TLS.
    endpoints = [item for item in network.endpoints if not item.purpose.startswith(REGISTRY)]
    tried = [(item.host, one) for item in endpoints for one in item.attempts if one.trust]
    foreign = [(host, one) for host, one in tried if one.trust == "host"]
    untrusted = [(host, one) for host, one in tried if one.trust == "none"]
    if not tried:
        return _no_way(network) or unknown("no certificate was seen", hint=_ENDPOINTS)
    if foreign or untrusted:
        host, one = (foreign or untrusted)[0]
        known = text("trusted by this host only") if foreign else text("which no trust store has")
        return problem(
            "{host} presents a certificate of {issuer}, {known}",
            hint="Exempt the Intune hosts from TLS inspection: the agent uses mutual TLS. To continue "
            "regardless, put its root below /etc/mstunnel/ca-trust and use --ignore-check inspection.",
            host=host,
            issuer=one.issuer or text("a CA"),
            known=known,
        )
    return passed("{tried} certificates chain to public roots", tried=len(tried))


@CHECKS.add("clock", "Clock")
def _clock(network: NetworkFacts) -> Verdict:
    """This host's clock differs from the servers' (`Date`) by at most 30 s (warning) or 300 s (failure).

    Tokens and certificates are valid for a limited time: with a wrong clock the tenant refuses both.

    Synchronise the clock: `timedatectl set-ntp true`, or set up chrony; `timedatectl` shows the state.
    """
    skews = [one.skew for item in network.endpoints for one in item.attempts if one.skew is not None]
    if not skews:
        return _no_way(network) or unknown(
            "no server reported its time", hint="Compare `date --utc` with another clock."
        )
    skew = sorted(skews, key=abs)[len(skews) // 2]
    seen = text(
        "{skew:.0f} s {behind} the servers",
        skew=abs(skew),
        behind=text("ahead of") if skew > 0 else text("behind"),
    )
    if abs(skew) <= _SOME_SKEW:
        return passed("within {some_skew:.0f} s of the servers", some_skew=_SOME_SKEW)
    found = problem if abs(skew) > _MOST_SKEW else warning
    return found(seen, hint=text("Synchronise it: `timedatectl set-ntp true`, or `chronyc makestep`."))


@CHECKS.add("path-mtu", "MTU to the cloud", "recommended")
def _path_mtu(network: NetworkFacts) -> Verdict:
    """The path to the cloud carries packets of 1280 bytes: read after a request of several full packets, when
    the kernel has discovered a smaller path MTU.

    Large packets are dropped on the way: downloads of images stall.

    Run `tracepath HOST` to find the link with an MTU below 1280, and raise it there.
    """
    known = [one.mtu for item in network.endpoints for one in item.attempts if one.mtu]
    if not known:
        return _no_way(network) or unknown("no connection was made", hint=_ENDPOINTS)
    if min(known) >= _LEAST_MTU:
        return passed("{known} bytes or more", known=min(known))
    return problem(
        "{least} bytes",
        hint="Find the link with an MTU below 1280: `tracepath {host}`.",
        least=min(known),
        host=network.endpoints[0].host,
    )


@CHECKS.add("allowed-names", "Names to allow", "info")
def _allowed_names(network: NetworkFacts) -> Verdict:
    """Lists the name patterns that firewall and proxy must allow but that cannot be tested.

    These names are assigned by the cloud later, so only you can check that they are allowed.

    Allow each of them, TCP 443, in firewall and proxy.
    """
    if not network.patterns:
        return skipped("this cloud has no wildcard names")
    return passed("allow all of {patterns}", patterns=", ".join(network.patterns))
