"""Group `network`, proxy: every place that names one must say the same, and say it without a password."""

from collections.abc import Iterable

from mstunnel_setup.base.text import joined, text
from mstunnel_setup.readiness import findings
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts import EngineFacts, ProxyFacts, ProxyPlace, Settings
from mstunnel_setup.readiness.model import Checks, Group, Severity, Verdict, passed, skipped

CHECKS = Checks(Group.NETWORK)

ENV_SH = "/etc/mstunnel/env.sh"
PROFILE = "/etc/profile.d/http_proxy.sh"
ENVIRONMENT = "/etc/environment"
MONITOR = "mstunnel_monitor.service.d"
DOCKER = "docker.service.d"


def _urls(proxies: ProxyFacts) -> list[ProxyPlace]:
    return [item for item in proxies.places if item.name != "no_proxy" and item.value]


@CHECKS.add(
    "proxy-credentials",
    "Proxy without a password",
    passes="No proxy address contains a user name or password.",
)
def _credentials(proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped(text("no proxy"))
    found = sorted({item.place for item in proxies.places if item.credentials})
    if not found:
        return passed(text("no user name or password in any place"))
    return findings.PROXY_WITH_PASSWORD(places=_list(found))


@CHECKS.add(
    "proxy-address",
    "Form of the proxy's address",
    passes="Every proxy address begins with `http://`.",
)
def _address(proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped(text("no proxy"))
    bad = [
        f"{item.value} in {item.place}"
        for item in _urls(proxies)
        if not item.value.lower().startswith("http://")
    ]
    if not bad:
        return passed(text("all start with http://"))
    return findings.PROXY_NOT_HTTP(addresses=_list(dict.fromkeys(bad)))


@CHECKS.add(
    "proxy-same",
    "Proxy the same everywhere",
    Severity.RECOMMENDED,
    passes=(
        "All files contain the same proxy: environment, `/etc/environment`, "
        "`/etc/profile.d/http_proxy.sh`, `env.sh`, drop-ins of `docker`, `podman` and "
        "`mstunnel_monitor`."
    ),
)
def _same(proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped(text("no proxy"))
    differing = [
        line for name in ("http_proxy", "https_proxy", "no_proxy") for line in _differing(proxies, name)
    ]
    if not differing:
        return passed(
            text("the same in {proxies}", proxies=_list(sorted({item.place for item in _urls(proxies)})))
        )
    return findings.PROXIES_DIFFER(differences=joined(differing, "; "))


def _differing(proxies: ProxyFacts, name: str) -> Iterable[str]:
    found: dict[str, ProxyPlace] = {}
    for item in proxies.places:
        if item.name == name and item.value:
            found.setdefault(item.value.strip().rstrip("/").lower(), item)
    first, *others = found.values() or [None]
    for other in others:
        if first is not None and other is not None:
            yield text(
                "{name} is {value} in {place} but {value_2} in {place_2}",
                name=name,
                value=first.value,
                place=first.place,
                value_2=other.value,
                place_2=other.place,
            )


@CHECKS.add(
    "proxy-places",
    "Proxy in all places",
    Severity.RECOMMENDED,
    passes=(
        "The files that the engine reads contain it: Docker `/etc/environment` and its drop-in, "
        "Podman `/etc/profile.d/http_proxy.sh`."
    ),
)
def _places(settings: Settings, engine: EngineFacts, proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped(text("no proxy"))
    found = chosen_engine(settings, engine)
    needed = [ENVIRONMENT, DOCKER] if found is not None and found.name == "docker" else [PROFILE]
    named = [item.place for item in _urls(proxies)]
    missing = [place for place in needed if not any(place in known for known in named)]
    if not missing:
        return passed(text("named in {needed}", needed=_list(needed)))
    one = _urls(proxies)[0]
    hint = (
        text("Run `mst-cli install`, which writes it there.")
        if ENV_SH in named
        else text("The installation writes it there. Without one: {one}.", one=_by_hand(missing, one))
    )
    return findings.PROXY_NOT_EVERYWHERE(
        name=one.name, value=one.value, place=one.place, missing=_list(missing), hint=hint
    )


def _by_hand(missing: Iterable[str], one: ProxyPlace) -> str:
    line = f"{one.name}={one.value}"
    ways = {
        PROFILE: f"`echo export {line} >>{PROFILE}`",
        ENVIRONMENT: f"`echo {line} >>{ENVIRONMENT}`",
        DOCKER: text(
            "`systemctl edit docker`, with [Service] and Environment={line}, then restart it", line=line
        ),
    }
    return joined((ways[place] for place in missing), "; ")


@CHECKS.add("proxy-no-proxy", "Addresses without proxy", Severity.INFO, passes="`no_proxy` is set.")
def _no_proxy(proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped(text("no proxy"))
    values = sorted({item.value for item in proxies.places if item.name == "no_proxy" and item.value})
    if values:
        return passed(text("no_proxy is {values}", values=_list(values)))
    return findings.NO_PROXY_MISSING()


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)
