"""Errors and warnings of `install` that several places raise."""

from mstunnel_setup.base.errors import (
    CheckError,
    EngineError,
    TenantError,
    WaitingError,
    declare,
)

ACCOUNT_CANNOT_READ = declare(
    CheckError,
    "account-cannot-read",
    "account {account} cannot read {files}",
    "Give the account files that it can read, as root, and name the copies in the answers:{commands}",
)
GATEWAY_ACCOUNT_MISSING = declare(
    CheckError,
    "gateway-account-missing",
    "the gateway on this host belongs to account {account}, which does not exist any more",
    "Re-create the account with its home directory, or undo root's part: `mstunnel-setup host --remove`.",
)
CERTIFICATE_AWAITED = declare(
    WaitingError,
    "certificate-awaited",
    "there is no TLS certificate yet; {places}",
    "Copy the certificate there, then run the command again.",
)
AGENT_NOT_CHECKED_IN = declare(
    TenantError,
    "agent-not-checked-in",
    "the agent has not checked in to the tenant: {reason}",
    "{hint}",
)
CONTAINER_UNHEALTHY = declare(
    EngineError,
    "container-unhealthy",
    "container {container} is {state}",
    "See why with `mst-cli {component} logs --tail 20`, then run `mst-cli {component} restart`.",
)
CONFIGURATION_NOT_APPLIED = declare(
    EngineError,
    "configuration-not-applied",
    "the gateway has not applied its configuration: {reason}",
    "See why with `mst-cli server logs --tail 20`, then run `mst-cli server restart`.",
)
PORT_IN_USE = declare(
    CheckError,
    "port-in-use",
    "port {port} is already in use: {programs}",
    "Stop that service, or choose another port in the server configuration in the admin center.",
)
SERVER_NOT_LISTED = declare(
    TenantError,
    "server-not-listed",
    "the tenant has no record of this server",
    "Run the command again to register the server.",
)
