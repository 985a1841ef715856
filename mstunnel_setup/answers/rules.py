"""Rules between the keys of a section. They look at keys, so they hold for any mixture of sources."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from mstunnel_setup.answers.variables import refuse_wrong
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import text

Section: TypeAlias = Mapping[str, object]
Finding: TypeAlias = tuple[str, str]
"""The key concerned, and what to do about it."""
Rule: TypeAlias = Callable[[Section], Iterator[Finding]]

_SIGN_IN_KEYS = {
    "device-code": (),
    "client-secret": ("client_secret",),
    "client-certificate": ("certificate", "key", "pfx", "passphrase"),
    "token-file": ("token_file",),
}

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Claims that have a setting of their own, or that the gateway judges for itself.
_CLAIMS_ELSEWHERE = {
    "iss": text("set `tenant.issuer` and remove it"),
    "tid": text("it is always that of the tenant: remove it"),
    "scp": text("set `token.scope` and remove it"),
    "oid": text("it is the user: remove it"),
    **dict.fromkeys(("exp", "iat", "nbf"), text("set `token.maximum_lifetime` and remove it")),
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


def tenant(section: Section) -> Iterator[Finding]:
    """`authority` and `graph` belong to the cloud `custom`, which needs both; an issuer is of this tenant."""
    custom = section.get("cloud", "public") == "custom"
    for key in ("authority", "graph"):
        if custom and key not in section:
            yield "cloud", f"`cloud: custom` needs `{key}`: add its https address"
        elif not custom and key in section:
            yield key, f"`{key}` is for `cloud: custom` only: set that cloud or remove `{key}`"
    if "ca_file" in section and "ca_pem" in section:
        yield "ca_pem", "use either `ca_file` or `ca_pem`: remove one of them"
    issuer, tenant_id = str(section.get("issuer", "")).lower(), str(section.get("id", "")).lower()
    yield from _issuer_of_another(issuer, tenant_id)
    for part in issuer.split("/"):
        if part in _NO_TENANT:
            yield "issuer", f"`issuer` names `{part}`, {_NO_TENANT[part]}: name your tenant by its id"
    if _GUID.fullmatch(tenant_id) and tenant_id in _NO_TENANT:
        yield "id", f"`id` is {_NO_TENANT[tenant_id]}: name your tenant"


def _issuer_of_another(issuer: str, tenant_id: str) -> Iterator[Finding]:
    named = _GUID.search(issuer)
    if named and _GUID.fullmatch(tenant_id) and named[0] != tenant_id:
        yield "issuer", f"`issuer` names the tenant {named[0]}, and `id` another one: correct one of them"


def token(section: Section) -> Iterator[Finding]:
    """No further claim stands against what another setting says, or has a value that no token has."""
    claims = section.get("required_claims", {})
    elsewhere = _CLAIMS_ELSEWHERE
    if "clients" in section:
        elsewhere = {
            **elsewhere,
            **dict.fromkeys(("appid", "azp"), "set `token.clients` alone and remove it"),
        }
    for name, value in claims.items() if isinstance(claims, Mapping) else ():
        if name in elsewhere:
            yield "required_claims", f"`token.required_claims` has `{name}`: {elsewhere[name]}"
        elif name in _CLAIMS_OF_TEXT and not isinstance(value, str):
            yield "required_claims", f"`token.required_claims.{name}` is text in tokens: write it in quotes"
        elif name in _CLAIMS_OF_MEMBERS and not _same(value, wanted := _CLAIMS_OF_MEMBERS[name]):
            kind = "text" if isinstance(wanted, str) else "number"
            content = text(
                "can only be the {kind} `{wanted}`, as in tokens of members: correct or remove it",
                kind=kind,
                wanted=wanted,
            )
            yield "required_claims", f"`token.required_claims.{name}` {content}"


def _same(found: object, wanted: object) -> bool:
    """Equality as the gateway compares: neither `"0"` nor `false` is 0."""
    return type(found) is type(wanted) and found == wanted


def sign_in(section: Section) -> Iterator[Finding]:
    """Every method has its own keys, and an application needs its id."""
    method = str(section.get("method", "device-code"))
    for key, other in foreign_keys(method).items():
        if key in section:
            yield key, f"`{key}` is for `method: {other}`: set that method or remove `{key}`"
    if method in ("client-secret", "client-certificate") and "client_id" not in section:
        yield "method", f"`method: {method}` needs `client_id`: add the id of the application"
    yield from _method_needs(method, section)


def _method_needs(method: str, section: Section) -> Iterator[Finding]:
    if method == "client-certificate":
        yield from _pair_or_pfx(section, "certificate", "method")
    for key in ("client_secret", "token_file"):
        if key in _SIGN_IN_KEYS.get(method, ()) and key not in section:
            yield "method", f"`method: {method}` needs `{key}`: add it"


def needed_to_sign_in(method: str, *, cloud: str, has_pfx: bool) -> tuple[str, ...]:
    """The settings that signing in to `cloud` by `method` needs without prompts."""
    certificate = () if has_pfx else ("sign_in.certificate", "sign_in.key")
    needed = {
        "device-code": ("sign_in.client_id",) if cloud == "custom" else (),
        "client-secret": ("sign_in.client_id", "sign_in.client_secret"),
        "client-certificate": ("sign_in.client_id", *certificate),
        "token-file": ("sign_in.token_file",),
    }
    return needed[method]


def foreign_keys(method: str) -> Mapping[str, str]:
    """The keys of `sign_in` that belong to other methods than `method`, each with its method."""
    return {key: other for other, keys in _SIGN_IN_KEYS.items() if other != method for key in keys}


def identity(section: Section) -> Iterator[Finding]:
    """An application created in advance signs in with a certificate or a secret."""
    beforehand = {key: value for key, value in section.items() if key != "credential"}
    if not beforehand:
        return
    if "credential" in section:
        yield "credential", "`credential` is for an application that the installation creates: remove it"
    if "client_id" not in section:
        yield next(iter(beforehand)), "`identity` needs `client_id`: add the id of the application"
    if "client_secret" not in section:
        yield from _pair_or_pfx(section, "certificate", "client_id")
        return
    for key in ("certificate", "key", "pfx", "passphrase"):
        if key in section:
            yield key, "use either a certificate or `client_secret`: remove one of them"


def certificate(section: Section) -> Iterator[Finding]:
    """Chain and key, in one file or two, or a PFX; at its usual place that needs only a passphrase."""
    chain = section.get("chain")
    if "pfx" not in section and (chain or section.get("key")):
        yield from _pair_or_pfx({"key": chain, **section}, "chain", "")
    elif "pfx" in section:
        yield from _pair_or_pfx(section, "chain", "")


def environment(section: Section) -> Iterator[Finding]:
    """What the gateway reads in `env.sh` has values that it can use."""
    for name, value in section.items():
        try:
            refuse_wrong(name, str(value))
        except UsageError as error:
            yield name, f"{error.message}: {error.hint[:1].lower()}{error.hint[1:].rstrip('.')}"


def _pair_or_pfx(section: Section, leaf: str, otherwise: str) -> Iterator[Finding]:
    pair = [key for key in (leaf, "key") if section.get(key)]
    if "pfx" in section:
        for key in pair:
            yield key, f"use either `{leaf}` and `key`, or `pfx`: remove one of them"
        return
    if "passphrase" in section:
        yield "passphrase", "`passphrase` is for `pfx` only: add `pfx` or remove `passphrase`"
    if len(pair) == 1:
        missing = "key" if pair == [leaf] else leaf
        yield pair[0], f"`{pair[0]}` requires `{missing}`: add it"
    elif not pair and otherwise:
        yield otherwise, f"add `{leaf}` and `key`, or `pfx`"


RULES: Mapping[str, Rule] = {
    "tenant": tenant,
    "sign_in": sign_in,
    "identity": identity,
    "certificate": certificate,
    "environment": environment,
    "token": token,
}
"""The rules inside a section of the answer file, by its name."""


def findings_of_rules(answers: Section) -> Iterator[tuple[tuple[str, ...], str]]:
    """What the rules find in answers by name, sections among them: the keys to it, and what to do."""
    for name, rule in RULES.items():
        section = answers.get(name, {})
        for key, advice in rule(section) if isinstance(section, Mapping) else ():
            yield (name, key), advice
    yield from _ways_to_authenticate(answers)
    yield from _issuer_of_version(answers.get("tenant", {}), answers.get("token", {}))


def _issuer_of_version(
    tenant_section: object, token_section: object
) -> Iterator[tuple[tuple[str, ...], str]]:
    """An issuer of Microsoft's says which version its tokens have."""
    if not (isinstance(tenant_section, Mapping) and isinstance(token_section, Mapping)):
        return
    issuer, version = str(tenant_section.get("issuer", "")), str(token_section.get("version", ""))
    own = "2" if issuer.endswith("/v2.0") else "1" if issuer.startswith("https://sts.") else version
    if issuer and version and own != version:
        content = text(
            "`tenant.issuer` is of version {own}, and `token.version` is {version}: correct one of them",
            own=own,
            version=version,
        )
        yield ("token", "version"), content


def _ways_to_authenticate(answers: Section) -> Iterator[tuple[tuple[str, ...], str]]:
    """A second way is another one, and what is about certificates needs devices that have some."""
    ways = [answers.get("authentication", "oidc"), answers.get("authentication_also", "none")]
    if ways == ["certificate", "certificate"]:
        yield ("authentication_also",), "`authentication` is `certificate` already: remove it"
    yield from _only_with(answers, "devices", "certificate", ways)
    yield from _only_with(answers, "radius", "radius", ways[:1])
    if ways[0] == "radius":
        yield from _radius_needs(answers.get("radius", {}))


def _only_with(
    answers: Section, name: str, way: str, ways: Sequence[object]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keys of a section that belongs to one way to authenticate, which none of `ways` is."""
    section = answers.get(name, {})
    if way in ways or not isinstance(section, Mapping):
        return
    setting = " or ".join(f"`{key}: {way}`" for key in ("authentication", "authentication_also")[: len(ways)])
    for key in map(str, section):
        yield (name, key), f"`{key}` is for {setting}: set that, or remove it"


def _radius_needs(section: object) -> Iterator[tuple[tuple[str, ...], str]]:
    given = section if isinstance(section, Mapping) else {}
    for key in ("servers", "secret"):
        if not given.get(key):
            yield ("authentication",), f"`authentication: radius` needs `radius.{key}`: add it"
