"""Where things lie on the host: the names that administrators, scripts and containers rely on.

Who runs this process decides: root and the agent use the places of the system, any other account its own
ones (those of the XDG base directories), because it is that of a rootless gateway.

Source: the vendor's file reference (docs/reference/files.md lists each with its owner and content).
"""

import os
import pwd

AGENT_USER = 65532
"""The agent's number, in its container and so on the host: one that systemd leaves unused and no account has.

Source: https://systemd.io/UIDS-GIDS/ (65520 to 65533). Without root the agent is the account instead.
"""

ROOTLESS = os.geteuid() not in (0, AGENT_USER)


def _home() -> str:
    """The home of the account; its shell's HOME may still be root's."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        # An account that systemd made for one service is in no list, and may have no HOME either.
        return os.environ.get("HOME", "").rstrip("/")


def _place(system: str, variable: str, default: str, name: str) -> str:
    """The place of the system, or the account's one: `name` below the directory in `variable`."""
    directory = os.environ.get(variable, "")
    return f"{directory if directory.startswith('/') else default}/{name}" if ROOTLESS else system


def _state(system: str, name: str) -> str:
    return _place(system, "XDG_STATE_HOME", f"{_HOME}/.local/state", name)


def state_of_account(home: str) -> str:
    """The state directory of the program where the account with this home runs it, as root finds it."""
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
# There while the verbose mode lasts (`mst-cli log level verbose`).
LOG_LEVEL = f"{CONFIGURATION}/log-level.json"

CERTIFICATES = f"{CONFIGURATION}/certs"
SITE_CERTIFICATE = f"{CERTIFICATES}/site.crt"
PRIVATE = f"{CONFIGURATION}/private"
# Of the directories with keys: the agent's group may go through to the chain, which is no secret.
PRIVATE_MODE = 0o710
SITE_KEY = f"{PRIVATE}/site.key"
SITE_PFX = f"{PRIVATE}/site.pfx"
GENERATIONS = f"{PRIVATE}/generations"
ACTIVE = f"{PRIVATE}/active"
# Where devices authenticate with name and password: what ocserv's library reads, the secret in the second.
CA_TRUST = f"{CONFIGURATION}/ca-trust"

# What the gateway serves: rendered on the host, from data that the agent hands over. The agent can read them.
ADMIN_SETTINGS = f"{CONFIGURATION}/admin-settings.json"
OCSERV_CONF = f"{CONFIGURATION}/ocserv.conf"
# The settings of this host that the gateway is rendered with (gateway/options.py).
GATEWAY_SETTINGS = f"{CONFIGURATION}/gateway-settings.json"
# The balancers that speak the PROXY protocol, one a line, for the traffic rules in its container.
BALANCERS = f"{CONFIGURATION}/balancers"
# The internal address that the gateway tries, on one line.
PROBE_URL = f"{CONFIGURATION}/probe-url"

# The agent and the monitor of the host talk through two directories: the agent writes into the first alone.
MESSAGES = f"{CONFIGURATION}/messages"
INBOX = f"{MESSAGES}/in"
OUTBOX = f"{MESSAGES}/out"

# The agent owns the files that it changes, in a separate directory; the names of the reference are links.
AGENT_DIRECTORY = f"{CONFIGURATION}/agent"
AGENT_CREDENTIAL = f"{AGENT_DIRECTORY}/agent.p12"
AGENT_SECRET = f"{AGENT_DIRECTORY}/agent-secret"
USUAL_NAMES = {
    AGENT_CREDENTIAL: f"{PRIVATE}/agent.p12",
    AGENT_SECRET: f"{PRIVATE}/agent-secret",
}

PROGRAMS = "/usr/sbin"
# Where the one file unpacks itself (scripts/boot.sh): the first of these that it can write to.
UNPACKED = (
    (_place("", "XDG_CACHE_HOME", f"{_HOME}/.cache", "mstunnel-setup"),)
    if ROOTLESS
    else ("/usr/lib/mstunnel-setup", "/var/lib/mstunnel-setup", "/run/mstunnel-setup")
)
# Where an administrator may put the archive of images that belongs to the program.
IMAGE_ARCHIVES = "/var/lib/mstunnel/images"
# What root did to the host; of a rootless gateway this is one half, and the account's STATE the other.
HOST_STATE = "/var/lib/mstunnel"
STATE = _state(HOST_STATE, "mstunnel")
SERVED_CONFIGURATION = f"{STATE}/configuration.json"
AGENT_CHANGES = f"{STATE}/changes.json"
# Key and settings of a backup while it is restored.
RESTORED = f"{STATE}/restored"
# What the containers write. The agent's is open to read, for a monitoring program of the host. The gateway is
# root in its container and could leave a program of root's: it writes where only root can go on the host.
AGENT_STATE_INSIDE = "/var/lib/mstunnel-agent"
SERVER_STATE_INSIDE = "/var/lib/mstunnel-server"
AGENT_STATE = _state(AGENT_STATE_INSIDE, "mstunnel-agent")
# For the textfile collector of a node exporter.
AGENT_METRICS = f"{AGENT_STATE}/metrics.prom"
SERVER_DIRECTORY = _state("/var/lib/mstunnel-gateway", "mstunnel-gateway")
SERVER_STATE = f"{SERVER_DIRECTORY}/state"
# That of root, for every caller.
HOST_LOG = "/var/log/mstunnel"
LOG = _state(HOST_LOG, "mstunnel/log")
SETUP_LOG = f"{LOG}/setup.log"
LOCK = _run("mstunnel-setup.lock")
# Of the release feed, which takes a minute where its server does not answer.
FEED_LOCK = _run("mstunnel-release-feed.lock")
# Sockets and drafts that are gone when a run ends.
RUN = _run("mstunnel")
# The name servers of the host, for a gateway that has an uplink.
RESOLVER = _run("mstunnel-resolv.conf")
QUADLET_DRAFTS = _run("mstunnel-quadlet")
PODMAN_SOCKET = _run("podman/podman.sock")
# Of Podman: images and containers.
CONTAINER_STORE = _place("/var/lib/containers", "XDG_DATA_HOME", f"{_HOME}/.local/share", "containers")
# What Podman makes for an account at its first call, whatever that call is.
OF_PODMAN = (
    _settings("", "containers"),
    _place("", "XDG_CACHE_HOME", f"{_HOME}/.cache", "containers"),
    CONTAINER_STORE,
)
QUADLETS = _settings("/etc/containers/systemd", "containers/systemd")
UNITS = _settings("/etc/systemd/system", "systemd/user")
TIMER_STAMPS = _place("/var/lib/systemd/timers", "XDG_DATA_HOME", f"{_HOME}/.local/share", "systemd/timers")
# What a boot leads to, in the words of the service manager that runs the gateway.
BOOT_TARGET = "default.target" if ROOTLESS else "multi-user.target"

SERVER = "mstunnel-server"
AGENT = "mstunnel-agent"
# Of the server in the system's journal; the agent's is its name.
SERVER_TAG = "ocserv"
