"""Errors of `admin`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import CertificateError, TenantError, UsageError, declare

CONNECTION_TYPE_FIXED = declare(
    TenantError,
    "connection-type-fixed",
    "the tenant's profile {name} has the connection type {connection}",
    "Remove connection_type, or choose another name: the type of a profile cannot be changed.",
)
DECLARATIONS_MISSING = declare(
    UsageError,
    "declarations-missing",
    "no declarations can be read from {path}: {reason}",
    "Name a directory with YAML files; `mst-admin export DIR` writes one from a tenant.",
)
EXCLUSIONS_MISSING = declare(
    UsageError,
    "exclusions-missing",
    "there is no file {path}",
    "Check the path.",
)
EXCLUSIONS_NOT_SUPPORTED = declare(
    TenantError,
    "exclusions-not-supported",
    "{display_name} is no Android profile: only those have a proxy exclusion list",
    "Choose an Android profile.",
)
EXCLUSIONS_WITHOUT_DIRECT_PROXY = declare(
    TenantError,
    "exclusions-without-direct-proxy",
    "the profile {display_name} has no direct proxy, so a list would have no effect",
    "Give the profile a proxy with address and port first.",
)
METRIC_NOT_KNOWN = declare(
    UsageError,
    "metric-not-known",
    "no metric {metric} has thresholds",
    "Known are: {names}.",
)
METRIC_UNKNOWN = declare(
    TenantError,
    "metric-unknown",
    "no metric {metric} has thresholds",
    "Give one of: {names}.",
)
PROFILE_PLATFORM_FIXED = declare(
    TenantError,
    "profile-platform-fixed",
    "the tenant's profile {display_name} is for another platform than {platform}",
    "Choose another name: the type of a profile cannot be changed.",
)
PROFILE_UNKNOWN = declare(
    TenantError,
    "profile-unknown",
    "the tenant has no profile {name}",
    "Use `mst-admin profile create`.",
)
PROFILE_UNREADABLE = declare(
    UsageError,
    "profile-unreadable",
    "the profile {path} cannot be read: {reason}",
    "Check the path.",
)
SERVER_CONFIGURATION_UNKNOWN = declare(
    TenantError,
    "server-configuration-unknown",
    "the tenant has no server configuration {wanted}",
    "`mst-admin config list` shows those there are.",
)
SERVER_NOT_INSTALLED = declare(
    UsageError,
    "server-not-installed",
    "a server is created by its installation, which gives it an identity of its own",
    "Run `mstunnel-setup --site NAME` on the server.",
)
TRUSTED_ROOT_MISSING = declare(
    CertificateError,
    "trusted-root-missing",
    "there is no certificate at {given}",
    "Check the path.",
)
TRUSTED_ROOT_UNSUITABLE = declare(
    CertificateError,
    "trusted-root-unsuitable",
    "{name} is not the certificate of one authority",
    "Give the root of the authority that issued the gateway's certificate, and nothing else.",
)
