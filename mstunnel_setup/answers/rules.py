"""Rules between the keys of a section. They look at what is written, so they hold for any mixture of sources.

The model has judged each value for itself; `judge` in load.py applies both.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from mstunnel_setup.answers.values import Key
from mstunnel_setup.answers.variables import refuse_wrong
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import text

Section: TypeAlias = Mapping[str, object]
Advice: TypeAlias = tuple[str, str]
"""The key concerned, and what to do about it."""
Located: TypeAlias = tuple[tuple[str, ...], str]
"""The keys that lead to it, and what to do about it."""

_SIGN_IN_KEYS = {
    "device-code": (),
    "client-secret": ("client_secret",),
    "client-certificate": ("certificate", "key", "pfx", "passphrase"),
    "token-file": ("token_file",),
}
# What a method cannot do without; a certificate may also be in a PFX.
_NEEDED_KEYS = {
    "client-secret": ("client_id", "client_secret"),
    "client-certificate": ("client_id",),
    "token-file": ("token_file",),
}

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Claims that have a setting of their own, or that the gateway judges for itself.
_CLAIMS_ELSEWHERE = {
    "iss": text("use `tenant.issuer` instead"),
    "tid": text("it is always that of the tenant: remove it"),
    "scp": text("use `token.scope` instead"),
    "oid": text("it is the user: remove it"),
    **dict.fromkeys(("exp", "iat", "nbf"), text("use `token.maximum_lifetime` instead")),
}
# Claims that Entra writes as text although they look like numbers (access token claims reference).
_CLAIMS_OF_TEXT = ("appidacr", "azpacr", "ver", "xms_idrel", "xms_sub_fct")
# What the gateway accepts of a claim anyway: with any other value no device could connect.
_CLAIMS_OF_MEMBERS: Mapping[str, str | int] = {"acct": 0, "idtyp": "user"}
# Their keys sign for every tenant, or for personal accounts.
_NO_TENANT = {
    **dict.fromkeys(("common", "organizations"), text("an endpoint that all tenants share")),
    **dict.fromkeys(
        ("consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"),
        text("the tenant of personal accounts, which are never accepted"),
    ),
}


def _tenant(section: Section) -> Iterator[Advice]:
    """`authority` and `graph` belong to the cloud `custom`, which needs both; an issuer is of this tenant."""
    custom = section.get("cloud", "public") == "custom"
    for key in ("authority", "graph"):
        if custom and key not in section:
            yield "cloud", text("`cloud: custom` needs `{key}`: add its https address", key=Key(key))
        elif not custom and key in section:
            advice = text(
                "`{key}` is for `cloud: custom` only: set that cloud or remove `{key}`", key=Key(key)
            )
            yield key, advice
    if "ca_file" in section and "ca_pem" in section:
        keys = {"one": Key("ca_file"), "other": Key("ca_pem")}
        yield "ca_pem", text("use either `{one}` or `{other}`: remove one of them", **keys)
    issuer, tenant_id = str(section.get("issuer", "")).lower(), str(section.get("id", "")).lower()
    named = _GUID.search(issuer)
    if named and _GUID.fullmatch(tenant_id) and named[0] != tenant_id:
        advice = text(
            "`{issuer}` names the tenant {tenant}, and `{key}` another one: correct one of them",
            issuer=Key("issuer"),
            tenant=named[0],
            key=Key("id"),
        )
        yield "issuer", advice
    for part in issuer.split("/"):
        if part in _NO_TENANT:
            advice = text(
                "`{key}` names `{part}`, {reason}: name your tenant by its id",
                key=Key("issuer"),
                part=part,
                reason=_NO_TENANT[part],
            )
            yield "issuer", advice
    if _GUID.fullmatch(tenant_id) and tenant_id in _NO_TENANT:
        yield "id", text("`{key}` is {reason}: name your tenant", key=Key("id"), reason=_NO_TENANT[tenant_id])


def _token(section: Section) -> Iterator[Advice]:
    """No further claim stands against what another setting says, or has a value that no token has."""
    claims = section.get("required_claims", {})
    elsewhere = dict(_CLAIMS_ELSEWHERE)
    if "clients" in section:
        elsewhere |= dict.fromkeys(("appid", "azp"), text("use only `token.clients` instead"))
    for name, value in claims.items() if isinstance(claims, Mapping) else ():
        advice = ""
        if name in elsewhere:
            advice = text("`token.required_claims` has `{name}`: {advice}", name=name, advice=elsewhere[name])
        elif name in _CLAIMS_OF_TEXT and not isinstance(value, str):
            advice = text("`token.required_claims.{name}` is text in tokens: write it in quotes", name=name)
        elif name in _CLAIMS_OF_MEMBERS:
            # Equality as the gateway compares: neither `"0"` nor `false` is 0.
            wanted = _CLAIMS_OF_MEMBERS[name]
            if type(value) is not type(wanted) or value != wanted:
                advice = text(
                    "`token.required_claims.{name}` can only be the {kind} `{wanted}`, as in tokens of "
                    "members: correct or remove it",
                    name=name,
                    kind=text("text") if isinstance(wanted, str) else text("number"),
                    wanted=wanted,
                )
        if advice:
            yield "required_claims", advice


def _sign_in(section: Section) -> Iterator[Advice]:
    """Every method has its own keys, and an application needs its id."""
    method = str(section.get("method", "device-code"))
    for key, other in foreign_keys(method).items():
        if key in section:
            advice = text(
                "`{key}` is for `method: {other}`: set that method or remove `{key}`",
                key=Key(key),
                other=other,
            )
            yield key, advice
    for key in _NEEDED_KEYS.get(method, ()):
        if key not in section:
            advice = text("`method: {method}` needs `{key}`: add it", method=method, key=Key(key))
            if key == "client_id":
                advice = text(
                    "`method: {method}` needs `{key}`: add the id of the application",
                    method=method,
                    key=Key(key),
                )
            yield "method", advice
    if method == "client-certificate":
        yield from _pair_or_pfx(section, "certificate", "method")


def needed_to_sign_in(method: str, *, cloud: str, has_pfx: bool) -> tuple[str, ...]:
    """The settings that signing in to `cloud` by `method` needs without prompts."""
    keys = _NEEDED_KEYS.get(method, ("client_id",) if cloud == "custom" else ())
    pair = ("certificate", "key") if method == "client-certificate" and not has_pfx else ()
    return tuple(f"sign_in.{key}" for key in (*keys, *pair))


def foreign_keys(method: str) -> Mapping[str, str]:
    """The keys of `sign_in` that belong to other methods than `method`, each with its method."""
    return {key: other for other, keys in _SIGN_IN_KEYS.items() if other != method for key in keys}


def _identity(section: Section) -> Iterator[Advice]:
    """An application created in advance signs in with a certificate or a secret."""
    own = [key for key in section if key != "credential"]
    if not own:
        return
    if "credential" in section:
        advice = text(
            "`{key}` is for an application that the installation creates: remove it", key=Key("credential")
        )
        yield "credential", advice
    if "client_id" not in section:
        yield own[0], text("`identity` needs `{key}`: add the id of the application", key=Key("client_id"))
    if "client_secret" not in section:
        yield from _pair_or_pfx(section, "certificate", "client_id")
        return
    for key in ("certificate", "key", "pfx", "passphrase"):
        if key in section:
            secret = Key("client_secret")
            yield key, text("use either a certificate or `{key}`: remove one of them", key=secret)


def _certificate(section: Section) -> Iterator[Advice]:
    """Chain and key, in one file or two, or a PFX; at its usual place that needs only a passphrase."""
    chain = section.get("chain")
    if "pfx" in section:
        yield from _pair_or_pfx(section, "chain", "")
    elif chain or section.get("key"):
        yield from _pair_or_pfx({"key": chain, **section}, "chain", "")


def _environment(section: Section) -> Iterator[Advice]:
    """What the gateway reads in `env.sh` has values that it can use."""
    for name, value in section.items():
        try:
            refuse_wrong(name, str(value).lower() if isinstance(value, bool) else str(value))
        except UsageError as error:
            yield name, text("{message}. {hint}", message=error.message, hint=error.hint)


def _pair_or_pfx(section: Section, leaf: str, otherwise: str) -> Iterator[Advice]:
    keys = {"leaf": Key(leaf), "key": Key("key"), "pfx": Key("pfx"), "passphrase": Key("passphrase")}
    pair = [key for key in (leaf, "key") if section.get(key)]
    if "pfx" in section:
        for key in pair:
            yield key, text("use either `{leaf}` and `{key}`, or `{pfx}`: remove one of them", **keys)
        return
    if "passphrase" in section:
        advice = text("`{passphrase}` is for `{pfx}` only: add `{pfx}` or remove `{passphrase}`", **keys)
        yield "passphrase", advice
    if len(pair) == 1:
        missing = Key("key" if pair == [leaf] else leaf)
        yield pair[0], text("`{key}` requires `{missing}`: add it", key=Key(pair[0]), missing=missing)
    elif not pair and otherwise:
        yield otherwise, text("add `{leaf}` and `{key}`, or `{pfx}`", **keys)


_RULES: Mapping[str, Callable[[Section], Iterator[Advice]]] = {
    "tenant": _tenant,
    "sign_in": _sign_in,
    "identity": _identity,
    "certificate": _certificate,
    "environment": _environment,
    "token": _token,
}


def findings_of_rules(answers: Section) -> Iterator[Located]:
    """What the rules find in answers by name, sections among them."""
    for name, rule in _RULES.items():
        for key, advice in rule(_section(answers, name)):
            yield (name, key), advice
    # A second way to authenticate is another one; what is about certificates needs devices that have some.
    ways = [answers.get("authentication", "oidc"), answers.get("authentication_also", "none")]
    if ways == ["certificate", "certificate"]:
        yield ("authentication_also",), text("`authentication` is `certificate` already: remove it")
    if "certificate" not in ways:
        setting = "`authentication: certificate` or `authentication_also: certificate`"
        for key in map(str, _section(answers, "devices")):
            advice = text("`{key}` is for {setting}: set that, or remove it", key=Key(key), setting=setting)
            yield ("devices", key), advice
    # An issuer of Microsoft's says which version its tokens have.
    issuer = str(_section(answers, "tenant").get("issuer", ""))
    version = str(_section(answers, "token").get("version", ""))
    own = "2" if issuer.endswith("/v2.0") else "1" if issuer.startswith("https://sts.") else version
    if issuer and version and own != version:
        advice = text(
            "`tenant.issuer` is of version {own}, and `{key}` is {version}: correct one of them",
            own=own,
            key=Key("token.version"),
            version=version,
        )
        yield ("token", "version"), advice


def _section(answers: Section, name: str) -> Section:
    found = answers.get(name)
    return found if isinstance(found, Mapping) else {}
