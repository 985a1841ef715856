"""Group `network`, proxy: all places must name the same proxy, without a password."""

from mstunnel_setup.base.text import joined, text
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts.host import ProxyFacts
from mstunnel_setup.readiness.facts.parse import ProxyPlace
from mstunnel_setup.readiness.facts.programs import EngineFacts
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.model import Checks, Group, Verdict, passed, problem, skipped

CHECKS = Checks(Group.NETWORK)

ENV_SH = "/etc/mstunnel/env.sh"
PROFILE = "/etc/profile.d/http_proxy.sh"
ENVIRONMENT = "/etc/environment"
DOCKER = "docker.service.d"


@CHECKS.add("proxy-credentials", "Proxy without a password")
def _credentials(proxies: ProxyFacts) -> Verdict:
    """No proxy address contains a user name or password.

    The gateway does not sign in to a proxy, and the password would be readable in several files.
    """
    if not proxies.urls:
        return skipped("no proxy")
    found = sorted({item.place for item in proxies.places if item.credentials})
    if not found:
        return passed("no user name or password in any place")
    return problem(
        "user name or password in {places}",
        hint="Write only http://host:port there; the proxy must allow this host without a password.",
        places=", ".join(found),
    )


@CHECKS.add("proxy-address", "Format of the proxy's address")
def _address(proxies: ProxyFacts) -> Verdict:
    """Every proxy address begins with `http://`.

    The connection to the proxy itself is plain HTTP; not every program supports other forms.
    """
    if not proxies.urls:
        return skipped("no proxy")
    wrong = (item for item in proxies.urls if not item.value.lower().startswith("http://"))
    bad = [f"{item.value} in {item.place}" for item in wrong]
    if not bad:
        return passed("all start with http://")
    return problem(
        "{addresses}",
        hint="Write http://host:port, also for https_proxy.",
        addresses=", ".join(dict.fromkeys(bad)),
    )


@CHECKS.add("proxy-same", "Proxy the same everywhere", "recommended")
def _same(proxies: ProxyFacts) -> Verdict:
    """All files contain the same proxy: environment, `/etc/environment`, `/etc/profile.d/http_proxy.sh`,
    `env.sh`, drop-ins of `docker`, `podman` and `mstunnel_monitor`.

    Programs that read different files would use different proxies; some would fail.
    """
    if not proxies.urls:
        return skipped("no proxy")
    differing = []
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        named: dict[str, ProxyPlace] = {}
        for item in proxies.places:
            if item.name == name and item.value:
                named.setdefault(item.value.strip().rstrip("/").lower(), item)
        places = list(named.values())
        differing += [
            text(
                "{name} is {value} in {place} but {other_value} in {other_place}",
                name=name,
                value=places[0].value,
                place=places[0].place,
                other_value=other.value,
                other_place=other.place,
            )
            for other in places[1:]
        ]
    if not differing:
        return passed(
            "the same in {proxies}", proxies=", ".join(sorted({item.place for item in proxies.urls}))
        )
    return problem(
        "{differences}",
        hint="Make them the same. On an installed gateway the one in env.sh is used: `mst-cli install` "
        "writes it to all places.",
        differences=joined(differing, "; "),
    )


@CHECKS.add("proxy-places", "Proxy in all places", "recommended")
def _places(settings: Settings, engine: EngineFacts, proxies: ProxyFacts) -> Verdict:
    """The files that the engine reads contain it: Docker `/etc/environment` and its drop-in, Podman
    `/etc/profile.d/http_proxy.sh`.

    The engine reads its own file. Without the proxy there it cannot pull images.

    Write the same proxy into each file that is named, or set `environment.https_proxy` in the answers.
    """
    if not proxies.urls:
        return skipped("no proxy")
    found = chosen_engine(settings, engine)
    needed = [ENVIRONMENT, DOCKER] if found is not None and found.name == "docker" else [PROFILE]
    named = [item.place for item in proxies.urls]
    missing = [place for place in needed if not any(place in known for known in named)]
    if not missing:
        return passed("named in {needed}", needed=", ".join(needed))
    one = proxies.urls[0]
    line = f"{one.name}={one.value}"
    ways = {
        PROFILE: f"`echo export {line} >>{PROFILE}`",
        ENVIRONMENT: f"`echo {line} >>{ENVIRONMENT}`",
        DOCKER: text(
            "`systemctl edit docker`, with [Service] and Environment={line}, then restart it", line=line
        ),
    }
    by_hand = joined((ways[place] for place in missing), "; ")
    remedy = (
        text("Run `mst-cli install`, which writes it there.")
        if ENV_SH in named
        else text("The installation writes it there. Without one: {one}.", one=by_hand)
    )
    return problem(
        "{name} is {value} in {place}, but not named in {missing}",
        hint="{remedy}",
        name=one.name,
        value=one.value,
        place=one.place,
        missing=", ".join(missing),
        remedy=remedy,
    )


@CHECKS.add("proxy-no-proxy", "Addresses without proxy", "info")
def _no_proxy(proxies: ProxyFacts) -> Verdict:
    """`no_proxy` is set.

    Without it, traffic to your internal hosts goes to the proxy as well.
    """
    if not proxies.urls:
        return skipped("no proxy")
    values = sorted({item.value for item in proxies.places if item.name == "no_proxy" and item.value})
    if values:
        return passed("no_proxy is {values}", values=", ".join(values))
    return problem(
        "no_proxy is not set",
        hint="List what must bypass the proxy, such as no_proxy=localhost,127.0.0.1,.contoso.com.",
    )
