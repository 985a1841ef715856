"""Errors of `host`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import CheckError, NetworkError, declare

ADDRESS_UNREADABLE = declare(
    NetworkError,
    "address-unreadable",
    "{what} cannot be read",
    "Check the address, https_proxy and no_proxy.",
)
ANSWER_TOO_LARGE = declare(
    NetworkError,
    "answer-too-large",
    "{netloc} sent more than {value} MiB",
    "Check that the address is right, and what a proxy on the way answers.",
)
CAPTURE_FAILED = declare(
    NetworkError,
    "capture-failed",
    "cannot record {interface}: {reason}",
    "See its name with `ip link`.",
)
CA_FILE_UNREADABLE = declare(
    NetworkError,
    "ca-file-unreadable",
    "no trusted roots could be read from {ca_file}",
    "Give a PEM file with the root certificate of your proxy or private authority.",
)
CLOCK_BEHIND = declare(
    NetworkError,
    "clock-behind",
    "the TLS certificate of {host} is not valid yet by the clock of this host: {cause}",
    "Set the time (`timedatectl set-ntp true`) and run the command again.",
)
HANDSHAKE_FAILED = declare(
    NetworkError,
    "handshake-failed",
    "no TLS handshake with {address} port {port}: {error}",
    "Look at `mst-cli server logs`.",
)
NETWORK_NOT_ENTERED = declare(
    NetworkError,
    "network-not-entered",
    "the container's network cannot be entered: {reason}",
    "Run it as root.",
)
NETWORK_TIMEOUT = declare(
    NetworkError,
    "network-timeout",
    "{host} did not answer in time",
    "Check firewall and proxy.",
)
NETWORK_UNREACHABLE = declare(
    NetworkError,
    "network-unreachable",
    "{host} cannot be reached: {error}",
    "Check DNS, firewall and proxy.",
)
PROGRAM_UNSAFE = declare(
    CheckError,
    "program-unsafe",
    "{found} can be changed by other users than root, and root would run what they put there",
    "Give it to root alone: `chown root:root {found}` and `chmod go-w {found}`. Or install the "
    "program where only root can write.",
)
PROXY_FAILED = declare(
    NetworkError,
    "proxy-failed",
    "the proxy refused the way to {host}",
    "Check https_proxy and no_proxy.",
)
