"""Errors of `mst_admin` that several places raise."""

from mstunnel_setup.base.errors import TenantError, UsageError, declare

CSV_ALONE = declare(UsageError, "csv-alone", "--csv cannot be combined with {option}", "Remove one of them.")
DECLARATIONS_INVALID = declare(
    UsageError,
    "declarations-invalid",
    "{problems}",
    "Correct the files; `mst-admin schema` prints a JSON Schema that editors check them with.",
)
"""Declarations that cannot be used: one line `FILE:LINE:COLUMN: …` for each problem."""
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
OBJECT_INVALID = declare(
    UsageError,
    "object-file-invalid",
    "{problem}",
    "Correct the file; `mst-admin {command} schema` prints a JSON Schema that editors check it with.",
)
OBJECT_UNKNOWN = declare(
    TenantError,
    "object-unknown",
    "the tenant has no {kind} {name}",
    "Create it with `mst-admin {command} create`.",
)
OBJECT_UNREADABLE = declare(
    UsageError, "object-file-unreadable", "the file {path} cannot be read: {reason}", "Check the path."
)
PROFILE_INVALID = declare(
    UsageError,
    "profile-invalid",
    "{problem}",
    "Correct the file; `mst-admin profile schema` prints a JSON Schema that editors check it with.",
)
PROFILE_PLATFORM_FIXED = declare(
    TenantError,
    "profile-platform-fixed",
    "the profile {profile} in the tenant is not for the platform {platform}",
    "Use another name: the type of a profile cannot be changed.",
)
PROFILE_UNKNOWN = declare(
    TenantError,
    "profile-unknown",
    "the tenant has no profile {name}",
    "Create it with `mst-admin profile create`.",
)
PROFILE_UNREADABLE = declare(
    UsageError, "profile-unreadable", "the profile {path} cannot be read: {reason}", "Check the path."
)
TRUSTED_ROOT_UNKNOWN = declare(
    TenantError,
    "trusted-root-unknown",
    "the tenant has no trusted root profile {name}",
    "Use the name of an existing one, or create it first.",
)
