"""Open the tenants kept in a directory, and describe them: lab.json."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mstunnel_lab import connection
from mstunnel_lab.entra.keys import KeyRing
from mstunnel_lab.entra.tokens import TokenService, read_trusted
from mstunnel_lab.own_files import using
from mstunnel_lab.pki import Authority
from mstunnel_lab.records import TenantRecord, UserRecord
from mstunnel_lab.seed import read_seed
from mstunnel_lab.state import Lab, Labs
from mstunnel_lab.store import Store
from mstunnel_lab.tenant import open_tenant
from mstunnel_lab.urls import CLOUD_NAMES, Urls
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID

_LOCAL_NAMES: Final = ("localhost", "127.0.0.1")
_HTTPS: Final = 443


@dataclass(frozen=True)
class Settings:
    """How to serve. `port` 0 takes a free one; the first of `names` is the one in addresses.

    `seeds` has one file per tenant, the home tenant first. With `cloud` the addresses are those of a cloud of
    Microsoft's, for hosts that resolve them to the lab.
    """

    directory: Path
    port: int = 8443
    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    seeds: tuple[Path, ...] = ()
    cloud: str = ""

    @property
    def public_name(self) -> str:
        """The host in the lab's addresses."""
        if self.cloud:
            return CLOUD_NAMES[self.cloud].login
        wildcard = self.host in {"0.0.0.0", "::"}  # noqa: S104
        return self.names[0] if self.names else "localhost" if wildcard else self.host

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """What the server certificate covers."""
        cloud = (CLOUD_NAMES[self.cloud].graph,) if self.cloud else ()
        return (self.public_name, *cloud, *self.names, *_LOCAL_NAMES)

    def urls(self, tenant: TenantRecord, port: int) -> Urls:
        """Return the addresses of a tenant that is served on `port`."""
        base = _address(self.public_name, port)
        if not self.cloud:
            return Urls(base, tenant.id, domain=tenant.domain)
        graph = CLOUD_NAMES[self.cloud].graph
        return Urls(base, tenant.id, _address(graph, port), f"https://{graph}", tenant.domain)


def _address(name: str, port: int) -> str:
    host = f"[{name}]" if ":" in name else name
    return f"https://{host}" if port == _HTTPS else f"https://{host}:{port}"


def open_labs(settings: Settings, port: int) -> Labs:
    """Return the tenants kept in the directory, made there the first time; raises `UsageError`."""
    directory = settings.directory
    count = len(settings.seeds) or sum(_database(directory, number).exists() for number in range(1, 100)) or 1
    ring = KeyRing(directory)
    opened: list[Lab] = []
    try:
        for number in range(1, count + 1):
            seed = settings.seeds[number - 1] if settings.seeds else None
            opened.append(_open_lab(settings, number, seed, port, ring))
        _refuse_twins(opened)
        return Labs(tuple(opened), ring, Authority(directory))
    except BaseException:
        for lab in opened:
            lab.store.close()
        raise


def _database(directory: Path, number: int) -> Path:
    return directory / ("lab.sqlite" if number == 1 else f"lab-{number}.sqlite")


def _open_lab(settings: Settings, number: int, seed: Path | None, port: int, ring: KeyRing) -> Lab:
    text = read_seed(seed)
    database = _database(settings.directory, number)
    with using(database):
        database.touch(0o600)
        store = Store(database)
    try:
        tenant = open_tenant(store, text, str(seed or "seed.yaml"), seed_given=seed is not None)
        trusted = None
        if tenant.trusted_issuer:
            trusted = read_trusted(tenant.trusted_issuer, Path(tenant.trusted_key_set))
    except BaseException:
        store.close()
        raise
    urls = settings.urls(tenant, port)
    tokens = TokenService(ring, urls, tenant.gateway_token_version, trusted)
    return Lab(store, tenant, urls, tokens, settings.directory / "uploads")


def _refuse_twins(labs: list[Lab]) -> None:
    for name in ("id", "domain"):
        values = [getattr(lab.tenant, name) for lab in labs]
        if len(set(values)) < len(values):
            raise UsageError(
                "lab-seed-duplicate",
                "two of the seed files describe a tenant with the same {name}",
                hint="Give each tenant its own id and domain.",
                name=name,
            )


def describe(labs: Labs) -> JsonObject:
    """Return the content of lab.json: the home tenant, and all of them below `tenants`."""
    tenants = [_describe_tenant(lab) for lab in labs.tenants]
    return {
        **tenants[0],
        "ca_file": str(labs.authority.certificate_path.resolve()),
        "fingerprint": labs.authority.fingerprint,
        "setup": connection.command(labs),
        "tenants": [*tenants],
        "control": {"address": labs.home.urls.control, "key": labs.control_key},
        "pid": os.getpid(),
    }


def _describe_tenant(lab: Lab) -> JsonObject:
    version = lab.tenant.gateway_token_version
    return {
        "name": lab.tenant.name,
        "authority": lab.urls.authority,
        "graph": lab.urls.graph,
        "tenant_id": lab.tenant.id,
        "client_id": connection.application_for(lab, "setup"),
        "device_client_id": connection.application_for(lab, "device"),
        "admin_center": lab.urls.admin_center,
        "device_login": lab.urls.device_login,
        "internal_url": lab.tenant.internal_url,
        "gateway": {
            "audience": GATEWAY_APP_ID,
            "issuer": lab.urls.issuer(version),
            "openid_configuration_url": lab.urls.openid_configuration(version),
        },
        "users": [
            {
                "upn": user.upn,
                "password": user.password,
                "roles": [*user.roles],
                "licensed": user.licensed,
                "mfa_code": user.mfa_code,
                "refused_with": user.refused_with,
            }
            for user in lab.store.each(UserRecord)
        ],
    }
