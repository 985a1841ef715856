"""Errors of `host`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.base.errors import CheckError, EngineError, NetworkError, StepError, UsageError, declare


class FileError(StepError):
    """A file could not be read or written."""


class ProcessError(StepError):
    """A program could not be started, failed, or took too long."""


ADDRESS_UNREADABLE = declare(
    NetworkError,
    "address-unreadable",
    "not a valid address: {address}",
    "Check the address, https_proxy and no_proxy.",
)
ANSWER_TOO_LARGE = declare(
    NetworkError,
    "answer-too-large",
    "{host} sent more than {limit} MiB",
    "Check the address, and any proxy in between.",
)
CAPTURE_FAILED = declare(
    NetworkError,
    "capture-failed",
    "cannot record {interface}: {reason}",
    "List the interfaces with `ip link`; recording needs root.",
)
CA_FILE_UNREADABLE = declare(
    NetworkError,
    "ca-file-unreadable",
    "cannot read root certificates from {ca_file}",
    "Use a PEM file with the root certificate of your proxy or private authority.",
)
CLOCK_BEHIND = declare(
    NetworkError,
    "clock-behind",
    "the TLS certificate of {host} is not yet valid according to the clock of this host: {cause}",
    "Set the time (`timedatectl set-ntp true`) and run the command again.",
)
HANDSHAKE_FAILED = declare(
    NetworkError,
    "handshake-failed",
    "TLS handshake with {address} port {port} failed: {reason}",
    "Check `mst-cli server logs`.",
)
LISTEN_ADDRESS_REFUSED = declare(
    UsageError,
    "listen-address-refused",
    "{address} is not an address that is reachable from this machine only",
    "Use 127.0.0.1:PORT, [::1]:PORT or unix:/PATH.",
)
LISTEN_FAILED = declare(
    NetworkError,
    "listen-failed",
    "cannot listen on {address}: {reason}",
    "Stop what uses it, or choose another port or path.",
)
NETWORK_NOT_ENTERED = declare(
    NetworkError,
    "network-not-entered",
    "cannot enter the network namespace of the container: {reason}",
    "Run the command as root.",
)
NETWORK_TIMEOUT = declare(
    NetworkError, "network-timeout", "{host} did not answer in time", "Check firewall and proxy."
)
NETWORK_UNREACHABLE = declare(
    NetworkError, "network-unreachable", "cannot reach {host}: {reason}", "Check DNS, firewall and proxy."
)
PROGRAM_UNSAFE = declare(
    CheckError,
    "program-unsafe",
    "users other than root can change {path}, and root would run their code",
    "Restrict it to root: `chown root:root {path}` and `chmod go-w {path}`. Or install the program "
    "where only root can write.",
)
PROXY_FAILED = declare(
    NetworkError, "proxy-failed", "the proxy refused to connect to {host}", "Check https_proxy and no_proxy."
)
ENDPOINT_UNREACHABLE = declare(
    NetworkError, "endpoint-unreachable", "{reason}", "Allow outgoing connections to it on TCP port 443."
)
NAME_UNRESOLVED = declare(NetworkError, "name-unresolved", "{reason}", "Check the DNS servers of this host.")
TLS_UNTRUSTED = declare(
    NetworkError,
    "tls-untrusted",
    "the TLS certificate of {host}, issued by {issuer}, is not trusted: {cause}",
    "If the issuer is your private authority or a proxy that inspects TLS, give its root with --ca-file, "
    "or exempt {host} from inspection.",
)

DISK_FULL = declare(
    FileError,
    "disk-full",
    "cannot {verb} {path}: {reason}",
    "Free space on that file system or raise the quota, then run the command again.",
)
FILE_FAILED = declare(
    FileError, "file-error", "cannot {verb} {path}: {reason}", "Fix the cause, then run the command again."
)
FILE_IRREGULAR = declare(
    FileError, "file-irregular", "{path} is a {kind}, not a regular file", "Remove {path}."
)
FILE_TOO_LARGE = declare(
    FileError, "file-too-large", "{path} is larger than {limit} bytes", "Inspect {path}, then remove it."
)
MESSAGE_INVALID = declare(
    FileError, "message-invalid", "{path} is not a valid message: {reason}", "Remove {path}."
)
PATH_HARD_LINKED = declare(
    FileError,
    "path-hard-linked",
    "{path} has {count} hard links; expected 1",
    "Check it with `ls -l {path}`, move it away and run the command again.",
)
PATH_LOOP = declare(
    FileError,
    "path-loop",
    "cannot read {path}: its symbolic links form a loop",
    "Check them with `namei {path}`.",
)
PATH_NOT_ABSOLUTE = declare(
    FileError,
    "path-not-absolute",
    "cannot {verb} {path}: the path is not absolute",
    "Use an absolute path without `..`.",
)
PATH_NOT_REGULAR = declare(
    FileError,
    "path-not-regular",
    "cannot {verb} {path}: it is a {kind}; expected a {expected}",
    "Check it with `ls -l {path}`. Use another path, or move it away and run the command again.",
)
PATH_UNSAFE = declare(
    FileError,
    "path-unsafe",
    "cannot {verb} {path}: {problem}",
    "Every directory above must be a real one, not a link, that only root or the account of a rootless "
    "gateway can write to: check with `namei -l {path}`, or use a directory such as /root.",
)
PERMISSION_DENIED = declare(
    FileError,
    "permission-denied",
    "{account} cannot {verb} {path}: {reason}",
    "Grant {account} access, or run the command as root. If root is denied, check SELinux and "
    "`lsattr {path}`.",
)
READ_ONLY = declare(
    FileError,
    "read-only",
    "cannot {verb} {path}: {reason}",
    "Mount that file system read-write, then run the command again.",
)

PROGRAM_FAILED = declare(
    ProcessError,
    "program-failed",
    "`{command}` exited with code {exit_code}: {output}",
    "Fix the cause, then run the command again.",
)
ROOT_UNREACHABLE = declare(
    NetworkError,
    "root-unreachable",
    "no root certificate from {url}: {reason}",
    "Check the address, and that this host reaches it (proxy, firewall).",
)
PROGRAM_MISSING = declare(ProcessError, "program-missing", "{program} is not installed", "Install {program}.")
PROGRAM_NOT_STARTED = declare(
    ProcessError,
    "program-not-started",
    "cannot start {program} as {account}: {reason}",
    "Let {account} read and execute {program}.",
)
PROGRAM_TIMEOUT = declare(
    ProcessError,
    "program-timeout",
    "`{command}` did not finish within {seconds} s",
    "Find out what it waits for, then run the command again.",
)
SYSTEMD_FAILED = declare(
    EngineError,
    "systemd-failed",
    "systemd failed: {reason}",
    "Check `{command} status {unit}` and `journalctl -xe`, then run the command again.",
)
