"""Errors and warnings of `install`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import (
    CheckError,
    EngineError,
    NetworkError,
    SignInError,
    StepError,
    TenantError,
    UsageError,
    WaitingError,
    declare,
)
from mstunnel_setup.result import declare_notice

ISSUER_OF_ANOTHER_TENANT = declare(
    UsageError,
    "issuer-of-another-tenant",
    "`tenant.issuer` names the tenant {named}, and this server is registered in {tenant}",
    "Correct `tenant.issuer`, or remove it: the default is the issuer of the tenant.",
)
ACCOUNT_PART_FAILED = declare(
    StepError,
    "account-part-failed",
    "account {account} cannot undo its part of the installation",
    "Fix what it reported above, then run the command again. To remove root's part anyway: "
    "`mstunnel-setup host --remove`.",
)
ACCOUNT_CANNOT_READ = declare(
    CheckError,
    "account-cannot-read",
    "account {account} cannot read {files}",
    "Give the account files that it can read, as root, and name the copies in the answers:{commands}",
)
ACCOUNT_INSTALLED = declare(
    UsageError,
    "account-installed",
    "the gateway on this host belongs to account {installed}, not to {wanted}",
    "Continue as {installed}, or uninstall the gateway first (`mst-cli uninstall`).",
)
GATEWAY_ACCOUNT_MISSING = declare(
    CheckError,
    "gateway-account-missing",
    "the gateway on this host belongs to account {account}, which does not exist any more",
    "Re-create the account with its home directory, or undo root's part: `mstunnel-setup host --remove`.",
)
ACCOUNT_OTHER = declare(
    UsageError,
    "account-other",
    "the gateway belongs to account {wanted}, but this is running as {account}",
    "Run the command as {wanted} or with sudo, or correct the answer `account`.",
)
ACCOUNT_ROOT = declare(
    UsageError, "account-root", "a rootless gateway cannot run as root", "Name another account."
)
ANSWER_FILE_MISSING = declare(
    UsageError, "answer-file-missing", "there is no answer file to check", "Give FILE or --answers FILE."
)
CA_FILE_WITH_KEY = declare(
    UsageError,
    "ca-file-with-key",
    "{ca_file} contains a private key",
    "Give a file that contains certificates only.",
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
ENGINE_INSTALLED = declare(
    UsageError,
    "engine-installed",
    "the gateway on this host runs on {installed}, not on {wanted}",
    "Uninstall it first (`mst-cli uninstall`), or leave out `engine`.",
)
ENVIRONMENT_TO_EDIT = declare(
    WaitingError,
    "environment-to-edit",
    "stopped so that you can edit {path}",
    "Edit the file, then run the same command again; it continues from here.",
)
EULA_DECLINED = declare(
    UsageError,
    "eula-declined",
    "the terms were not accepted; nothing was changed",
    "Run the command again and type yes, or set `eula: accept` in the answer file.",
)
GATEWAY_CONFIGURATION_REFUSED = declare(
    StepError,
    "gateway-configuration-refused",
    "ocserv rejects the server configuration of this site: {error}",
    "Correct the server configuration in the admin center, then run the command again.",
)
IDENTITY_CHANGED = declare(
    TenantError,
    "identity-changed",
    "this server signs in with {credential}, but the answer `identity` asks for another kind",
    "Restore the earlier `identity`, or remove this server with `mst-cli uninstall` first.",
)
IMAGE_ARCHIVE_MISSING = declare(
    EngineError,
    "image-archive-missing",
    "this program has no registry for its images, and {archive} is neither beside it nor in {image_archives}",
    "Copy {archive} to {image_archives}, or use --offline FILE or `images.registry`.",
)
IMAGE_NOT_GATEWAY = declare(
    EngineError,
    "image-not-gateway",
    "image {image} is not the gateway image",
    "Correct `images.server` (the two images may be swapped), then run the command again.",
)
IMAGE_NOT_IN_ARCHIVE = declare(
    EngineError,
    "image-not-in-archive",
    "{archives} contains {images}, but not {missing}",
    "Give the archives that contain these images, or correct the references.",
)
INSTALLATION_FINISHED = declare(
    UsageError,
    "installation-finished",
    "the installation is complete; there is nothing to roll back",
    "To remove it, run `mst-cli uninstall`.",
)
MODE_BEGUN = declare(
    UsageError,
    "mode-begun",
    "an unfinished installation {mode} exists on this host",
    "Roll it back first (`mstunnel-setup rollback`), or keep that mode.",
)
MODE_INSTALLED = declare(
    UsageError,
    "mode-installed",
    "the gateway on this host was installed {mode}",
    "Uninstall it first (`mst-cli uninstall`), or keep that mode.",
)
NOT_SIGNED_IN = declare(SignInError, "not-signed-in", "not signed in", "Run the step `sign-in` first.")
PASSPHRASE_UNEXPECTED = declare(
    UsageError,
    "passphrase-unexpected",
    "a passphrase is given ({reference}), but no key needs one",
    "Leave it out.",
)
PORT_IN_USE = declare(
    CheckError,
    "port-in-use",
    "port {port} is already in use: {programs}",
    "Stop that service, or choose another port in the server configuration in the admin center.",
)
PROGRAM_NOT_OF_ROOT = declare(
    CheckError,
    "program-not-of-root",
    "root cannot run {source} safely: other users can change {found}",
    "Have an administrator install it where only root can write (`install -m 755 {source} "
    "{programs}/{file}`), then run that copy.",
)
PROGRAM_OLDER = declare(
    CheckError,
    "program-older",
    "this program is version {version}, but version {installed} is installed",
    "Run the installed {file}. To downgrade, use --ignore-check program-older.",
)
LAB_ADDRESS_INVALID = declare(
    UsageError,
    "lab-address-invalid",
    "--lab: {address} is not an https address",
    "Copy the whole command that `mstunnel-lab serve` prints.",
)
LAB_CONNECTION_INVALID = declare(
    TenantError,
    "lab-connection-invalid",
    "{address} does not describe a lab tenant",
    "Check that `mstunnel-lab serve` runs there, in a version like this one.",
)
LAB_FINGERPRINT_MISSING = declare(
    UsageError,
    "lab-fingerprint-missing",
    "--lab: {address} comes without a fingerprint (`#sha256:` and 64 hex digits)",
    "Copy the whole command that `mstunnel-lab serve` prints.",
)
LAB_FINGERPRINT_WRONG = declare(
    NetworkError,
    "lab-fingerprint-wrong",
    "the root certificate of {address} has the fingerprint {found}, not {expected}; nothing was changed",
    "Copy the command that `mstunnel-lab serve` prints now. If its fingerprint is the same, another server "
    "answers in its place.",
)
PROXY_LEFT_OUT = declare_notice(
    "proxy-left-out",
    "{names} holds a password, which an answer file cannot; it is left out",
    "Set it in the shell on the next server, before you run mstunnel-setup there.",
)
PROXY_OVERRULED = declare(
    StepError,
    "proxy-overruled",
    "{unit} has {variable}={actual}, expected {expected}",
    "Find the other drop-in that sets it: `systemctl cat {unit}`.",
)
PROXY_PROTOCOL_FORGEABLE = declare(
    UsageError,
    "proxy-protocol-forgeable",
    "`proxy_protocol_from` is not safe here: Docker forwards IPv6 connections with the address of the host, "
    "so anyone could send the address of another device",
    "Install with Podman, or turn IPv6 off on this host (`net.ipv6.conf.all.disable_ipv6=1`), or write "
    "`proxy_protocol_from: []`.",
)
ROOTLESS_NEEDS_PODMAN = declare(
    UsageError,
    "rootless-needs-podman",
    "a rootless gateway needs Podman: rootless Docker cannot provide the tunnel device",
    "Leave out --engine docker or --rootless (in the answer file: `engine` and `mode`).",
)
ROOTLESS_NEEDS_QUADLET = declare(
    EngineError,
    "rootless-needs-quadlet",
    "a rootless gateway needs Quadlet: systemd, cgroup v2, Podman 4.9 or later",
    "Install what is missing, or install the gateway with root.",
)
ROOTLESS_NETWORK_MISSING = declare(
    EngineError,
    "rootless-network-missing",
    "rootless containers need pasta or slirp4netns; neither is installed",
    "Install the package passt, which provides pasta.",
)
ROOT_NEEDED = declare(
    WaitingError,
    "root-needed",
    "the steps that need root are not done: {why}",
    "{copy}Have an administrator run this command, then run yours again:\nsudo {command}",
)
ROOT_NO_HOST = declare(
    UsageError,
    "root-no-host",
    "{root} is not the root of a host's file system: {missing} is missing",
    "Give the directory where the host's file system is mounted.",
)
ROOT_ROOTLESS = declare(
    UsageError, "root-rootless", "--root and --rootless cannot be combined", "Leave out one of them."
)
SERVER_NOT_LISTED = declare(
    TenantError,
    "server-not-listed",
    "the tenant has no record of this server",
    "Run the command again to register the server.",
)
SERVER_RENAMED = declare(
    TenantError,
    "server-renamed",
    "the tenant knows this server as {name}, not as {application_name}",
    "Set `server_name` to the earlier name, or remove the server with `mst-cli uninstall` first.",
)
SITE_AMBIGUOUS = declare(
    TenantError, "site-ambiguous", "{count} sites are named {site}", "Give the GUID of one of them: {guids}."
)
SITE_CHANGED = declare(
    TenantError,
    "site-changed",
    "this server belongs to site {earlier}, not to {display_name}",
    "Remove it with `mst-cli uninstall` first, or correct the answer `site`.",
)
SITE_MISSING = declare(
    TenantError, "site-missing", "no site has been chosen yet", "Run the step `site` first."
)
SITE_NONE = declare(
    TenantError,
    "site-none",
    "the tenant has no site",
    "Create a site in the admin center, then run the command again.",
)
SITE_UNKNOWN = declare(TenantError, "site-unknown", "the tenant has no site {site}", "Give one of: {names}.")
STEP_TOO_EARLY = declare(
    UsageError,
    "step-too-early",
    "the step {name} writes into {directory}, which does not exist yet",
    "Run `mstunnel-setup step {maker}` first, or all steps with `mstunnel-setup`.",
)
STEP_UNKNOWN = declare(UsageError, "step-unknown", "there is no step {name}", "Use one of: {names}.")
TUN_MISSING = declare(
    CheckError,
    "tun-missing",
    "{device} is missing; the gateway cannot open a tunnel without it",
    "Load the module: `modprobe tun`.",
)
TUNNEL_DEVICE_CLOSED = declare(
    EngineError,
    "tunnel-device-closed",
    "the gateway cannot open its tunnel device {device}, even after a restart: {reason}",
    "Load the module (`modprobe tun`), check that `head -c 0 /dev/net/tun` works on the host, then run "
    "`mst-cli server restart` and this command again.",
)
UNINSTALL_DECLINED = declare(
    UsageError, "uninstall-declined", "nothing was removed", "Run the command again and answer yes."
)
ADOPTION_UNFINISHED = declare(
    UsageError,
    "adoption-unfinished",
    "the adoption of Microsoft's own gateway on this host is not finished",
    "Continue with `mstunnel-setup adopt switch`, or go back with `mstunnel-setup adopt rollback`.",
)
VENDOR_INSTALLED = declare(
    CheckError,
    "vendor-installed",
    "Microsoft's own gateway is installed here ({signs}); nothing was changed",
    "To take it over, start with `mstunnel-setup adopt plan`. To install from scratch, remove it first with "
    "its own `mst-cli uninstall`.",
)
WRONG_LEAF_SERVED = declare(
    NetworkError,
    "wrong-leaf-served",
    "port {port} serves another certificate than the installed one",
    "Check for another program on this port, then run `mst-cli server restart`.",
)

# Warnings

KEPT = declare_notice("kept", "left in place: {reason}", "Remove it by hand if you no longer need it.")
PROGRAM_IN_USE = declare_notice(
    "program-in-use",
    "{directory} was not removed: the program in it still runs (process {processes})",
    "Once it has ended, remove the directory by hand.",
)
PLACEHOLDERS_LEFT = declare_notice(
    "placeholders-left",
    "the manifest has placeholders: {placeholders}",
    "Replace each one with what it names, or create the Secrets with the commands at the top.",
)
PLAN_INCOMPLETE = declare_notice(
    "plan-incomplete",
    "the account's steps cannot be planned before the account exists",
    "Run root's part first: `mstunnel-setup host`.",
)
