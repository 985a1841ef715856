"""Where things lie on the host: the names that administrators, scripts and containers rely on.

Source: the vendor's file reference (docs/reference/files.md lists each with its owner and content).
"""

CONFIGURATION = "/etc/mstunnel"
EULA_ACCEPTED = f"{CONFIGURATION}/EulaAccepted"
ENVIRONMENT = f"{CONFIGURATION}/env.sh"
ADMIN_SETTINGS = f"{CONFIGURATION}/admin-settings.json"
AGENT_INFO = f"{CONFIGURATION}/agent-info.json"
AGENT_SETTINGS = f"{CONFIGURATION}/AgentSettings.json"
VERSION_INFO = f"{CONFIGURATION}/version-info.json"
IMAGES_CONFIGURED = f"{CONFIGURATION}/images_configured"
OCSERV_CONF = f"{CONFIGURATION}/ocserv.conf"
HEALTH_THRESHOLDS = f"{CONFIGURATION}/health-thresholds.json"
OIDC_JSON = f"{CONFIGURATION}/oidc.json"
# There while the verbose mode lasts (`mst-cli log level verbose`).
LOG_LEVEL = f"{CONFIGURATION}/log-level.json"

CERTIFICATES = f"{CONFIGURATION}/certs"
SITE_CERTIFICATE = f"{CERTIFICATES}/site.crt"
PRIVATE = f"{CONFIGURATION}/private"
SITE_KEY = f"{PRIVATE}/site.key"
SITE_PFX = f"{PRIVATE}/site.pfx"
AGENT_CREDENTIAL = f"{PRIVATE}/agent.p12"
AGENT_SECRET = f"{PRIVATE}/agent-secret"
GENERATIONS = f"{PRIVATE}/generations"
ACTIVE = f"{PRIVATE}/active"
CA_TRUST = f"{CONFIGURATION}/ca-trust"

PROGRAMS = "/usr/sbin"
# Where the one file unpacks itself (scripts/boot.sh).
UNPACKED = "/var/cache/mstunnel-setup"
STATE = "/var/lib/mstunnel"
# What the containers write; unlike STATE it is open to read, for a monitoring program of the host.
AGENT_STATE = "/var/lib/mstunnel-agent"
SERVER_STATE = "/var/lib/mstunnel-server"
LOG = "/var/log/mstunnel"
SETUP_LOG = f"{LOG}/setup.log"
LOCK = "/run/mstunnel-setup.lock"
QUADLETS = "/etc/containers/systemd"
UNITS = "/etc/systemd/system"

SERVER = "mstunnel-server"
AGENT = "mstunnel-agent"
# Of the server in the system's journal; the agent's is its name.
SERVER_TAG = "ocserv"
