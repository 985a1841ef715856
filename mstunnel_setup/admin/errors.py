"""Errors of `admin`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import CertificateError, TenantError, UsageError, declare
from mstunnel_setup.result import declare_notice

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
CLOUD_APP_MISSING = declare(
    TenantError,
    "cloud-app-missing",
    "the tenant does not have the cloud app Microsoft Tunnel Gateway, so policies cannot name it",
    "Run `mst-admin conditional-access provision`, wait a few minutes, then run the command again.",
)
CONNECTION_TYPE_FIXED = declare(
    TenantError,
    "connection-type-fixed",
    "the profile {name} in the tenant has the connection type {connection}",
    "Remove connection_type, or use another name: the type of a profile cannot be changed.",
)
CSV_ALONE = declare(
    UsageError,
    "csv-alone",
    "--csv cannot be combined with {option}",
    "Remove one of them.",
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
NAME_EMPTY = declare(
    UsageError,
    "name-empty",
    "the name of the {kind} is empty",
    "Give a name or an id; `mst-admin {command} list` shows them. A shell variable may be unset.",
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
POLICY_FILE_INVALID = declare(
    UsageError,
    "policy-file-invalid",
    "{problem}",
    "Correct the file.",
)
POLICY_FILE_UNREADABLE = declare(
    UsageError, "policy-file-unreadable", "the file {path} cannot be read: {reason}", "Check the path."
)
POLICY_IN_FORCE = declare(
    UsageError,
    "policy-in-force",
    "this changes what is enforced: {names}",
    "Check the plan and the evaluation (--user), then run the command again with --enable.",
)
POLICY_OF_OTHERS = declare(
    TenantError,
    "policy-of-others",
    "the tenant already has a policy called {name}, and it is not for Microsoft Tunnel Gateway alone",
    "Give the policy another `name`.",
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

# Warnings

APPLY_INTERRUPTED = declare_notice(
    "apply-interrupted",
    "interrupted after {made} of {total} changes",
    "Run the same command again: it finds what was made and continues.",
)
FIGURES_MISSING = declare_notice(
    "figures-missing",
    "the tenant did not return the metrics of {servers}: {reason}",
    "Run the command again; until then they are shown as unknown.",
)
APP_PROTECTION_UNTESTED = declare_notice(
    "app-protection-untested",
    "{policy} requires an app protection policy, for which Microsoft Defender is not listed: on Android, "
    "Defender requests the token",
    "Test it in report-only mode on every platform before you enable it.",
)
BREAK_GLASS_NOT_EXCLUDED = declare_notice(
    "break-glass-not-excluded",
    "the policy {policy} applies to the tunnel and does not exclude the break-glass group",
    "Exclude the group from it in the Entra admin center.",
)
COMPLIANCE_EXCLUDES_MAM = declare_notice(
    "compliance-excludes-mam",
    "{policy} requires a compliant device, which an unenrolled device (MAM) can never be",
    "Exclude the groups that use the tunnel without enrollment.",
)
CONTROL_BREAKS_TUNNEL = declare_notice(
    "control-breaks-tunnel",
    "the policy {policy} ({state}) applies to the tunnel and uses {control}: {effect}",
    "Exclude Microsoft Tunnel Gateway from it, or test it on every platform.",
)
DEVICE_CODE_FORBIDDEN = declare_notice(
    "device-code-forbidden",
    "the policy {policy} ({state}) blocks sign-in by device code, which installation uses",
    "Exclude the account that installs, or set sign_in.method to client-certificate or token-file.",
)
KIND_NOT_IN_FORMAT = declare_notice(
    "kind-not-in-format",
    "the export has no {kind} ({count} in the tenant): {reason}",
    "Export them as YAML, too.",
)
NO_ENFORCED_POLICY = declare_notice(
    "no-enforced-policy",
    "no policy in force applies to the tunnel: every licensed user can connect from any device",
    "Evaluate a policy in report-only mode, then run `mst-admin conditional-access apply FILE --enable`.",
)
POLICY_WAITS = declare_notice(
    "policy-waits",
    "{policy} is not enabled yet: it begins in report-only mode",
    "Evaluate it with --user and in the sign-in log, then run "
    "`mst-admin conditional-access apply FILE --enable`.",
)
SERVER_NOT_HEALTHY = declare_notice(
    "server-not-healthy",
    "the server {name} is {status}",
    "Run `mst-cli status` on the server; it names the command that fixes each problem.",
)
PROPERTIES_NOT_IN_FORMAT = declare_notice(
    "properties-not-in-format",
    "{name}: {resource} has no {properties}",
    "Set them in the admin center, or apply this object from YAML.",
)
USER_UNKNOWN = declare(
    TenantError,
    "user-unknown",
    "there is no user {name} in the tenant",
    "Check the user name (user principal name), or give the object id.",
)
