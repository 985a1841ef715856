"""Rules between settings: requirements of a choice, and values that must fit together.

They examine the given keys, so they hold for any mixture of sources. The model has validated each value by
itself; `judge` in load.py applies both. Settings that exclude one another are in choices.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from mstunnel_setup.answers.choices import exclusions
from mstunnel_setup.answers.settings import flat
from mstunnel_setup.answers.values import Key
from mstunnel_setup.answers.variables import refuse_wrong
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import text

Section: TypeAlias = Mapping[str, object]
Advice: TypeAlias = tuple[str, str]
"""The key concerned, and the advice."""
Located: TypeAlias = tuple[tuple[str, ...], str]
"""The keys that lead to the value, and the advice."""

# Required keys of each method; a certificate may also be in a PFX.
_NEEDED_KEYS = {
    "client-secret": ("client_id", "client_secret"),
    "client-certificate": ("client_id",),
    "token-file": ("token_file",),
}

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# These claims have separate settings, or the gateway judges them itself.
_CLAIMS_ELSEWHERE = {
    "iss": text("use `tenant.issuer` instead"),
    "tid": text("it is always that of the tenant: remove it"),
    "scp": text("use `token.scope` instead"),
    "oid": text("it is the user: remove it"),
    **dict.fromkeys(("exp", "iat", "nbf"), text("use `token.maximum_lifetime` instead")),
}
# Entra writes these claims as text although they look like numbers (access token claims reference).
_CLAIMS_OF_TEXT = ("appidacr", "azpacr", "ver", "xms_idrel", "xms_sub_fct")
# The gateway requires these values anyway: with any other value no device could connect.
_CLAIMS_OF_MEMBERS: Mapping[str, str | int] = {"acct": 0, "idtyp": "user"}
# The keys of these issuers sign for every tenant, or for personal accounts.
_NO_TENANT = {
    **dict.fromkeys(("common", "organizations"), text("an endpoint that all tenants share")),
    **dict.fromkeys(
        ("consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"),
        text("the tenant of personal accounts, which are never accepted"),
    ),
}


def _tenant(section: Section) -> Iterator[Advice]:
    """Yield advice for missing keys of the cloud `custom`, and for an issuer of another tenant."""
    if section.get("cloud") == "custom":
        for key in ("authority", "graph"):
            if key not in section:
                advice = text("`cloud: custom` needs `{key}`: add its https address", key=Key(key))
                yield "cloud", advice
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
    """Yield additional claims that contradict another setting, or have a value that no token has."""
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
            # As in the gateway's comparison, neither `"0"` nor `false` equals 0.
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
    """Yield advice for missing keys of the sign-in method."""
    method = str(section.get("method", "device-code"))
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
        yield from _incomplete(section, "certificate", "method")


def needed_to_sign_in(method: str, *, cloud: str, has_pfx: bool) -> tuple[str, ...]:
    """Return the settings that signing in to `cloud` by `method` needs without prompts."""
    keys = _NEEDED_KEYS.get(method, ("client_id",) if cloud == "custom" else ())
    pair = ("certificate", "key") if method == "client-certificate" and not has_pfx else ()
    return tuple(f"sign_in.{key}" for key in (*keys, *pair))


def _identity(section: Section) -> Iterator[Advice]:
    """Yield advice for an application created in advance without its id, or without certificate or secret."""
    own = [key for key in section if key != "credential"]
    if own and "client_id" not in section:
        yield own[0], text("`identity` needs `{key}`: add the id of the application", key=Key("client_id"))
    if own and "client_secret" not in section:
        yield from _incomplete(section, "certificate", "client_id")


def _certificate(section: Section) -> Iterator[Advice]:
    """Yield advice for a key without its chain.

    A chain needs no key, because both may be in one file. A PFX at its default path needs no setting.
    """
    chain = section.get("chain")
    if chain or section.get("key"):
        yield from _incomplete({"key": chain, **section}, "chain", "")


def _environment(section: Section) -> Iterator[Advice]:
    """Yield unusable values of the variables that the gateway reads in `env.sh`."""
    for name, value in section.items():
        try:
            refuse_wrong(name, str(value).lower() if isinstance(value, bool) else str(value))
        except UsageError as error:
            yield name, text("{message}. {hint}", message=error.message, hint=error.hint)


def _incomplete(section: Section, leaf: str, otherwise: str) -> Iterator[Advice]:
    """Yield the missing parts of a certificate; without one, put the advice at the key `otherwise`."""
    keys = {"leaf": Key(leaf), "key": Key("key"), "pfx": Key("pfx"), "passphrase": Key("passphrase")}
    pair = [key for key in (leaf, "key") if section.get(key)]
    missing = [key for key in (leaf, "key") if key not in pair]
    if "pfx" in section or not missing:
        return
    if pair:
        advice = text("`{key}` requires `{missing}`: add it", key=Key(pair[0]), missing=Key(missing[0]))
        yield pair[0], advice
    elif "passphrase" in section:
        advice = text("`{passphrase}` is for `{pfx}` only: add `{pfx}` or remove `{passphrase}`", **keys)
        yield "passphrase", advice
    else:
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
    """Yield the rules' findings in answers by name, nested by section."""
    for name, rule in _RULES.items():
        for key, advice in rule(_section(answers, name)):
            yield (name, key), advice
    for path, advice in exclusions(flat(answers)):
        yield tuple(path.split(".")), advice
    # Microsoft's issuers end with the version of their tokens.
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
