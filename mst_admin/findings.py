"""Findings that several rules report; all others are written where they are found."""

from mstunnel_setup.answers.finding import declare_finding

# What the gateway refuses about a value has one form.
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

RETIRED_CLIENT = declare_finding(
    "connection_type",
    "retired-client",
    "on Android the connection type {connection} is the retired stand-alone client",
    "Create a new profile without connection_type; the type of a profile cannot be changed.",
    fatal=False,
)
RULE_KEY_WITHOUT_EFFECT = declare_finding(
    "on_demand_rules",
    "rule-key-without-effect",
    "on-demand rule {number} uses {keys} without {needed}",
    "Remove this, or write {instead}.",
)
EU_DATA_BOUNDARY = declare_finding(
    "custom_settings",
    "eu-data-boundary",
    "eu_data_boundary is wanted, but Defender's threat protection is on, which does not comply with it",
    "Add the custom setting {setting}.",
)
PROFILE_NOT_DECLARABLE = declare_finding(
    "profiles",
    "profile-not-declarable",
    "{profile}: a file cannot hold {what}",
    "`apply` leaves it unchanged in this tenant; if the profile is re-created, set it by hand.",
    fatal=False,
)

APP_KEY = declare_finding("platform", "app-key", "{key} is only for {other}", "Remove it.")
APP_CONFIG_KEY = declare_finding(
    "channel", "app-config-key", "{key} is only for {other}", "Remove it, or change channel or platform."
)
APP_CONFIG_APP_ID = declare_finding(
    "apps",
    "app-config-app-id",
    "“{name}” is not the id of a package or bundle",
    "Write one such as com.microsoft.scmx.",
)
APP_CONFIG_NOT_DECLARABLE = declare_finding(
    "app_configurations",
    "app-config-not-declarable",
    "{name}: a file cannot hold {what}",
    "`apply` leaves it unchanged in this tenant; if the object is re-created, set it by hand.",
    fatal=False,
)
