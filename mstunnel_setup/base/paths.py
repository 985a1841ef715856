"""Paths on the host: the names that administrators, scripts and containers rely on.

They depend on the account of this process. Root and the agent use the system's directories; any other account
runs a rootless gateway and uses its own, those of the XDG base directory specification.

Source: the vendor's file reference (docs/reference/files.md lists each with its owner and content).
"""

import os
import pwd

AGENT_USER = 65532
"""The agent's user id, in its container and on the host: systemd leaves it unused and no account has it.

Source: https://systemd.io/UIDS-GIDS/ (65520 to 65533). Without root the agent runs as the account instead.
"""

ROOTLESS = os.geteuid() not in (0, AGENT_USER)


def _home() -> str:
    """Return the home directory of the account; HOME may still be root's, from its shell."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        # A dynamic user of systemd has no passwd entry, and may have no HOME either.
        return os.environ.get("HOME", "").rstrip("/")


def _place(system: str, variable: str, default: str, name: str) -> str:
    """Return `system`, or for a rootless account `name` below the directory in `variable`."""
    directory = os.environ.get(variable, "")
    return f"{directory if directory.startswith('/') else default}/{name}" if ROOTLESS else system


def _state(system: str, name: str) -> str:
    return _place(system, "XDG_STATE_HOME", f"{_HOME}/.local/state", name)


def state_of_account(home: str) -> str:
    """Return the state directory, as root sees it, of the account with this home directory."""
    return f"{home}/.local/state/mstunnel"


def _settings(system: str, name: str) -> str:
    return _place(system, "XDG_CONFIG_HOME", f"{_HOME}/.config", name)


def _run(name: str) -> str:
    return _place(f"/run/{name}", "XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}", name)


_HOME = _home() if ROOTLESS else "/root"

CONFIGURATION = "/etc/mstunnel"
EULA_ACCEPTED = f"{CONFIGURATION}/EulaAccepted"
ENVIRONMENT = f"{CONFIGURATION}/env.sh"
AGENT_INFO = f"{CONFIGURATION}/agent-info.json"
AGENT_SETTINGS = f"{CONFIGURATION}/AgentSettings.json"
VERSION_INFO = f"{CONFIGURATION}/version-info.json"
IMAGES_CONFIGURED = f"{CONFIGURATION}/images_configured"
HEALTH_THRESHOLDS = f"{CONFIGURATION}/health-thresholds.json"
HOST_ADDRESSES = f"{CONFIGURATION}/host-addresses"
OIDC_JSON = f"{CONFIGURATION}/oidc.json"
# Exists while verbose mode is on (`mst-cli log level verbose`).
LOG_LEVEL = f"{CONFIGURATION}/log-level.json"

CERTIFICATES = f"{CONFIGURATION}/certs"
SITE_CERTIFICATE = f"{CERTIFICATES}/site.crt"
PRIVATE = f"{CONFIGURATION}/private"
# Mode of directories with keys: the agent's group may traverse them to read the chain, which is not secret.
PRIVATE_MODE = 0o710
SITE_KEY = f"{PRIVATE}/site.key"
SITE_PFX = f"{PRIVATE}/site.pfx"
GENERATIONS = f"{PRIVATE}/generations"
ACTIVE = f"{PRIVATE}/active"
# Additional root certificates that the programs trust (`mst-cli ca-trust`).
CA_TRUST = f"{CONFIGURATION}/ca-trust"

# Files of the gateway, rendered on the host from data that the agent sends. The agent can read them.
ADMIN_SETTINGS = f"{CONFIGURATION}/admin-settings.json"
OCSERV_CONF = f"{CONFIGURATION}/ocserv.conf"
# The settings of this host for rendering the gateway's configuration (gateway/options.py).
GATEWAY_SETTINGS = f"{CONFIGURATION}/gateway-settings.json"
# Load balancers that use the PROXY protocol, one per line, for the traffic rules in the gateway's container.
BALANCERS = f"{CONFIGURATION}/balancers"
# The internal address that the gateway probes, on one line.
PROBE_URL = f"{CONFIGURATION}/probe-url"

# The agent and the monitor exchange messages in two directories. The agent can write to the first one only.
MESSAGES = f"{CONFIGURATION}/messages"
INBOX = f"{MESSAGES}/in"
OUTBOX = f"{MESSAGES}/out"

# The agent owns the files that it changes, in a separate directory. The vendor's names are links to them.
AGENT_DIRECTORY = f"{CONFIGURATION}/agent"
AGENT_CREDENTIAL = f"{AGENT_DIRECTORY}/agent.p12"
AGENT_SECRET = f"{AGENT_DIRECTORY}/agent-secret"
USUAL_NAMES = {
    AGENT_CREDENTIAL: f"{PRIVATE}/agent.p12",
    AGENT_SECRET: f"{PRIVATE}/agent-secret",
}

PROGRAMS = "/usr/sbin"
# The directories in which the single-file program may unpack itself (scripts/bundle/boot.sh): it takes the
# first writable one.
UNPACKED = (
    (_place("", "XDG_CACHE_HOME", f"{_HOME}/.cache", "mstunnel-setup"),)
    if ROOTLESS
    else ("/usr/lib/mstunnel-setup", "/var/lib/mstunnel-setup", "/run/mstunnel-setup")
)
# The directory in which an administrator may put this release's image archive.
IMAGE_ARCHIVES = "/var/lib/mstunnel/images"
# Root's state of the host. A rootless gateway has a second half, the account's STATE.
HOST_STATE = "/var/lib/mstunnel"
STATE = _state(HOST_STATE, "mstunnel")
# State of mst-admin, which needs no gateway on its host.
ADMIN_STATE = _state("/var/lib/mst-admin", "mst-admin")
SERVED_CONFIGURATION = f"{STATE}/configuration.json"
AGENT_CHANGES = f"{STATE}/changes.json"
# The key and settings of a backup during its restore.
RESTORED = f"{STATE}/restored"
# State that the containers write. The agent's is readable for the host's monitoring programs. The gateway is
# root in its container and could leave a set-user-ID program there, so only root can enter its directory on
# the host.
AGENT_STATE_INSIDE = "/var/lib/mstunnel-agent"
SERVER_STATE_INSIDE = "/var/lib/mstunnel-server"
AGENT_STATE = _state(AGENT_STATE_INSIDE, "mstunnel-agent")
# Read by the textfile collector of a node exporter.
AGENT_METRICS = f"{AGENT_STATE}/metrics.prom"
SERVER_DIRECTORY = _state("/var/lib/mstunnel-gateway", "mstunnel-gateway")
SERVER_STATE = f"{SERVER_DIRECTORY}/state"
# The log directory of root, whatever account runs this process.
HOST_LOG = "/var/log/mstunnel"
LOG = _state(HOST_LOG, "mstunnel/log")
SETUP_LOG = f"{LOG}/setup.log"
LOCK = _run("mstunnel-setup.lock")
# A separate lock for the release feed, which takes a minute if its server does not respond.
FEED_LOCK = _run("mstunnel-release-feed.lock")
# Sockets and drafts, which are removed when a run ends.
RUN = _run("mstunnel")
# The host's name servers, for a gateway that has an uplink.
RESOLVER = _run("mstunnel-resolv.conf")
QUADLET_DRAFTS = _run("mstunnel-quadlet")
PODMAN_SOCKET = _run("podman/podman.sock")
# Podman's images and containers.
CONTAINER_STORE = _place("/var/lib/containers", "XDG_DATA_HOME", f"{_HOME}/.local/share", "containers")
# Podman makes these directories for an account at its first call, whatever that call is.
OF_PODMAN = (
    _settings("", "containers"),
    _place("", "XDG_CACHE_HOME", f"{_HOME}/.cache", "containers"),
    CONTAINER_STORE,
)
QUADLETS = _settings("/etc/containers/systemd", "containers/systemd")
UNITS = _settings("/etc/systemd/system", "systemd/user")
TIMER_STAMPS = _place("/var/lib/systemd/timers", "XDG_DATA_HOME", f"{_HOME}/.local/share", "systemd/timers")
# The default target of the service manager that runs the gateway.
BOOT_TARGET = "default.target" if ROOTLESS else "multi-user.target"

SERVER = "mstunnel-server"
AGENT = "mstunnel-agent"
# The gateway's identifier in the system's journal; the agent's is its container name.
SERVER_TAG = "ocserv"
