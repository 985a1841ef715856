"""Errors and warnings of `operations`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import (
    CheckError,
    EngineError,
    LockedError,
    NetworkError,
    StepError,
    TenantError,
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
AGENT_PROBLEM = declare(
    TenantError,
    "agent-problem",
    "the agent cannot sync with the tenant: {reason}",
    "`mst-cli agent logs --tail 20` shows why.",
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
BACKUP_NOT_UNDERSTOOD = declare(
    UsageError,
    "backup-not-understood",
    "version {version} wrote this backup, and this version does not understand its {parts}",
    "Restore it with the version that wrote it.",
)
BACKUP_ROOTFUL = declare(
    UsageError,
    "backup-rootful",
    "{backup} is the backup of a gateway with root, and this host is prepared for a rootless one",
    "Undo that with `sudo mstunnel-setup host --remove`, then restore the backup as root.",
)
BACKUP_ROOTLESS = declare(
    UsageError,
    "backup-rootless",
    "{backup} is the backup of a rootless gateway, and this host is not prepared for one",
    "Run `sudo mstunnel-setup host`, then this command again; the account must be able to read the file.",
)
BACKUP_TOO_LARGE = declare(
    StepError,
    "backup-too-large",
    "{path} has {size} bytes, and a backup that can be restored has at most {largest} in all",
    "Make that file smaller, then run the command again; nothing was written.",
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
    EngineError, "container-missing", "there is no container {container}", "Run mstunnel-setup to create it."
)
DIAGNOSE_DECLINED = declare(
    UsageError, "diagnose-declined", "nothing was written", "Run the command again and answer yes."
)
FOLDER_MISSING = declare(UsageError, "folder-missing", "there is no directory {parent}", "Correct the path.")
GATEWAY_REMOVED = declare(LockedError, "gateway-removed", "the gateway was removed a moment ago")
INTERFACE_UNKNOWN = declare(
    UsageError,
    "interface-unknown",
    "the server has no interface {device}",
    "Give one of {interfaces}, or the tunnel address of a client.",
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
LICENSES_NOT_BUNDLED = declare(
    UsageError,
    "licenses-not-bundled",
    "this program was installed as a Python package, without its dependencies",
    "Read the licence of each package with `pip show --verbose NAME`.",
)
NOT_ONE_FILE = declare(
    UsageError,
    "not-one-file",
    "this program was installed as a package, not as the single-file program",
    "Verify it with the package manager that installed it.",
)
OCCTL_FAILED = declare(
    EngineError,
    "occtl-failed",
    "the gateway did not answer: {reason}",
    "Check it with `mst-cli server status`.",
)
PROBE_FROM_INVALID = declare(
    UsageError,
    "probe-from-invalid",
    "--from {host!r} is neither a host name nor an IP address",
    "Give the host from which the probes come, such as probe.example.com.",
)
PROBE_INVALID = declare(
    UsageError, "probe-invalid", "{text} is not of the form HOST:PORT", "Write it as gw.example.com:443."
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
PROGRAM_NOT_LISTED = declare(
    CheckError,
    "program-not-listed",
    "{file} (SHA-256 {digest}) is not one of the files in {sums}",
    "Use the SHA256SUMS of the program's own release.",
)
SIGNATURE_MISSING = declare(
    UsageError,
    "signature-missing",
    "there is no file {path}",
    "Download SHA256SUMS and SHA256SUMS.minisig of the release, and give the path of the first with --sums.",
)
SIGNATURE_UNREADABLE = declare(
    UsageError,
    "signature-unreadable",
    "{path} is not a minisign file",
    "Give the public key (`minisign.pub`) with --public-key; the signature is beside the sums.",
)
SIGNATURE_WRONG = declare(
    CheckError,
    "signature-wrong",
    "{sums} was not signed with the key in {key}, or was changed since",
    "Do not use this program. Download the release again, and compare the key with another source.",
)
PROGRAM_FOLDER_DAMAGED = declare(
    CheckError,
    "program-folder-damaged",
    "files in {directory} differ from the release: {files}",
    "Remove {directory}; the next start unpacks it again.",
)
PROXY_UNREACHABLE = declare(
    NetworkError,
    "proxy-unreachable",
    "{variable} in {path} is {proxy}: {reason}",
    "Start that proxy, or correct its address: `mst-cli env set {variable} http://HOST:PORT`.",
)
REENROLL_DECLINED = declare(
    UsageError, "reenroll-declined", "nothing was changed", "Run the command again and answer yes."
)
SECRET_IN_BUNDLE = declare(
    CheckError,
    "secret-in-bundle",
    "nothing was written: the file would contain a secret: {found}",
    "This is an error in the program. Report it.",
)
SERVER_NOT_RUNNING = declare(
    EngineError, "server-not-running", "the server is not running", "Start it: `mst-cli server start`."
)
SETTING_MISSING = declare(
    UsageError, "setting-missing", "{path} does not set {name}", "List all settings with `mst-cli env get`."
)
SETTING_NAME_INVALID = declare(
    UsageError,
    "setting-name-invalid",
    "{name} is not a valid name of a setting",
    "Use letters, digits and _.",
)
SHOW_TOPIC_MISSING = declare(UsageError, "show-topic-missing", "`show` needs a topic", "Add one of: {known}.")
SHOW_UNKNOWN = declare(UsageError, "show-unknown", "there is no `show {words}`", "Use one of: {known}.")
SINCE_FUTURE = declare(
    UsageError, "since-future", "{text} is in the future", "Give a time that has passed, such as 24h."
)
SINCE_INVALID = declare(
    UsageError,
    "since-invalid",
    "{text} is neither a time nor an age",
    "Write a time as 2026-11-26T19:00 (UTC unless it names an offset), or an age as 90m, 24h or 7d.",
)
SITE_NOT_JOINED = declare(
    UsageError, "site-not-joined", "this server has not joined a site yet", "Run mstunnel-setup."
)
TOPIC_UNKNOWN = declare(
    UsageError, "topic-unknown", "there is no help topic {name}{suggestion}", "Use one of: {known}."
)
UPLINK_REFUSED = declare(
    StepError,
    "uplink-refused",
    "the host did not connect the gateway to the network: {reason}",
    "Run `sudo mstunnel-setup host`; see `journalctl --unit mstunnel-uplink`.",
)
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
BACKUP_WITHOUT_LIST = declare_notice(
    "backup-without-list",
    "{file} does not contain the revocation list {path}, which has {size} bytes: it would be too large",
    "Before you restore, put the current list on the other host at {source}.",
)
CONTAINER_DOWN = declare_notice(
    "container-down",
    "{container} is not running{why}",
    "Run `mst-cli {component} start`; `mst-cli {component} logs --tail 20` shows the log.",
)
FIX_FAILED = declare_notice("fix-failed", "could not {fix}: {reason}", "{hint}")
INSTALLATION_UNFINISHED = declare_notice(
    "installation-unfinished", "the installation is not finished{why}", "Run mstunnel-setup."
)
LOOK_BEFORE_SENDING = declare_notice(
    "look-before-sending",
    "the file contains no known secret, but it contains names and addresses",
    "Review it before you send it.",
)
REPORT_TRUNCATED = declare_notice(
    "report-truncated",
    "the log names more than {limit} users; {records} records of others are left out",
    "Report a shorter time, with a later --since.",
)
METRICS_MISSING = declare_notice(
    "metrics-missing",
    "the agent has not written metrics yet",
    "It writes them within a minute of its start; see `mst-cli agent logs`.",
)
SETTING_UNKNOWN = declare_notice(
    "setting-unknown",
    "{path} sets {name}, which is not a setting of the gateway{suggestion}",
    "Correct the name, or remove the line with `mst-cli env unset {name}`.",
)
NO_HEALTH_REPORT = declare_notice(
    "agent-not-reported",
    "the agent has not written a health report yet",
    "It writes one within a minute of its start; see `mst-cli agent logs`.",
)
VERSION_OF_PROGRAM_ONLY = declare_notice(
    "version-of-program-only",
    "engine, release and images are shown to root only",
    "Run `sudo mst-cli version`.",
)
