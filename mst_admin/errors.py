"""Errors that several modules of `mst_admin` raise."""

from mstunnel_setup.answers.finding import declare_finding
from mstunnel_setup.base.errors import TenantError, declare

APP_MISSING = declare(
    TenantError,
    "app-missing",
    "the tenant has no {platform} app {app}",
    "Add it with `mst-admin app create`, declare it below `apps`, or add it in the admin center.",
)
NAME_AMBIGUOUS = declare(
    TenantError,
    "name-ambiguous",
    "{count} objects of the kind {kind} are called {name}",
    "Use the id, or rename or delete all but one of: {ids}.",
)
NAME_TAKEN = declare(
    TenantError,
    "name-taken",
    "the {place} already has a {kind} called {name}",
    "Use another name, or change the existing {kind} with `mst-admin {command}`.",
)
NAME_UNKNOWN = declare(
    TenantError,
    "name-unknown",
    "the {place} has no {kind} {name}",
    "Use the name or the id of an existing one; `mst-admin {command} list` shows them.",
)
PROFILE_UNKNOWN = declare(
    TenantError,
    "profile-unknown",
    "the tenant has no profile {name}",
    "Create it with `mst-admin profile create`.",
)
TRUSTED_ROOT_UNKNOWN = declare(
    TenantError,
    "trusted-root-unknown",
    "the tenant has no trusted root profile {name}",
    "Use the name of an existing one, or create it first.",
)
GROUP_UNKNOWN = declare_finding(
    "groups",
    "group-unknown",
    "no group of the tenant is called {name}",
    "Write the name as Entra shows it, or the id. For everyone, set all_users or all_devices.",
)
GROUP_AMBIGUOUS = declare_finding(
    "groups",
    "group-ambiguous",
    "{count} groups of the tenant are called {name}: {ids}",
    "Write the id of one of them.",
)
