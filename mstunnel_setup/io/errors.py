"""Errors of `io` that several places raise."""

from mstunnel_setup.base.errors import EngineError, NetworkError, StepError, declare


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
CA_FILE_UNREADABLE = declare(
    NetworkError,
    "ca-file-unreadable",
    "cannot read root certificates from {ca_file}",
    "Use a PEM file with the root certificate of your proxy or private authority.",
)
NETWORK_TIMEOUT = declare(
    NetworkError, "network-timeout", "{host} did not answer in time", "Check firewall and proxy."
)
NETWORK_UNREACHABLE = declare(
    NetworkError, "network-unreachable", "cannot reach {host}: {reason}", "Check DNS, firewall and proxy."
)
PROXY_FAILED = declare(
    NetworkError,
    "proxy-failed",
    "the proxy {proxy} cannot be used: {problem}",
    "On a gateway test it with `mst-cli env check`, and correct it with `mst-cli env set`; elsewhere check "
    "https_proxy and no_proxy.",
)
ENDPOINT_UNREACHABLE = declare(
    NetworkError, "endpoint-unreachable", "{reason}", "Allow outgoing connections to it on TCP port 443."
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
    "Run the command with sudo, or give {account} access. If root is denied, check SELinux and "
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
SYSTEMD_FAILED = declare(
    EngineError,
    "systemd-failed",
    "systemd failed: {reason}",
    "Check `{command}` and `journalctl -xe`, then run the command again.",
)
