"""Errors and warnings of `operations`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import (
    CertificateError,
    CheckError,
    EngineError,
    LockedError,
    NetworkError,
    StepError,
    UsageError,
    declare,
)
from mstunnel_setup.result import declare_notice

ADDRESS_INVALID = declare(
    UsageError,
    "address-invalid",
    "{address} is not an IP address",
    "List the banned addresses with `mst-cli server show ip bans`.",
)
ALREADY_INSTALLED = declare(
    UsageError,
    "already-installed",
    "a gateway is already installed on this host",
    "Restore on a host without a gateway.",
)
BACKUP_CA_FILE_MISSING = declare(
    UsageError,
    "backup-ca-file-missing",
    "the backup uses the trusted roots in {path}, which does not exist on this host",
    "Extract them from the backup (`tar -xzOf {backup} {member} >tenant-ca.crt`), then add "
    "`--ca-file tenant-ca.crt`.",
)
BACKUP_INVALID = declare(
    UsageError,
    "backup-invalid",
    "this is not a backup of a gateway: {reason}",
    "Give a file that `mst-cli backup` wrote.",
)
CERTIFICATE_OLDER = declare(
    CertificateError,
    "certificate-older",
    "this certificate is older than the one in use (it ends on {ends})",
    "To use it anyway, add --yes.",
)
CLIENT_UNKNOWN = declare(
    UsageError,
    "client-unknown",
    "no client has the address {address}",
    "List the clients with `mst-cli server show users`.",
)
CONFIGURATION_NOT_PULLED = declare(
    UsageError,
    "configuration-not-pulled",
    "there is no server configuration on this host yet",
    "Complete the installation: run mstunnel-setup.",
)
CONTAINER_MISSING = declare(
    EngineError,
    "container-missing",
    "there is no container {container}",
    "Run mstunnel-setup to create it.",
)
DELAY_NEEDS_HOST = declare(
    CheckError,
    "delay-needs-host",
    "a delayed import cannot be combined with --root",
    "Run `mst-cli import_cert` on the host itself.",
)
DELAY_TOO_LONG = declare(
    UsageError,
    "delay-too-long",
    "a delay of {delay} minutes is longer than ten years",
    "Give a shorter delay.",
)
DEVICES_REFUSED = declare(
    NetworkError,
    "devices-refused",
    "devices that were connected before are refused now, and none is accepted",
    "Search `mst-cli server logs` for `failed authentication`.",
)
DIAGNOSE_DECLINED = declare(
    UsageError,
    "diagnose-declined",
    "nothing was written",
    "Run the command again and answer yes.",
)
DRAIN_FAILED = declare(
    EngineError,
    "drain-failed",
    "the gateway cannot refuse new connections: {reason}",
)
FOLDER_MISSING = declare(
    UsageError,
    "folder-missing",
    "there is no directory {parent}",
    "Correct the path.",
)
GATEWAY_REMOVED = declare(
    LockedError,
    "gateway-removed",
    "the gateway was removed a moment ago",
)
IMAGES_MISSING = declare(
    UsageError,
    "images-missing",
    "the installation has no images yet",
    "Run mstunnel-setup.",
)
IMPORT_OLDER = declare(
    CertificateError,
    "import-older",
    "the delayed certificate {name} is older than the one that is now in use",
    "Cancel it: `mst-cli import_cert --cancel {name}`.",
)
IMPORT_TAKEN_BACK = declare(
    CertificateError,
    "import-taken-back",
    "{reason}; {outcome}",
    "See why with `mst-cli server logs`.",
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
    "there is no pending import {name}",
    "List them with `mst-cli import_cert --list`.",
)
IMPORT_UNPROVEN = declare(
    CertificateError,
    "import-unproven",
    "{reason}; there is no earlier certificate to restore",
    "See why with `mst-cli server logs`.",
)
INSIDE_UNREACHABLE = declare(
    NetworkError,
    "inside-unreachable",
    "the gateway cannot reach {url} any more: {why}",
    "Test it from this server; see the row internal-network of `mst-cli health`.",
)
INTERFACE_UNKNOWN = declare(
    UsageError,
    "interface-unknown",
    "the server has no interface {device}",
    "Give one of {interfaces}, or the tunnel address of a client.",
)
LINK_BLOCKED = declare(
    CertificateError,
    "link-blocked",
    "{path} is a directory that contains other files: {files}",
    "Move these files elsewhere, then run the command again.",
)
LINK_FLATTENED = declare(
    CertificateError,
    "link-flattened",
    "{path} is a {kind}; expected a symbolic link",
    "Repair it with `mst-cli cert repair`, then run the command again.",
)
LOG_LEVEL_INVALID = declare(
    UsageError,
    "log-level-invalid",
    "there is no log level {level}",
    "Give 0 to {highest}, verbose or normal.",
)
MODULE_LOST = declare(
    StepError,
    "module-lost",
    "kernel module missing: {modules}: {reason}",
    "Load it with modprobe; after a kernel update, restart the host.",
)
NOTHING_TO_ROLL_BACK = declare(
    UsageError,
    "nothing-to-roll-back",
    "there is no upgrade to roll back",
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
    "this program was installed as a package, not as the single-file program",
    "Verify it with the package manager that installed it.",
)
NO_RELEASES = declare(
    UsageError,
    "no-releases",
    "no release is offered to this server",
    "List releases in {catalogue}, then run the command again.",
)
OCCTL_FAILED = declare(
    EngineError,
    "occtl-failed",
    "the gateway did not answer: {reason}",
    "Check it with `mst-cli server status`.",
)
PROBE_INVALID = declare(
    UsageError,
    "probe-invalid",
    "{text} is not of the form HOST:PORT",
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
    "the group inbound needs a probe from a second host",
    "Run `mst-readiness inbound --from HOST` here, then the command that it prints on HOST.",
)
PROGRAM_DAMAGED = declare(
    CheckError,
    "program-damaged",
    "the payload of {file} has SHA-256 {actual}, expected {expected}",
    "Copy the file again and compare it with SHA256SUMS of its release.",
)
PROGRAM_FOLDER_DAMAGED = declare(
    CheckError,
    "program-folder-damaged",
    "files in {folder} differ from the release: {files}",
    "Remove {folder}; the next start unpacks it again.",
)
REENROLL_DECLINED = declare(
    UsageError,
    "reenroll-declined",
    "nothing was changed",
    "Run the command again and answer yes.",
)
RELEASE_UNKNOWN = declare(
    UsageError,
    "release-unknown",
    "there is no release {release}",
    "{catalogue} lists {known}.",
)
REPAIR_IMPOSSIBLE = declare(
    CertificateError,
    "repair-impossible",
    "no intact copy of a certificate is left",
    "Import one: `mst-cli import_cert --cert PATH --key PATH`, or `--pfx PATH` with its passphrase.",
)
REPAIR_UNSURE = declare(
    CertificateError,
    "repair-unsure",
    "the certificate that was in use is lost; the newest other one ends on {ends} ({place})",
    "Use that one with --yes, or import the right one with `mst-cli import_cert`.",
)
ROOT_EXPIRED = declare(
    CertificateError,
    "root-expired",
    "the certificate of {certificate} expired on {ended:%Y-%m-%d}",
    "Get the authority's current certificate.",
)
ROOT_FILE_EMPTY = declare(
    CertificateError,
    "root-file-empty",
    "{path} contains no certificate",
    "Give a file in PEM or DER.",
)
ROOT_FILE_UNREADABLE = declare(
    CertificateError,
    "root-file-unreadable",
    "{path} cannot be read: {reason}",
    "Give a file that contains CA certificates in PEM or DER.",
)
ROOT_NOT_CA = declare(
    CertificateError,
    "root-not-ca",
    "the certificate of {certificate} is not a CA certificate",
    "Give the certificate of the authority, not one that it issued.",
)
ROOT_UNKNOWN = declare(
    UsageError,
    "root-unknown",
    "there is no file {path}",
    "List the names with `mst-cli ca-trust list`.",
)
ROOT_WITH_KEY = declare(
    CertificateError,
    "root-with-key",
    "{path} contains a private key",
    "Give a file that contains certificates only.",
)
SECRET_IN_BUNDLE = declare(
    CheckError,
    "secret-in-bundle",
    "nothing was written: the file would contain a secret: {found}",
    "This is an error in the program. Report it.",
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
    "{path} does not set {name}",
    "List all settings with `mst-cli env get`.",
)
SETTING_NAME_INVALID = declare(
    UsageError,
    "setting-name-invalid",
    "{name} is not a valid name of a setting",
    "Use letters, digits and _.",
)
SHOW_UNKNOWN = declare(
    UsageError,
    "show-unknown",
    "there is no `show {words}`",
    "Use one of: {known}.",
)
SITE_NOT_JOINED = declare(
    UsageError,
    "site-not-joined",
    "this server has not joined a site yet",
    "Run mstunnel-setup.",
)
TIME_PAST = declare(
    UsageError,
    "time-past",
    "{due:%Y-%m-%d %H:%M} UTC is in the past",
    "Give a later time, or none.",
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
    "Write it as 2026-12-31T03:00; add an offset such as +02:00 unless it is local time.",
)
UPGRADE_CHANGED_FILE = declare(
    StepError,
    "upgrade-changed-file",
    "{changed} since the installation wrote it",
    "Compare it with `mstunnel-setup plan`; to replace it, run mstunnel-setup at a terminal and confirm.",
)
UPGRADE_FAILED = declare(
    EngineError,
    "upgrade-failed",
    "the upgrade to {release} failed: {reason}; {kept}",
    "Fix the cause, then run `mst-cli upgrade apply` again. See `mst-cli upgrade history`.",
)
UPGRADE_LIMITED = declare(
    StepError,
    "upgrade-limited",
    "the agent requested too many upgrades; the next one is allowed after {next:%H:%M} UTC",
    "To upgrade now, run `mst-cli upgrade apply`.",
)
UPGRADE_REFUSED = declare(
    StepError,
    "upgrade-refused",
    "the agent's request for {image} is refused: {reason}",
)

# Warnings

AGENT_SILENT = declare_notice(
    "agent-silent",
    "the agent has not reported since {since:%Y-%m-%d %H:%M} UTC",
    "See why with `mst-cli agent logs --tail 20`, then run `mst-cli agent restart`.",
)
BACKUP_HOLDS_KEY = declare_notice(
    "backup-holds-key",
    "{path} contains the private key of the certificate",
    "Protect it like the key; restore it on another host with `mst-cli restore`.",
)
CERTIFICATE_EXPIRED = declare_notice(
    "certificate-expired",
    "the certificate expired on {date}",
    "Renew it and run `mst-cli import_cert`; docs/how-to/renew-certificates.md has hooks that do both.",
)
CERTIFICATE_EXPIRES_SOON = declare_notice(
    "certificate-expires-soon",
    "the certificate expires on {date}, in {days} days",
    "Renew it and run `mst-cli import_cert`; docs/how-to/renew-certificates.md has hooks that do both.",
)
CERTIFICATE_NOT_IN_USE = declare_notice(
    "certificate-not-in-use",
    "no usable certificate is in use",
    "Run `mst-cli cert check`.",
)
CERTIFICATE_REVOKED = declare_notice(
    "certificate-revoked",
    "the authority has revoked the certificate",
    "Import a new one with `mst-cli import_cert`.",
)
CONTAINER_DOWN = declare_notice(
    "container-down",
    "{container} is not running",
    "Run `mst-cli {component} start`.",
)
DELAY_NEEDS_MONITOR = declare_notice(
    "delay-needs-monitor",
    "systemd does not run here, so the monitor takes the certificate into use",
    "Check that the monitor runs: docs/how-to/without-systemd.md.",
)
DEVICES_AWAY = declare_notice(
    "devices-away",
    "no device that was connected before has reconnected yet, so the new release is not proved by a session",
    "Run `mst-cli server show users` later; the devices may be asleep.",
)
FIX_FAILED = declare_notice(
    "fix-failed",
    "could not {fix}: {reason}",
    "{hint}",
)
IMPORT_OVERDUE = declare_notice(
    "import-overdue",
    "the delayed import {name} did not run at its time",
    "The monitor retries it every hour; `journalctl -t mstunnel_monitor` shows why it fails, "
    "`mst-cli import_cert --cancel {name}` cancels it.",
)
INSTALLATION_UNFINISHED = declare_notice(
    "installation-unfinished",
    "the installation is not finished{why}",
    "Run mstunnel-setup.",
)
LOOK_BEFORE_SENDING = declare_notice(
    "look-before-sending",
    "the file contains no known secret, but it contains names and addresses",
    "Review it before you send it.",
)
MONITOR_DOWN = declare_notice(
    "monitor-down",
    "the monitor is not running, so nothing is restarted or upgraded automatically",
    "Run `systemctl start {unit}`.",
)
NO_HEALTH_REPORT = declare_notice(
    "agent-not-reported",
    "the agent has not written a health report yet",
    "It writes one within a minute of its start; see `mst-cli agent logs`.",
)
RELEASE_OUT_OF_SUPPORT = declare_notice(
    "release-out-of-support",
    "{count} newer releases exist; only the newest and the one before it are supported",
    "Run `mst-cli upgrade apply`.",
)
REVOCATION_UNDETERMINED = declare_notice(
    "revocation-undetermined",
    "cannot determine whether the certificate is revoked{why}",
    "Run `mst-cli cert check`.",
)
UPGRADE_UNFINISHED = declare_notice(
    "upgrade-unfinished",
    "the upgrade to {release} is in progress or was interrupted (phase {phase})",
    "The monitor completes it; so does `mst-cli upgrade apply`.",
)
UPGRADE_WAITS = declare_notice(
    "upgrade-waits",
    "{reason}",
    "See `mst-cli upgrade check`.",
)
