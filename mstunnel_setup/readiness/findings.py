"""Findings of the checks, each declared once with the check it belongs to (docs/reference/readiness.md).

The code is the id of the check; `*` stands for what differs between checks of one kind. A check may find
different things, and its severity says how much a problem matters.
"""

from functools import partial

from mstunnel_setup.base.text import text
from mstunnel_setup.readiness.model import Outcome, declare_verdict

# Something is wrong; how bad that is depends on the severity of the check.
_problem = partial(declare_verdict, None)
# Something is doubtful, no matter how severe the check.
_warning = partial(declare_verdict, Outcome.WARNING)
# What the check needs could not be found out.
_unknown = partial(declare_verdict, Outcome.UNKNOWN)

# Hints of several findings.
_ALLOW = "Allow TCP 443 to it in firewall and proxy; test with `curl -v https://{host}`."
_AUDIT_RULE = (
    "An installation then adds rules for the gateway's files; run it again where one was made before."
)
_ENDPOINTS = "Fix the failed checks `endpoint-…` first."
_EXEMPT = "Exempt the Intune hosts from TLS inspection: the agent uses mutual TLS."
_LET_IN = "Allow it at the firewall, load balancer and NAT in front of that host."
_UPGRADE = "Upgrade to a version that `mst-readiness host` lists."

NOT_IN_TIME = _unknown("*", "{reason}", "Run it again; give it more time with --timeout.")
NOT_FOUND_OUT = _unknown("*", "{reason}", "{hint}")

# utils

MODULE_NOT_LOADED = _problem(
    "module-*", "{module} is not loaded", "Load it: `modprobe {module}`, or run with --fix."
)
MODULE_NOT_AT_BOOT = _problem(
    "module-*-boot",
    "no file loads {module} at boot",
    "Write one: `echo {module} >{file}`, or run with --fix.",
)
TUN_MISSING = _problem(
    "tun-device",
    "/dev/net/tun is missing",
    "Load its module: `modprobe tun`. In a container, pass the device through.",
)
IP_FORWARD_UNKNOWN = _unknown(
    "ip-forward", "net.ipv4.ip_forward cannot be read", "It must be 1: `sysctl net.ipv4.ip_forward` shows it."
)
IP_FORWARD_OFF = _problem(
    "ip-forward",
    "net.ipv4.ip_forward is {value}",
    "Set it: `sysctl -w net.ipv4.ip_forward=1`, or run with --fix.",
)
IP_FORWARD_NOT_AT_BOOT = _problem(
    "ip-forward-boot",
    "{seen}",
    "Set it there: `echo net.ipv4.ip_forward=1 >>/etc/sysctl.d/90-mstunnel.conf`, or run with --fix.",
)
ENGINES_MISSING = _problem("engine-present", "neither Podman nor Docker is installed", "{remedy}")
ENGINE_MISSING = _problem("engine-present", "{engine} is not installed", "{remedy}")
FORWARDING_UNLIMITED = _problem(
    "forwarding",
    "the host forwards packets for others: the rules that limit it to the gateway are not loaded",
    "Load them: `nft --file {rules}`.",
)
ENGINE_SLOW = _unknown("engine-running", "{seen}", "Measure it: `time {name} info`.")
ENGINE_DOWN = _problem("engine-running", "{name} does not answer{why}", "{remedy}")
ENGINE_VERSION_UNKNOWN = _unknown(
    "engine-version", "{name} does not report its version", "Check `{name} --version`."
)
ENGINE_OLD = _problem(
    "engine-version", "{name} {version} is older than {least}", "Update {name} to {least} or later."
)
ENGINE_BAD = _problem("engine-known-bad", "{name} {version}: {why}", "Update {name} to {below} or later.")
ENGINE_UNTESTED = _problem(
    "engine-tested",
    "{name} {version} is not among the tested ones ({tested})",
    "Expect it to work, and report it if it does not.",
)
ENGINE_UNSUPPORTED = _problem(
    "engine-shipped",
    "{name}; {system} supports {engine}",
    "Install {engine}, or expect no support from the vendor.",
)
ENGINE_NOT_UPDATED = _problem(
    "engine-shipped", "{name} {version} is older than {shipped}", "Install the distribution's updates."
)
USERNS_REMAPPED = _problem(
    "userns-remap",
    "userns-remap is {userns_remap}: containers cannot read the certificate's key",
    "Remove userns-remap from /etc/docker/daemon.json (or from the options of dockerd), then "
    "`systemctl restart docker`.",
)
AUDITD_INACTIVE = _problem(
    "auditd",
    "auditd is installed but not active",
    text(
        "Start it: `systemctl enable --now auditd`, or run with --fix. {audit_rule}", audit_rule=_AUDIT_RULE
    ),
)
AUDITD_MISSING = _problem(
    "auditd",
    "auditd is not installed",
    text("Install the package auditd (RHEL: audit). {audit_rule}", audit_rule=_AUDIT_RULE),
)

# host

BRIDGE_OVERLAP = _problem(
    "bridge-*",
    "{overlaps}",
    "Move the bridge during installation: set `bridge: {free}` in the answer file; this range is free here.",
)
BRIDGE_OVERLAP_EVERYWHERE = _problem(
    "bridge-*",
    "{overlaps}",
    "Reserve a range of your network for the bridge and set it as `bridge` in the answer file.",
)
POOL_OVERLAP = _problem(
    "pool-*", "{overlaps}", "Choose another range in the server configuration, such as 169.254.0.0/16."
)
RESOLVERS_MISSING = _problem(
    "resolvers",
    "/etc/resolv.conf has no DNS server",
    "Add the DNS servers of your network: `nameserver ADDRESS`.",
)
DEFAULT_ROUTE_MISSING = _warning("mtu", "there is no default route", "Add one; `ip route` shows the routes.")
MTU_TOO_SMALL = _problem("mtu", "{seen}: too small for IPv6 through the tunnel", "Raise it to 1280 or more.")
MTU_UNUSUAL = _problem(
    "mtu",
    "{seen}: less than the usual 1500",
    "Usual in clouds. If large pages stall in the tunnel, set `mtu` in the server configuration.",
)
IPV6_UNROUTED = _warning(
    "ipv6-network",
    "devices get addresses of {pool} that lead nowhere: {reason}",
    "`mst-cli help ipv6` says what the gateway needs; until then it refuses IPv6 of devices.",
)
IPV6_NOT_FORWARDED = _warning(
    "ipv6-network",
    "net.ipv6.conf.all.forwarding is {value}",
    "Run mstunnel-setup again: it sets this, and keeps the routes that routers advertise.",
)
IPV6_OFF = _warning(
    "ipv6-leak",
    "this kernel has no IPv6: devices get no IPv6 address and may send IPv6 outside the tunnel",
    "Boot without `ipv6.disable=1`; the host itself needs no IPv6 address.",
)
NOT_RUN_AS_ROOT = _problem(
    "root",
    "not running as root: firewall, SELinux ports and other programs are not visible",
    "Run it with sudo.",
)
ARCHITECTURE_UNSUPPORTED = _problem(
    "architecture", "the processor is {architecture}", "Use a 64-bit AMD or Intel machine."
)
PLATFORM_NOT_LISTED = _problem(
    "platform",
    "{name} is {listed} of {date}",
    "Expect no support from the vendor; `mst-readiness host` shows the list.",
)
PLATFORM_NO_LONGER_LISTED = _problem(
    "platform-end", "support of {name} has ended: last listed on {last_listed}", _UPGRADE
)
PLATFORM_ENDED = _problem("platform-end", "support of {name} ended on {ended}", _UPGRADE)
DEVICES_TOO_MANY = _problem(
    "devices",
    "{devices} devices need {servers} servers with {cpus} CPUs and {memory_gb} GB each",
    "Install that many servers in the site; --devices is the share of one server.",
)
CPUS_TOO_FEW = _problem("cpus", "{seen}", "Add CPUs to the machine.")
MEMORY_TOO_SMALL = _problem("memory", "{seen}", "Add memory to the machine.")
DISK_TOO_SMALL = _problem("disk", "{seen}", "Enlarge the file system: `df -h {store}`.")
DISK_FULL = _problem("disk-free", "{seen}", "Free 5 GB there: the images and their next version need it.")
CGROUP_MISSING = _problem(
    "cgroup", "there are none", "Mount /sys/fs/cgroup. In a container, pass it through."
)
CGROUP_OLD = _problem(
    "cgroup",
    "version 1, which Quadlet does not support",
    "The installation writes plain units instead. For Quadlet boot with "
    "`systemd.unified_cgroup_hierarchy=1` on the kernel command line.",
)
SYSTEMD_MISSING = _problem(
    "systemd",
    "systemd does not run this host",
    "Do what the engine does not do at boot: `mst-cli help without-systemd` lists it.",
)
SELINUX_PERMISSIVE = _problem(
    "selinux",
    "permissive: violations are only logged",
    "When no violations are logged: `setenforce 1`, and SELINUX=enforcing in /etc/selinux/config.",
)
SELINUX_DEVICES = _problem(
    "selinux",
    "enforcing: a rootless container cannot open /dev/net/tun",
    "Run `setsebool -P container_use_devices on`; it applies to all containers on this host.",
)
SELINUX_NETLINK = _problem(
    "selinux",
    "enforcing: the gateway cannot see how busy it is, and accepts ten connections a second at most",
    "Run `setsebool -P virt_sandbox_use_netlink on`, which applies to all containers on this host, and "
    "have the module unix_diag loaded at boot (modules-load.d).",
)
PORT_TYPES_UNKNOWN = _unknown(
    "selinux-proxy-port",
    "the port types cannot be read",
    "Install semanage (`dnf install policycoreutils-python-utils`), and run this as root.",
)
PROXY_PORT_UNLABELLED = _problem(
    "selinux-proxy-port",
    "{missing} is not of type http_port_t",
    "Run {commands} (-m in place of -a if it has a type), or run with --fix.",
)
PORT_IN_USE = _problem(
    "port-*",
    "{protocol} {port} is in use by {name} ({address})",
    "Stop that program (`ss -lptun` shows it), or give the server configuration another port.",
)
VENDOR_PRESENT = _problem("vendor-gateway", "{signs}", "Take it over: `mstunnel-setup adopt plan`.")
FIREWALL_UNKNOWN = _unknown(
    "firewall-*", "{where}: the rules cannot be evaluated", "Make sure {protocol} {port} is allowed."
)
FIREWALL_CLOSED = _warning("firewall-*", "{where}: not allowed", "{remedy}")

# network

ENDPOINT_UNRESOLVED = _problem(
    "endpoint-*", "{host}: {reason}", "Check DNS (`getent ahosts {host}`), or set a proxy in https_proxy."
)
ENDPOINT_UNREACHABLE = _problem("endpoint-*", "{host}{through}: {error}", _ALLOW)
ARCHIVE_MISSING = _problem(
    "endpoint-*",
    "the images come from an archive, and {archive} is neither beside the program nor in {place}",
    "Copy the archive of this release there, or use --offline FILE or `images.registry`.",
)
ENDPOINT_PARTLY_REACHABLE = _warning(
    "endpoint-*", "{host}: {bad} of {attempts} addresses fail ({names}: {error})", _ALLOW
)
DNS_BEHIND_PROXY = _warning("dns", "{seen}", "Check that this is intended: the proxy resolves them.")
DNS_FAILS = _problem(
    "dns",
    "{seen}",
    "Check the DNS servers in /etc/resolv.conf (`getent ahosts {host}`); if only a proxy resolves "
    "them, set https_proxy.",
)
PROXY_UNREACHABLE = _problem(
    "proxy-connects",
    "{through}: {error}",
    "Check https_proxy, and that the proxy allows this host: `curl -v --proxy http://{through} "
    "https://{target}`.",
)
HTTP_UNKNOWN = _unknown("http-answers", "no server answered HTTP", _ENDPOINTS)
HTTP_UNEXPECTED = _problem(
    "http-answers",
    "{host} returned HTTP {status}, expected {expected}",
    "Check which server responds: `curl -v https://{host}`.",
)
CLIENT_CERTIFICATE_FAILS = _problem("client-certificate", "{seen}", _EXEMPT)
CLIENT_CERTIFICATE_LOST = _problem(
    "client-certificate",
    "{host}, with a client certificate, returned HTTP {status}, expected {expected}",
    _EXEMPT,
)
INSPECTION_UNKNOWN = _unknown("inspection", "no certificate was seen", _ENDPOINTS)
TLS_INSPECTED = _problem(
    "inspection",
    "{host} presents a certificate of {issuer}, {known}",
    text(
        "{exempt} To continue regardless, put its root below /etc/mstunnel/ca-trust and use "
        "--ignore-check inspection.",
        exempt=_EXEMPT,
    ),
)
CLOCK_UNKNOWN = _unknown("clock", "no server reported its time", "Compare `date --utc` with another clock.")
CLOCK_WRONG = _problem("clock", "{seen}", "{hint}")
CLOCK_DRIFTS = _warning("clock", "{seen}", "{hint}")
PATH_MTU_UNKNOWN = _unknown("path-mtu", "no connection was made", _ENDPOINTS)
PATH_MTU_TOO_SMALL = _problem(
    "path-mtu", "{least} bytes", "Find the link with an MTU below 1280: `tracepath {host}`."
)
PROXY_WITH_PASSWORD = _problem(
    "proxy-credentials",
    "user name or password in {places}",
    "Write only http://host:port there; the proxy must allow this host without a password.",
)
PROXY_NOT_HTTP = _problem("proxy-address", "{addresses}", "Write http://host:port, also for https_proxy.")
PROXIES_DIFFER = _problem(
    "proxy-same",
    "{differences}",
    "Make them the same. With a gateway here the one in env.sh counts: `mst-cli install` writes it to"
    " all places.",
)
PROXY_NOT_EVERYWHERE = _problem(
    "proxy-places", "{name} is {value} in {place}, but not named in {missing}", "{hint}"
)
NO_PROXY_MISSING = _problem(
    "proxy-no-proxy",
    "no_proxy is not set",
    "Name what is reached without it, such as no_proxy=localhost,127.0.0.1,.contoso.com.",
)

# certificate

CERTIFICATE_MISSING = _problem(
    "certificate-present",
    "no certificate yet",
    "Put it at {certificate} and {key}, or name it with --cert and --key or with --pfx.",
)
CERTIFICATE_UNUSABLE = _problem("certificate-readable", "{problem}", "{hint}")
CERTIFICATE_EXPIRES = _problem(
    "certificate-days-left", "{days_left} days", "Renew it and import it with `mst-cli import_cert`."
)
CERTIFICATE_REFUSED = _problem("certificate-*", "{findings}", "{hint}")
CERTIFICATE_DOUBTFUL = _warning("certificate-*", "{findings}", "{hint}")

# account

SIGN_IN_FAILED = _problem("account-sign-in", "{error}", "{hint}")
ROLE_UNKNOWN = _unknown(
    "account-role",
    "the token names no roles",
    "Check in Entra that the account has the active role Intune Administrator.",
)
ROLE_MISSING = _problem(
    "account-role",
    "neither Intune Administrator nor Global Administrator",
    "Assign or activate one of these roles in Entra, then sign in again.",
)
LICENCE_UNKNOWN = _unknown(
    "account-licence",
    "the tenant does not report it",
    "Check in the admin center that the account has an Intune licence.",
)
LICENCE_MISSING = _problem(
    "account-licence", "the account has no Intune licence", "Assign one: registering a server requires it."
)
SITES_UNKNOWN = _unknown(
    "account-sites", "the sites cannot be read", "Check in the admin center that there is a site to join."
)
SITES_MISSING = _problem(
    "account-sites",
    "the tenant has no site",
    "Create a server configuration, then a site: in the admin center, or with `mst-admin config "
    "create` and `mst-admin site create`.",
)
GATEWAY_APP_UNKNOWN = _unknown(
    "account-gateway-app",
    "the applications of the tenant cannot be read",
    "Check with `mst-admin conditional-access status`.",
)
GATEWAY_APP_MISSING = _problem(
    "account-gateway-app",
    "Microsoft Tunnel Gateway is not in the tenant",
    "Conditional Access policies need it: run `mst-admin conditional-access provision`.",
)

# inbound

PROBE_FAILED = _unknown(
    "inbound-*", "{error}", "Probe it from another host: `mst-readiness inbound --probe HOST:PORT`."
)
PROBE_MISSING = _problem("inbound-*", "no probe arrived at {protocol} {port}", _LET_IN)
GATEWAY_RUNNING = _unknown(
    "inbound-*",
    "a running gateway does not answer UDP probes",
    "Stop the gateway, run `mst-readiness inbound --from HOST` there, then probe again.",
)
PROBE_UNANSWERED = _problem("inbound-*", "{expected} did not answer over {protocol}", _LET_IN)
