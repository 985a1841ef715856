"""Findings about VPN profiles, each declared once (docs/reference/mst-admin.md)."""

from functools import partial
from typing import Final

from mstunnel_setup.answers.finding import declare_finding

_warning = partial(declare_finding, fatal=False)
_SETTINGS: Final = "custom_settings"
_RULES: Final = "on_demand_rules"

KEY_OF_ANOTHER_PLATFORM = declare_finding(
    "platform", "key-of-another-platform", "{key} is for {other} only", "Remove it."
)

# Proxy

PROXY_INCOMPLETE = declare_finding(
    "proxy", "proxy-incomplete", "proxy needs either address and port, or pac_url", "Set one of the two."
)
PAC_URL_INVALID = declare_finding(
    "proxy",
    "pac-url-invalid",
    "proxy.pac_url is “{url}”: it is not an http or https address",
    "Write the full address of the script.",
)
PROXY_ADDRESS_INVALID = declare_finding(
    "proxy",
    "proxy-address-invalid",
    "proxy.address is “{address}”: it is neither a host name nor an IP address",
    "Write the host alone, the port in proxy.port.",
)
PROXY_PORT_INVALID = declare_finding(
    "proxy", "proxy-port-invalid", "proxy.port is missing or not a port", "Write 1 to 65535."
)
EXCLUSIONS_ALONE = declare_finding(
    "proxy_exclusions",
    "exclusions-without-direct-proxy",
    "proxy_exclusions count only with one direct proxy",
    "Give proxy.address and proxy.port, or remove them.",
)
EXCLUSION_MALFORMED = declare_finding(
    "proxy_exclusions",
    "exclusion-malformed",
    "“{entry}”: {reason}",
    "Write sub.contoso.com, *.contoso.com, or an IPv4 or IPv6 address.",
)
EXCLUSION_REPEATED = _warning(
    "proxy_exclusions", "exclusion-repeated", "“{entry}” is listed more than once", "Remove one of them."
)

# Android

RETIRED_CLIENT = _warning(
    "connection_type",
    "retired-client",
    "on Android the connection type {connection} is the retired stand-alone client",
    "Create a new profile without connection_type; the type of a profile cannot be changed.",
)
PER_APP_STARTS_BY_HAND = _warning(
    "apps",
    "per-app-starts-by-hand",
    "on Android, starting an app does not start the VPN",
    "Add always_on: true, or ask users to connect first.",
)
PROXY_NEEDS_ANDROID_10 = _warning(
    "proxy",
    "proxy-needs-android-10",
    "devices with a version of Android before 10 do not use the proxy",
    "Exclude them with a group or filter.",
)
ALWAYS_ON_NEEDS_RESTRICTIONS = _warning(
    "always_on",
    "always-on-needs-restrictions",
    "corporate-owned devices also need always-on VPN in a device restrictions profile",
    "Set it there, under Connectivity.",
)
IPV6_BESIDE_TUNNEL = _warning(
    "lockdown",
    "ipv6-beside-tunnel",
    "a client without an IPv6 address sends the device's IPv6 traffic outside the full tunnel",
    "Add always_on: true and lockdown: true: Android then blocks what the tunnel does not carry.",
)
LOCKDOWN_NEEDS_ALWAYS_ON = declare_finding(
    "lockdown", "lockdown-needs-always-on", "lockdown requires always-on VPN", "Add always_on: true."
)
LOCKDOWN_EXCLUSIONS_ALONE = declare_finding(
    "lockdown_exclusions",
    "lockdown-exclusions-alone",
    "lockdown_exclusions count only with lockdown",
    "Add lockdown: true, or remove them.",
)

# Apps

APPS_TOO_MANY = declare_finding("apps", "apps-too-many", "there are more than {most} apps", "Remove some.")
APP_ID_INVALID = declare_finding(
    "apps",
    "app-id-invalid",
    "“{name}” is not the id of a package or bundle",
    "Write one such as com.microsoft.emmx.",
)

# iOS

RULES_TOO_MANY = declare_finding(
    _RULES, "rules-too-many", "there are more than {most} on-demand rules", "Join some."
)
RULE_INCOMPLETE = declare_finding(
    _RULES,
    "rule-incomplete",
    "on-demand rule {number}: evaluate needs domain_action and domains",
    "Add them, or choose another action.",
)
RULE_KEY_WITHOUT_EFFECT = declare_finding(
    _RULES,
    "rule-key-without-effect",
    "on-demand rule {number} uses {keys} without {needed}",
    "Remove this, or write {instead}.",
)
RULE_URL_INVALID = declare_finding(
    _RULES,
    "rule-url-invalid",
    "on-demand rule {number}: {key} is not an http or https address",
    "Write a full address.",
)
PER_APP_AND_ON_DEMAND = _warning(
    _RULES,
    "per-app-and-on-demand",
    "per-app VPN and on-demand rules together start the VPN in two ways",
    "Choose one of them.",
)
PER_APP_IGNORES_SPLIT_RULES = _warning(
    "per_app",
    "per-app-ignores-split-rules",
    "with per-app VPN, iOS ignores the split tunnelling rules that the site {has}",
    "Expect all traffic of the apps in the tunnel, or remove the rules.",
)
DOMAINS_WITHOUT_PER_APP = declare_finding(
    "per_app",
    "domains-without-per-app",
    "domains for Safari, associated and excluded domains count only with per-app VPN",
    "Add per_app: true, or remove them.",
)

# Settings of Microsoft Defender for Endpoint

CUSTOM_SETTINGS_TOO_MANY = declare_finding(
    _SETTINGS, "custom-settings-too-many", "there are more than {most} custom settings", "Remove some."
)
CUSTOM_SETTING_VALUE = declare_finding(
    _SETTINGS,
    "custom-setting-value",
    "custom_settings.{name} is “{value}”: it must be {allowed}",
    "Write {allowed}.",
)
CUSTOM_SETTING_SPELLING = declare_finding(
    _SETTINGS,
    "custom-setting-spelling",
    "custom_settings.{name} is spelled differently: the key is {spelled}",
    "Write {spelled}.",
)
CUSTOM_SETTING_UNKNOWN = _warning(
    _SETTINGS,
    "custom-setting-unknown",
    "custom_settings.{name} is not documented for this platform",
    "Check the name: documented are {known}. Others are passed on unchanged.",
)
CUSTOM_SETTING_WITHOUT_EFFECT = _warning(
    _SETTINGS,
    "custom-setting-without-effect",
    "custom_settings.defendertoggle: 0 switches Defender off, so {names} have no effect",
    "Remove them, or leave defendertoggle at 1.",
)
WORK_PROFILE_SWITCHES = declare_finding(
    _SETTINGS,
    "work-profile-switches",
    "antiphishing is {antiphishing} and vpn is {vpn}: in a work profile, different values switch both off",
    "Set both to the same value, or platform to android-device-owner.",
)
EU_DATA_BOUNDARY = declare_finding(
    _SETTINGS,
    "eu-data-boundary",
    "eu_data_boundary is wanted, but Defender's threat protection is on, which does not comply with it",
    "Add the custom setting {setting}.",
)
PER_APP_LIMITS_WEB_PROTECTION = _warning(
    "apps",
    "per-app-limits-web-protection",
    "web protection covers only the apps in the list of the per-app VPN",
    "Add all browsers of the work profile to apps.",
)
AUTO_ONBOARD_NEEDS_WEB_PROTECTION = declare_finding(
    _SETTINGS,
    "auto-onboard-needs-web-protection",
    "custom_settings.AutoOnboard counts only with WebProtection, which is off",
    "Set WebProtection to True, or remove AutoOnboard.",
)
AUTO_ONBOARD_NEEDS_CONNECT_RULE = declare_finding(
    _SETTINGS,
    "auto-onboard-needs-connect-rule",
    "custom_settings.AutoOnboard needs an on-demand rule that connects",
    "Add on_demand_rules with `- action: connect`.",
)
TUNNEL_ONLY_CONFLICT = declare_finding(
    _SETTINGS,
    "tunnel-only-conflict",
    "custom_settings.TunnelOnly switches Defender off, so WebProtection and AutoOnboard cannot be on",
    "Remove them, or TunnelOnly.",
)
DISCONNECT_ON_SLEEP = _warning(
    _RULES,
    "disconnect-on-sleep",
    "with web protection on, tunnel and protection both end when the device sleeps",
    "Add an on-demand rule `- action: connect`, or set TunnelOnly to True.",
)

# Assignment

GROUP_BOTH_WAYS = declare_finding(
    "excluded_groups",
    "group-both-ways",
    "the group {group} is both included and excluded",
    "Remove it from one list.",
)
NOT_ASSIGNED = _warning(
    "groups",
    "not-assigned",
    "the {what} is not assigned to any user",
    "Add groups by id, or all_users: true.",
)

# Trusted roots

TRUSTED_ROOT_NAME = declare_finding(
    "name",
    "trusted-root-name",
    "{name} is the name of a trusted root that goes with a VPN profile",
    "Write another name, or set trusted_root in the profile.",
)

# A profile that is in the tenant already

NOT_A_TUNNEL_PROFILE = declare_finding(
    "connection",
    "not-a-tunnel-profile",
    "the connection type is {connection}, not Microsoft Tunnel",
    "Choose another profile.",
)
SITE_MISSING = declare_finding(
    "site", "site-missing", "the site that the profile names ({site}) does not exist", "Choose a site."
)
SERVER_ADDRESS_DIFFERS = declare_finding(
    "site",
    "server-address-differs",
    "the profile names {servers}, the site is at {address}",
    "Select the site again in the profile, or create a new profile.",
)
PROFILE_NOT_DECLARABLE = _warning(
    "profiles",
    "profile-not-declarable",
    "{profile}: a file cannot hold {what}",
    "`apply` leaves it unchanged in this tenant; if the profile is re-created, set it by hand.",
)
