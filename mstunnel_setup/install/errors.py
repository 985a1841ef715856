"""Errors of `install`, each declared once (docs/reference/errors.md)."""

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

ACCOUNT_HALF_FAILED = declare(
    StepError,
    "account-half-failed",
    "the account {account} cannot take back its half",
    "Look at what it said above; without the account: `mstunnel-setup host --remove`.",
)
ACCOUNT_INSTALLED = declare(
    UsageError,
    "account-installed",
    "the gateway here is that of the account {installed}, not of {wanted}",
    "Go on as {installed}, or uninstall it first (`mst-cli uninstall`).",
)
ACCOUNT_OTHER = declare(
    UsageError,
    "account-other",
    "the gateway shall be that of the account {wanted}, and this is {value}",
    "Run it as {wanted} or with sudo, or correct the answer for account.",
)
ACCOUNT_ROOT = declare(
    UsageError,
    "account-root",
    "a rootless gateway does not run as root",
    "Name another account.",
)
ANSWER_FILE_MISSING = declare(
    UsageError,
    "answer-file-missing",
    "there is no answer file to check",
    "Name it with --answers FILE.",
)
CA_FILE_WITH_KEY = declare(
    UsageError,
    "ca-file-with-key",
    "{ca_file} holds a private key",
    "Give a file with certificates alone.",
)
CONTAINER_UNHEALTHY = declare(
    EngineError,
    "container-unhealthy",
    "the container {name} is {seen}",
    "Look at `mst-cli {name_2} logs`.",
)
ENGINE_INSTALLED = declare(
    UsageError,
    "engine-installed",
    "the gateway here runs on {installed}, not on {wanted}",
    "Uninstall it first (`mst-cli uninstall`), or leave out engine.",
)
ENVIRONMENT_TO_EDIT = declare(
    WaitingError,
    "environment-to-edit",
    "stopped so that you can edit {environment}",
    "Edit the file, then run the same command again; it continues here.",
)
EULA_DECLINED = declare(
    UsageError,
    "eula-declined",
    "the terms were not accepted; nothing was changed",
    "Run the command again and type yes, or put `eula: accept` into the answer file.",
)
GATEWAY_CONFIGURATION_REFUSED = declare(
    StepError,
    "gateway-configuration-refused",
    "ocserv refuses the configuration of this site: {error}",
    "Correct the server configuration in the admin center, then run again.",
)
IDENTITY_CHANGED = declare(
    TenantError,
    "identity-changed",
    "this server signs in with {known}, and the answers (identity) want another kind",
    "Leave identity as it was, or take the server out with `mst-cli uninstall` first.",
)
IMAGE_ARCHIVE_MISSING = declare(
    EngineError,
    "image-archive-missing",
    "this program names no registry for its images, and {archive} is neither beside it nor in "
    "{image_archives}",
    "Copy {archive} to {image_archives}, or give --offline FILE or images.registry.",
)
IMAGE_NOT_GATEWAY = declare(
    EngineError,
    "image-not-gateway",
    "the image {image} is not that of the gateway",
    "Correct images.server (perhaps the two images are swapped), then run again.",
)
IMAGE_NOT_IN_ARCHIVE = declare(
    EngineError,
    "image-not-in-archive",
    "{given} holds {holder}, not {missing}",
    "Give the archives that belong to these images, or correct the references.",
)
INSTALLATION_FINISHED = declare(
    UsageError,
    "installation-finished",
    "the installation is complete",
    "Remove it with `mst-cli uninstall`.",
)
MODE_BEGUN = declare(
    UsageError,
    "mode-begun",
    "an installation {root} was begun here",
    "Take it back first (`mstunnel-setup rollback`), or leave the mode as it is.",
)
MODE_INSTALLED = declare(
    UsageError,
    "mode-installed",
    "the gateway here was installed {root}",
    "Uninstall it first (`mst-cli uninstall`), or leave the mode as it is.",
)
NOT_SIGNED_IN = declare(
    SignInError,
    "not-signed-in",
    "this needs a signed-in account",
    "Run the step sign-in first.",
)
PASSPHRASE_UNEXPECTED = declare(
    UsageError,
    "passphrase-unexpected",
    "nothing here needs the passphrase {reference}",
    "Leave it out.",
)
PROGRAM_NOT_OF_ROOT = declare(
    CheckError,
    "program-not-of-root",
    "{source} is not for root to run: {found} can be changed by other users",
    "Have an administrator install it where only root can write (`install -m 755 {source} "
    "{programs}/{file}`), then run that one.",
)
PROGRAM_OLDER = declare(
    CheckError,
    "program-older",
    "this file is version {version}, and {installed} is installed",
    "Run the installed {file}, or go back on purpose with --ignore-check program-older.",
)
PROXY_OVERRULED = declare(
    StepError,
    "proxy-overruled",
    "{unit} gets {name}={seen}, not {value}",
    "Look for another drop-in: `systemctl cat {unit}`.",
)
ROOTLESS_NEEDS_PODMAN = declare(
    UsageError,
    "rootless-needs-podman",
    "without root the gateway runs on Podman only: rootless Docker cannot give it the tunnel device",
    "Leave out --engine docker, or --rootless (in the answer file: engine and mode).",
)
ROOTLESS_NEEDS_QUADLET = declare(
    EngineError,
    "rootless-needs-quadlet",
    "without root the containers are started by Quadlet: systemd, control groups v2, Podman 4.9",
    "Install what is missing, or install with root.",
)
ROOTLESS_NETWORK_MISSING = declare(
    EngineError,
    "rootless-network-missing",
    "containers without root need pasta or slirp4netns, and neither is installed",
    "Install passt, which brings pasta.",
)
ROOT_NEEDED = declare(
    WaitingError,
    "root-needed",
    "what needs the rights of root is not done: {why}",
    "Have an administrator run this, then run your command again:\nsudo {command}",
)
ROOT_NO_HOST = declare(
    UsageError,
    "root-no-host",
    "{root} is not the root of a host: it has no {missing}",
    "Name the folder where the file system of the host is mounted.",
)
ROOT_ROOTLESS = declare(
    UsageError,
    "root-rootless",
    "--root and --rootless do not go together",
    "Leave out one.",
)
SERVER_NOT_LISTED = declare(
    TenantError,
    "server-not-listed",
    "the tenant does not list this server",
    "Run the command again to register it.",
)
SERVER_RENAMED = declare(
    TenantError,
    "server-renamed",
    "the tenant knows this server as {name}, not as {application_name}",
    "Set server_name to the name it had, or take it out with `mst-cli uninstall` first.",
)
SITE_AMBIGUOUS = declare(
    TenantError,
    "site-ambiguous",
    "{count} sites are called {wanted}",
    "Give the GUID of one: {guids}.",
)
SITE_CHANGED = declare(
    TenantError,
    "site-changed",
    "this server belongs to the site {earlier}, not to {display_name}",
    "Take it out with `mst-cli uninstall` first, or correct the answer for site.",
)
SITE_MISSING = declare(
    TenantError,
    "site-missing",
    "no site has been chosen yet",
    "Run the step site first.",
)
SITE_NONE = declare(
    TenantError,
    "site-none",
    "the tenant has no site yet",
    "Create a site in the admin center, then run again.",
)
STEP_UNKNOWN = declare(
    UsageError,
    "step-unknown",
    "there is no step called {name}",
    "The steps are: {names}.",
)
UNINSTALL_DECLINED = declare(
    UsageError,
    "uninstall-declined",
    "nothing was removed",
    "Run it again and answer yes.",
)
WRONG_LEAF_SERVED = declare(
    NetworkError,
    "wrong-leaf-served",
    "port {port} serves another certificate than the one installed",
    "Look for another program on this port, then `mst-cli server restart`.",
)
