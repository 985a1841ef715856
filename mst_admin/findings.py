"""Findings about server configurations, sites and thresholds, each declared once.

Reference: docs/reference/mst-admin.md. Those about VPN profiles are in `profiles.findings`.
"""

from functools import partial

from mstunnel_setup.answers.finding import declare_finding

_warning = partial(declare_finding, fatal=False)

# Server configurations. What the gateway refuses about a value has one form.

_REFUSED = "{key} is {value}: {reason}"

NETWORK_INVALID = declare_finding("network", "network-invalid", _REFUSED, "{advice}")
IPV6_NETWORK_INVALID = declare_finding("ipv6_network", "ipv6-network-invalid", _REFUSED, "{advice}")
DNS_SERVER_INVALID = declare_finding("dns_servers", "dns-server-invalid", _REFUSED, "{advice}")
DNS_SUFFIX_INVALID = declare_finding("default_domain_suffix", "dns-suffix-invalid", _REFUSED, "{advice}")
SPLIT_DNS_INVALID = declare_finding("split_dns", "split-dns-invalid", _REFUSED, "{advice}")
ROUTE_INVALID = declare_finding("route_includes", "route-invalid", _REFUSED, "{advice}")
PORT_INVALID = declare_finding("listen_port", "port-invalid", _REFUSED, "{advice}")
CORPORATE_NETWORK_INVALID = declare_finding(
    "corporate_networks", "corporate-network-invalid", _REFUSED, "{advice}"
)
ADVANCED_SETTING_INVALID = declare_finding(
    "advanced_settings", "advanced-setting-invalid", _REFUSED, "{advice}"
)
ADVANCED_SETTING_MALFORMED = declare_finding(
    "advanced_settings",
    "advanced-setting-malformed",
    "advanced_settings has {name} = {value}: this is not a valid setting",
    "Write the ocserv name of a setting, such as idle-timeout, with a value.",
)
SETTING_MALFORMED = declare_finding(
    "advanced_settings", "setting-malformed", "--advanced {text} has no value", "Write NAME=VALUE."
)
SESSION_TIMEOUT_TWICE = declare_finding(
    "session_timeout",
    "session-timeout-twice",
    "session_timeout is also given as advanced setting {name}",
    "Remove one of them.",
)
SESSION_TIMEOUT_INVALID = declare_finding(
    "session_timeout",
    "session-timeout-invalid",
    "session_timeout is {value}: out of range",
    "Write a whole number of seconds from 1; 3600 is the default.",
)
ROUTES_TOO_MANY = declare_finding(
    "route_includes",
    "routes-too-many",
    "there are {count} split tunnelling rules: more than {most} are not allowed in total",
    "Join neighbouring ranges.",
)
NETWORK_NOT_APIPA = _warning(
    "network",
    "network-not-apipa",
    "network is {network}: not checked against your networks",
    "List your networks in `corporate_networks`, or use {safe}, which cannot overlap them.",
)
NETWORK_OVERLAP = _warning(
    "network",
    "network-overlap",
    "the address range for devices {network} overlaps your network {other}",
    "Devices cannot reach that network: use another range, such as 169.254.0.0/16.",
)
HOST_BITS_CUT = _warning(
    "network",
    "host-bits-cut",
    "{key} has {value}, which is an address in {network}",
    "Write {network}; this network is sent.",
)
UDP_OFF = _warning(
    "disable_udp_connections",
    "udp-off",
    "without UDP, only devices with Microsoft Defender for Endpoint can connect",
    "Move all devices to Microsoft Defender for Endpoint first.",
)

# Sites

PUBLIC_ADDRESS_INVALID = declare_finding(
    "public_address",
    "public-address-invalid",
    "public_address is {address}: it is neither a full domain name nor an IP address",
    "Write one such as gateway.contoso.com, without https:// and without a port.",
)
PUBLIC_ADDRESS_UNRESOLVED = _warning(
    "public_address",
    "public-address-unresolved",
    "public_address is {address}: the name does not resolve",
    "Publish it in public DNS before devices use the site.",
)
PUBLIC_ADDRESS_PRIVATE = _warning(
    "public_address",
    "public-address-private",
    "public_address is {address}: {private} cannot be reached from the internet",
    "Give an address that devices on the internet can reach.",
)
PROBE_URL_INVALID = declare_finding(
    "internal_network_probe_url",
    "probe-url-invalid",
    "internal_network_probe_url is {url}: {reason}",
    "Write an http or https address such as https://intranet.contoso.com/.",
)
WINDOW_TIME_INVALID = declare_finding(
    "upgrade_window",
    "window-time-invalid",
    "upgrade_window.{name} is {value}: it is not a time of day",
    "Write hours and minutes, such as 22:00.",
)
WINDOW_SHORT = declare_finding(
    "upgrade_window",
    "window-short",
    "upgrade_window is shorter than one hour",
    "Write an end at least one hour after the start; it may be on the next day.",
)
WINDOW_ZONE_MISSING = declare_finding(
    "upgrade_window",
    "window-zone-missing",
    "upgrade_window needs either a time zone or an offset",
    "Write the time zone of the site, such as Europe/Berlin.",
)
TIME_ZONE_UNKNOWN = declare_finding(
    "upgrade_window",
    "time-zone-unknown",
    "upgrade_window.time_zone is {value}: there is no such time zone{near}",
    "Write an IANA name, such as Europe/Berlin.",
)
UTC_OFFSET_INVALID = declare_finding(
    "upgrade_window",
    "utc-offset-invalid",
    "upgrade_window.utc_offset_minutes is {minutes}: it is too far from UTC",
    "Write minutes from -{farthest} to {farthest}.",
)
WINDOW_OFFSET_FIXED = _warning(
    "upgrade_window",
    "window-offset-fixed",
    "the tenant stores the current UTC offset of {zone}, not the time zone",
    "Apply again after each daylight saving change.",
)

# Thresholds

THRESHOLDS_EQUAL = declare_finding(
    "unhealthy",
    "thresholds-equal",
    "healthy and unhealthy are both {value}: they must differ",
    "Write two different values.",
)
THRESHOLDS_REVERSED = declare_finding(
    "unhealthy",
    "thresholds-reversed",
    "healthy is {healthy}, unhealthy {unhealthy}: {better} is better",
    "Write a value for healthy that is {order} the one for unhealthy.",
)
THRESHOLD_OUT_OF_RANGE = declare_finding(
    "healthy",
    "threshold-out-of-range",
    "{key} is {value}: {metric} never exceeds {highest}",
    "Write 0 to {highest}.",
)
METRIC_WITHOUT_THRESHOLDS = _warning(
    "metric",
    "metric-not-known",
    "{metric} is not a known metric with thresholds",
    "Use a name with one of these words: {words}. Gateways ignore others.",
)

# A tenant written as declarations

NAME_SHARED = _warning(
    "name",
    "name-ambiguous",
    "{count} objects of the kind {kind} are called {name}",
    "Rename all but one in the tenant: `apply` and `diff` find objects by name.",
)
