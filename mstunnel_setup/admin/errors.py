"""Errors of `admin`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import CertificateError, TenantError, UsageError, declare

APP_CONFIGURATION_FIXED = declare(
    TenantError,
    "app-configuration-fixed",
    "the app configuration {name} in the tenant is for {channel} on {platform}",
    "Use another name: channel and operating system of an app configuration cannot be changed.",
)
APP_MISSING = declare(
    TenantError,
    "app-missing",
    "the tenant has no {platform} app {app}",
    "Add it with `mst-admin app create`, declare it below `apps`, or add it in the admin center.",
)
CONNECTION_TYPE_FIXED = declare(
    TenantError,
    "connection-type-fixed",
    "the profile {name} in the tenant has the connection type {connection}",
    "Remove connection_type, or use another name: the type of a profile cannot be changed.",
)
DECLARATIONS_INVALID = declare(
    UsageError,
    "declarations-invalid",
    "{problems}",
    "Correct the files; `mst-admin schema` prints a JSON Schema that editors check them with.",
)
DECLARATIONS_MISSING = declare(
    UsageError,
    "declarations-missing",
    "declarations cannot be read from {path}: {reason}",
    "Use a directory with YAML files; `mst-admin export DIR` writes one from a tenant.",
)
EXCLUSIONS_MISSING = declare(UsageError, "exclusions-missing", "there is no file {path}", "Check the path.")
EXCLUSIONS_NOT_SUPPORTED = declare(
    TenantError,
    "exclusions-not-supported",
    "{profile} is not an Android profile: only those have a proxy exclusion list",
    "Use an Android profile.",
)
EXCLUSIONS_UNREADABLE = declare(
    UsageError,
    "exclusions-unreadable",
    "{path} is not a CSV file in UTF-8: {reason}",
    "Write one entry on each line and save the file as UTF-8.",
)
EXCLUSIONS_WITHOUT_DIRECT_PROXY = declare(
    TenantError,
    "exclusions-without-direct-proxy",
    "the profile {profile} has no direct proxy, so an exclusion list has no effect",
    "Set a proxy with address and port in the profile first.",
)
EXPORT_EXISTS = declare(
    UsageError,
    "export-exists",
    "{directory} already has declarations: {names}",
    "Use an empty directory, or {remedy}.",
)
METRIC_NOT_KNOWN = declare(
    UsageError,
    "metric-not-known",
    "Microsoft Tunnel does not report a metric {metric}",
    "Use one of: {names}.",
)
METRIC_UNKNOWN = declare(
    TenantError,
    "metric-unknown",
    "the tenant has no thresholds for the metric {metric}",
    "Use one of: {names}.",
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
NOT_CONFIRMED = declare(
    UsageError,
    "not-confirmed",
    "not confirmed, so nothing was changed: {question}",
    "Answer yes, or use --yes.",
)
OBJECT_FILE_INVALID = declare(
    UsageError,
    "object-file-invalid",
    "{problem}",
    "Correct the file; `mst-admin {command} schema` prints a JSON Schema that editors check it with.",
)
OBJECT_FILE_UNREADABLE = declare(
    UsageError, "object-file-unreadable", "the file {path} cannot be read: {reason}", "Check the path."
)
OBJECT_UNKNOWN = declare(
    TenantError,
    "object-unknown",
    "the tenant has no {kind} {name}",
    "Create it with `mst-admin {command} create`.",
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
SERVER_NOT_INSTALLED = declare(
    UsageError,
    "server-not-installed",
    "a server is created by its installation, which gives it its own identity",
    "Run `mstunnel-setup --site NAME` on the server.",
)
TRUSTED_ROOT_MISSING = declare(
    CertificateError, "trusted-root-missing", "there is no certificate at {path}", "Check the path."
)
TRUSTED_ROOT_UNKNOWN = declare(
    TenantError,
    "trusted-root-unknown",
    "the tenant has no trusted root profile {name}",
    "Use the name of an existing one, or create it first.",
)
TRUSTED_ROOT_UNSUITABLE = declare(
    CertificateError,
    "trusted-root-unsuitable",
    "{path} does not hold exactly one CA certificate",
    "Use only the root certificate of the CA that issued the gateway's certificate.",
)
