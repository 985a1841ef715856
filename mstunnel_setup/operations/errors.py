"""Errors of `operations`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import (
    CertificateError,
    CheckError,
    EngineError,
    NetworkError,
    StepError,
    UsageError,
    declare,
)

ADDRESS_INVALID = declare(
    UsageError,
    "address-invalid",
    "{address} is no IP address",
    "See them with `mst-cli server show ip bans`.",
)
ALREADY_INSTALLED = declare(
    UsageError,
    "already-installed",
    "a gateway is installed here already",
    "Restore on a host without one.",
)
BACKUP_INVALID = declare(
    UsageError,
    "backup-invalid",
    "this is no backup of a gateway: {reason}",
    "Give a file that `mst-cli backup` wrote.",
)
CERTIFICATE_OLDER = declare(
    CertificateError,
    "certificate-older",
    "the delayed certificate {name} is older than the one in use by now",
    "Cancel it: `mst-cli import_cert --cancel {name}`.",
)
CLIENT_UNKNOWN = declare(
    UsageError,
    "client-unknown",
    "no client has the address {address}",
    "See them: `mst-cli server show users`.",
)
CONFIGURATION_NOT_PULLED = declare(
    UsageError,
    "configuration-not-pulled",
    "no server configuration is here yet",
    "Run mstunnel-setup to its end.",
)
CONTAINER_MISSING = declare(
    EngineError,
    "container-missing",
    "there is no container {container}",
    "Run mstunnel-setup; it goes on.",
)
DELAY_NEEDS_HOST = declare(
    CheckError,
    "delay-needs-host",
    "a delayed import needs the host itself, not its files below --root",
    "Run `mst-cli import_cert` on the host.",
)
DELAY_TOO_LONG = declare(
    UsageError,
    "delay-too-long",
    "{delay} minutes are more than ten years",
    "Correct it.",
)
DEVICES_REFUSED = declare(
    NetworkError,
    "devices-refused",
    "devices that were connected are refused now, and none is let in",
    "Look at `mst-cli server logs` for `failed authentication`.",
)
DIAGNOSE_DECLINED = declare(
    UsageError,
    "diagnose-declined",
    "nothing was written",
    "Run it again and answer yes.",
)
DRAIN_FAILED = declare(
    EngineError,
    "drain-failed",
    "the gateway cannot refuse new connections: {reason}",
    "",
)
FOLDER_MISSING = declare(
    UsageError,
    "folder-missing",
    "there is no folder {parent}",
    "Correct the path.",
)
IMAGES_MISSING = declare(
    UsageError,
    "images-missing",
    "the installation has no images yet",
    "Run mstunnel-setup.",
)
IMPORT_UNCLEAR = declare(
    UsageError,
    "import-unclear",
    "{asked} exclude each other",
    "Give one of them.",
)
IMPORT_UNKNOWN = declare(
    UsageError,
    "import-unknown",
    "no import called {name} is pending",
    "See the names with `mst-cli import_cert --list`.",
)
IMPORT_UNPROVEN = declare(
    CertificateError,
    "import-unproven",
    "{why}; there is no earlier one to go back to",
    "Look at `mst-cli server logs`.",
)
INSIDE_UNREACHABLE = declare(
    NetworkError,
    "inside-unreachable",
    "the gateway does not reach {url} any more: {why}",
    "Try it from this server; see row internal-network of `mst-cli health`.",
)
INTERFACE_UNKNOWN = declare(
    UsageError,
    "interface-unknown",
    "the server has no interface {device}",
    "Give one of {value}, or the tunnel address of a client.",
)
LOG_LEVEL_INVALID = declare(
    UsageError,
    "log-level-invalid",
    "there is no level {wanted}",
    "Give 0 to {highest_level}, verbose or normal.",
)
NOTHING_TO_ROLL_BACK = declare(
    UsageError,
    "nothing-to-roll-back",
    "no upgrade was made that could be taken back",
    "See `mst-cli upgrade history`, or name a release: `mst-cli upgrade apply NAME`.",
)
LICENSES_NOT_BUNDLED = declare(
    UsageError,
    "licenses-not-bundled",
    "this program came as a Python package, without what it depends on",
    "Read the licence of each package with `pip show --verbose NAME`.",
)
NOT_ONE_FILE = declare(
    UsageError,
    "not-one-file",
    "this program came as a package, not as the one file",
    "Verify it with the tool that installed it.",
)
OCCTL_FAILED = declare(
    EngineError,
    "occtl-failed",
    "the gateway did not answer: {reason}",
    "Try `mst-cli server status`.",
)
PROBE_INVALID = declare(
    UsageError,
    "probe-invalid",
    "this is not HOST:PORT: {text}",
    "Write it as gw.example.com:443.",
)
PROBE_MISPLACED = declare(
    UsageError,
    "probe-misplaced",
    "--from and --probe belong to the group inbound, not to {scope}",
    "Run `mst-readiness inbound` with them.",
)
PROBE_MISSING = declare(
    UsageError,
    "probe-missing",
    "inbound takes a probe from a second place",
    "Run `mst-readiness inbound --from HOST` here, and on HOST the command that it names.",
)
PROGRAM_DAMAGED = declare(
    CheckError,
    "program-damaged",
    "the payload of {file} has the SHA-256 {found} instead of {stated}",
    "Copy the file again and compare it with SHA256SUMS of its release.",
)
REENROLL_DECLINED = declare(
    UsageError,
    "reenroll-declined",
    "nothing was changed",
    "Run it again and answer yes.",
)
REPAIR_IMPOSSIBLE = declare(
    CertificateError,
    "repair-impossible",
    "no sound copy of any certificate is left",
    "Import one: `mst-cli import_cert --cert PATH --key PATH`, or `--pfx PATH` with its passphrase.",
)
ROOT_EXPIRED = declare(
    CertificateError,
    "root-expired",
    "the certificate of {certificate} ended on {not_valid_after_utc:%Y-%m-%d}",
    "Get the authority's current certificate.",
)
ROOT_NOT_CA = declare(
    CertificateError,
    "root-not-ca",
    "the certificate of {certificate} is not one of an authority (CA)",
    "Give the certificate of the authority, not one that it issued.",
)
ROOT_UNKNOWN = declare(
    UsageError,
    "root-unknown",
    "there is no {path}",
    "See the names with `mst-cli ca-trust list`.",
)
ROOT_WITH_KEY = declare(
    CertificateError,
    "root-with-key",
    "{source} holds a private key",
    "Give a file with certificates alone.",
)
SECRET_IN_BUNDLE = declare(
    CheckError,
    "secret-in-bundle",
    "nothing was written: a secret is still in {json}",
    "Please report this as a bug.",
)
SERVER_NOT_RUNNING = declare(
    EngineError,
    "server-not-running",
    "the server is not running",
    "Start it: `mst-cli server start`.",
)
SETTING_MISSING = declare(
    UsageError,
    "setting-missing",
    "{environment} does not set {name}",
    "See all with `mst-cli env get`.",
)
SETTING_NAME_INVALID = declare(
    UsageError,
    "setting-name-invalid",
    "{name} cannot be the name of a setting",
    "Use letters, digits and _.",
)
SHOW_UNKNOWN = declare(
    UsageError,
    "show-unknown",
    "there is nothing called {words} to show",
    "Show one of: {known}.",
)
SITE_NOT_JOINED = declare(
    UsageError,
    "site-not-joined",
    "this server has joined no site yet",
    "Run mstunnel-setup.",
)
TIME_PAST = declare(
    UsageError,
    "time-past",
    "{due:%Y-%m-%d %H:%M} UTC is over already",
    "Give a later time, or none at all.",
)
TIME_TWICE = declare(
    UsageError,
    "time-twice",
    "both a delay and a time are given",
    "Give one of them.",
)
TIME_UNCLEAR = declare(
    UsageError,
    "time-unclear",
    "`{text}` is not a time",
    "Write it as 2026-12-31T03:00, with an offset such as +02:00 unless it is local time.",
)
UPGRADE_FAILED = declare(
    EngineError,
    "upgrade-failed",
    "the upgrade to {release} failed, {kept}: {reason}",
    "Mend the cause, then run `mst-cli upgrade apply` again. See `mst-cli upgrade history`.",
)
UPGRADE_LIMITED = declare(
    StepError,
    "upgrade-limited",
    "the agent asked for too many upgrades; the next one is made after {value:%H:%M} UTC",
    "Run `mst-cli upgrade apply` to upgrade now.",
)
UPGRADE_REFUSED = declare(
    StepError,
    "upgrade-refused",
    "the agent asks for {server}, which is not taken: {why}",
    "",
)
