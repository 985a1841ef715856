"""The lab's stored records: Graph's entities with internal fields, and the sign-in state."""

import hashlib
from enum import StrEnum
from inspect import get_annotations
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from mstunnel_lab.health import ReportedHealth
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import (
    Application,
    Moment,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
    WireModel,
)
from mstunnel_setup.tenant.wire_intune import OperationApprovalRequest

ROLE_TEMPLATES: Final = {
    "Intune Administrator": "3a2c62db-5318-420d-8d74-23affee5d9d5",
    "Global Administrator": "62e90394-69f5-4237-9190-012177145e10",
    "Privileged Role Administrator": "e8611ab8-c189-46e8-94e1-60213ab1f814",
    "Application Administrator": "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    "Cloud Application Administrator": "158c047a-c907-4556-b7ef-446551a6b5f7",
    "Conditional Access Administrator": "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9",
    "Security Administrator": "194ae4cb-b126-40b2-bd5b-6091b380977d",
}
"""Entra's built-in roles that the lab supports, with their role template ids (Entra documentation)."""


class TunnelRight(StrEnum):
    """A right of the permission group Microsoft Tunnel Gateway, for custom roles of Intune."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


def digest(secret: str) -> str:
    """Return the SHA-256 of a code or token; the lab stores nothing else of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


class LabRecord(BaseModel):
    """The frozen base of the lab's own entities."""

    # A lab directory of an earlier version contains fields that no longer exist.
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str


class TenantRecord(LabRecord):
    """The tenant; times in seconds. There is one, its id is the tenant id."""

    name: str
    domain: str
    internal_url: str
    seed_digest: str
    gateway_token_version: int
    poll_interval: int
    device_code_lifetime: int
    token_lifetime: int
    offline_after: int
    page_size: int
    trend_block: int = 10800
    trusted_issuer: str = ""
    trusted_key_set: str = ""


class CustomRoleRecord(LabRecord):
    """A custom role of Intune; the id is its name."""

    microsoft_tunnel_gateway: tuple[TunnelRight, ...]


class UserRecord(LabRecord):
    """A user. Password and code are stored in clear: lab accounts are fictitious, and lab.json lists them.

    `mfa_code` is the code after the password, "" if none is needed; `refused_with` the AADSTS number that
    refuses the user nevertheless, or 0. A `guest` is an account of another tenant; `custom_roles` are the
    names of the user's roles of Intune, which no token lists.
    """

    upn: str
    name: str
    password: str
    roles: tuple[str, ...]
    custom_roles: tuple[str, ...] = ()
    licensed: bool
    mfa_code: str = ""
    refused_with: int = 0
    guest: bool = False


class DeviceCodeStatus(StrEnum):
    """The state of a device sign-in."""

    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"
    REDEEMED = "redeemed"
    REFUSED = "refused"


class DeviceCodeRecord(LabRecord):
    """One device sign-in (RFC 8628). The id is the digest of the device code; times are Unix times.

    With `any_tenant`, users of every tenant may sign in: `tenant_id` is that of the signed-in user.
    `refused_with` is the AADSTS number that refused the user, or 0.
    """

    user_code: str
    client_id: str
    scope: str
    expires_at: float
    last_poll: float = 0.0
    status: DeviceCodeStatus = DeviceCodeStatus.PENDING
    user_id: str = ""
    tenant_id: str = ""
    any_tenant: bool = False
    refused_with: int = 0
    wrong_passwords: int = 0


class BrowserSession(LabRecord):
    """A signed-in browser. The id is the digest of its cookie; `expires_at` is a Unix time."""

    user_id: str
    expires_at: float


class RefreshTokenRecord(LabRecord):
    """A refresh token. The id is its digest."""

    client_id: str
    user_id: str
    scope: str
    expires_at: float


class AssertionRecord(LabRecord):
    """A used client assertion; the id is client id and digest of `jti`, which must not be reused."""

    assertion_digest: str


class _HidingRecord(WireModel):
    """A Graph entity whose record declares fields that stay inside the lab."""

    def public(self) -> JsonObject:
        """Return the entity as Graph shows it in JSON."""
        return self.model_dump(mode="json", by_alias=True, exclude=set(get_annotations(type(self))))


class ApplicationRecord(Application, _HidingRecord):
    """An application with its owners, secrets and granted delegated permissions.

    `secrets` maps the digest of a secret to the id of its password credential; `secret_digests` are secrets
    of the seed, which Graph does not show.
    """

    owner_ids: tuple[str, ...] = ()
    secret_digests: tuple[str, ...] = ()
    secrets: dict[str, str] = Field(default_factory=dict)
    public_client: bool = False
    password_grant: bool = False
    scopes: tuple[str, ...] = ()
    gateway_access: bool = False

    def public(self) -> JsonObject:
        """Return the application as Graph shows it, without the keys of credentials."""
        keyless = tuple(item.model_copy(update={"key": None}) for item in self.key_credentials)
        return {**super().public(), "keyCredentials": [item.document() for item in keyless]}


class SiteRecord(TunnelSite, _HidingRecord):
    """A site, when its upgrade was requested, and its configuration, shown where a query expands it."""

    configuration_id: str = ""
    upgrade_requested: Moment | None = None
    microsoft_tunnel_configuration: TunnelConfiguration | None = None


class ServerRecord(TunnelServer, _HidingRecord):
    """A server, its site, the applications that check in for it and registered it, and its last report.

    An application is "" where there is none.
    """

    site_id: str = ""
    agent_app_id: str = ""
    registrar_app_id: str = ""
    health: ReportedHealth | None = None


class AccessPolicyRecord(LabRecord):
    """An access policy of Multi Admin Approval; the id is the collection that it protects."""


class ApprovalRecord(OperationApprovalRequest, _HidingRecord):
    """An approval request, with the change that it is about and who requested it.

    `target` is the path of the object, empty for a new one.
    """

    change_digest: str = ""
    target: str = ""
    requestor_id: str = ""
