"""Group `network`, proxy: every place that names one must say the same, and say it without a password."""

from collections.abc import Iterable

from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts import EngineFacts, ProxyFacts, ProxyPlace, Settings
from mstunnel_setup.readiness.model import Check, Group, Severity, Verdict, check, passed, problem, skipped

ENV_SH = "/etc/mstunnel/env.sh"
PROFILE = "/etc/profile.d/http_proxy.sh"
ENVIRONMENT = "/etc/environment"
MONITOR = "mstunnel_monitor.service.d"
DOCKER = "docker.service.d"


def _normal(value: str) -> str:
    return value.strip().rstrip("/").lower()


def _urls(proxies: ProxyFacts) -> list[ProxyPlace]:
    return [item for item in proxies.places if item.name != "no_proxy" and item.value]


@check("proxy-credentials", Group.NETWORK, "Proxy without a password")
def _credentials(proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped("no proxy")
    found = sorted({item.place for item in proxies.places if item.credentials})
    if not found:
        return passed("no user name or password in any place")
    return problem(
        f"user name or password in {_list(found)}",
        "Write only http://host:port there; the proxy must allow this host without a password.",
    )


@check("proxy-address", Group.NETWORK, "Form of the proxy's address")
def _address(proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped("no proxy")
    bad = [
        f"{item.value} in {item.place}"
        for item in _urls(proxies)
        if not item.value.lower().startswith("http://")
    ]
    if not bad:
        return passed("all start with http://")
    return problem(_list(dict.fromkeys(bad)), "Write http://host:port, also for https_proxy.")


@check("proxy-same", Group.NETWORK, "Proxy the same everywhere", Severity.RECOMMENDED)
def _same(proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped("no proxy")
    differing = [
        line for name in ("http_proxy", "https_proxy", "no_proxy") for line in _differing(proxies, name)
    ]
    if not differing:
        return passed(f"the same in {_list(sorted({item.place for item in _urls(proxies)}))}")
    return problem(
        "; ".join(differing),
        "Make them the same. With a gateway here the one in env.sh counts: `mst-cli install` writes it "
        "to all places.",
    )


def _differing(proxies: ProxyFacts, name: str) -> Iterable[str]:
    found: dict[str, ProxyPlace] = {}
    for item in proxies.places:
        if item.name == name and item.value:
            found.setdefault(_normal(item.value), item)
    first, *others = found.values() or [None]
    for other in others:
        if first is not None and other is not None:
            yield f"{name} is {first.value} in {first.place} but {other.value} in {other.place}"


@check("proxy-places", Group.NETWORK, "Proxy in all places", Severity.RECOMMENDED)
def _places(settings: Settings, engine: EngineFacts, proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped("no proxy")
    found = chosen_engine(settings, engine)
    needed = [ENVIRONMENT, DOCKER] if found is not None and found.name == "docker" else [PROFILE]
    named = [item.place for item in _urls(proxies)]
    missing = [place for place in needed if not any(place in known for known in named)]
    if not missing:
        return passed(f"named in {_list(needed)}")
    one = _urls(proxies)[0]
    hint = (
        "Run `mst-cli install`, which writes it there."
        if ENV_SH in named
        else f"The installation writes it there. Without one: {_by_hand(missing, one)}."
    )
    return problem(f"{one.name} is {one.value} in {one.place}, but not named in {_list(missing)}", hint)


def _by_hand(missing: Iterable[str], one: ProxyPlace) -> str:
    line = f"{one.name}={one.value}"
    ways = {
        PROFILE: f"`echo export {line} >>{PROFILE}`",
        ENVIRONMENT: f"`echo {line} >>{ENVIRONMENT}`",
        DOCKER: f"`systemctl edit docker`, with [Service] and Environment={line}, then restart it",
    }
    return "; ".join(ways[place] for place in missing)


@check("proxy-no-proxy", Group.NETWORK, "Addresses without proxy", Severity.INFO)
def _no_proxy(proxies: ProxyFacts) -> Verdict:
    if not _urls(proxies):
        return skipped("no proxy")
    values = sorted({item.value for item in proxies.places if item.name == "no_proxy" and item.value})
    if values:
        return passed(f"no_proxy is {_list(values)}")
    return problem(
        "no_proxy is not set",
        "Name what is reached without it, such as no_proxy=localhost,127.0.0.1,.contoso.com.",
    )


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)


CHECKS: tuple[Check, ...] = (_credentials, _address, _same, _places, _no_proxy)
