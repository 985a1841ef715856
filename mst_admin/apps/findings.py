"""Findings about apps and app configurations, each declared once (docs/reference/mst-admin.md)."""

from functools import partial
from typing import Final

from mstunnel_setup.answers.finding import declare_finding

_warning = partial(declare_finding, fatal=False)
_SETTINGS: Final = "settings"

APP_CONFIG_PLATFORM = declare_finding(
    "platform",
    "app-config-platform",
    "platform is {platform}, which managed apps do not distinguish",
    "Write android or ios.",
)
APP_CONFIG_KEY = declare_finding(
    "channel", "app-config-key", "{key} is only for {other}", "Remove it, or change channel or platform."
)
APP_CONFIG_APPS = declare_finding(
    "apps",
    "app-config-apps",
    "an app configuration for managed devices is for exactly one app, not {count}",
    "Write one app configuration for each app.",
)
APP_CONFIG_WITHOUT_APPS = declare_finding(
    "apps", "app-config-without-apps", "there is no app", "Write the ids of one or more apps."
)
APP_CONFIG_APP_ID = declare_finding(
    "apps",
    "app-config-app-id",
    "“{name}” is not the id of a package or bundle",
    "Write one such as com.microsoft.scmx.",
)

# Settings of Microsoft Defender

APP_SETTING_VALUE = declare_finding(
    _SETTINGS,
    "app-setting-value",
    "settings.{name} is “{value}”: it must be {allowed}",
    "Write {allowed}.",
)
APP_SETTING_SPELLING = declare_finding(
    _SETTINGS,
    "app-setting-spelling",
    "settings.{name} is spelled differently: the key is {spelled}",
    "Write {spelled}.",
)
APP_SETTING_CHANNEL = declare_finding(
    _SETTINGS,
    "app-setting-channel",
    "settings.{name} is documented for {other} only, not for {here}",
    "Remove it, or declare it in an app configuration for {other}.",
)
APP_SETTING_PROFILE = declare_finding(
    _SETTINGS,
    "app-setting-profile",
    "settings.{name} is a setting of the VPN profile",
    "Write it into custom_settings of the VPN profile.",
)
APP_SETTING_DEPRECATED = declare_finding(
    _SETTINGS,
    "app-setting-deprecated",
    "settings.{name} is deprecated on Android",
    "Write antiphishing and vpn instead.",
)
APP_SETTING_UNKNOWN = _warning(
    _SETTINGS,
    "app-setting-unknown",
    "settings.{name} is not documented for Microsoft Defender here",
    "Check the name: documented are {known}. Others are passed on unchanged.",
)
APP_SETTING_BLANKS = declare_finding(
    _SETTINGS,
    "app-setting-blanks",
    "settings.{name} begins or ends with a blank",
    "Remove the blanks around name and value: apps read them as part of it.",
)
MAM_CONFIGS_MISSING = declare_finding(
    _SETTINGS,
    "mam-configs-missing",
    "{names} count in managed apps only with DefenderMAMConfigs",
    "Add DefenderMAMConfigs: 1.",
)
TUNNEL_ONLY_BESIDE_PROTECTION = declare_finding(
    _SETTINGS,
    "tunnel-only-beside-protection",
    "settings.TunnelOnly switches Defender off, so {names} cannot be on",
    "Remove them, or TunnelOnly.",
)
DATA_BOUNDARY_NEEDS_TUNNEL_ONLY = declare_finding(
    "eu_data_boundary",
    "data-boundary-needs-tunnel-only",
    "eu_data_boundary is wanted, but Defender's threat protection is on, which does not comply with it",
    "Add the setting TunnelOnly: true.",
)
DATA_BOUNDARY_ELSEWHERE = declare_finding(
    "eu_data_boundary",
    "data-boundary-elsewhere",
    "eu_data_boundary is kept by an app configuration for iOS on managed devices only",
    "Remove it; on Android set defendertoggle: 0 in custom_settings of the VPN profile.",
)

# Apps

APP_KEY = declare_finding("platform", "app-key", "{key} is only for {other}", "Remove it.")
APP_INCOMPLETE = declare_finding(
    "publisher", "app-incomplete", "an app for iOS needs {key}", "Copy it from the page in the App Store."
)
APP_STORE_URL = declare_finding(
    "store_url",
    "app-store-url",
    "store_url is “{url}”: it is not an https address",
    "Write the address of the page in the App Store.",
)
APP_ASSIGNED_TWICE = declare_finding(
    "assignments",
    "app-assigned-twice",
    "{target} is in more than one assignment",
    "Remove it from all but one of them.",
)
APP_NOT_ASSIGNED = _warning(
    "assignments", "app-not-assigned", "the app is not assigned to any user", "Add assignments."
)
APP_VPN_NOT_PER_APP = declare_finding(
    "assignments",
    "app-vpn-not-per-app",
    "the VPN profile {profile} is not a per-app VPN for iOS",
    "Name a VPN profile with per_app: true, or remove vpn_profile.",
)
PER_APP_WITHOUT_APP = _warning(
    "per_app",
    "per-app-without-app",
    "no declared app is assigned with the per-app VPN profile {profile}, so none of them uses it",
    "Name it as vpn_profile in the assignments of the apps that use the tunnel.",
)

# Tunnel for MAM

MAM_APPS_MISSING = declare_finding(
    "apps",
    "mam-apps-missing",
    "on iOS the tunnel is for single apps, and there is none",
    "Add their bundle ids.",
)
MAM_APPS_WITHOUT_EDGE = declare_finding(
    "apps",
    "mam-apps-without-edge",
    "the list of apps that use the tunnel does not have Edge, which starts it",
    "Add {edge}.",
)
MAM_BYPASSED_HOST = declare_finding(
    "bypassed_urls", "mam-bypassed-host", "“{host}” is not a host name", "Write the host alone."
)
MAM_PROXY_WITHOUT_PAC = _warning(
    "proxy",
    "mam-proxy-without-pac",
    "with a direct proxy, iOS ignores the split tunnelling rules that the site {has}",
    "Set proxy.pac_url instead.",
)
MAM_TWICE = declare_finding(
    "groups",
    "mam-twice",
    "a group also gets {other}, but a device takes the tunnel settings of one policy only",
    "Remove the group from one of them.",
)
MAM_BESIDE_PROFILE = _warning(
    "groups",
    "mam-beside-profile",
    "a group also gets the VPN profile {profile}, but a device uses the tunnel of one of them only",
    "Check that enrolled devices and devices that are not are in different groups.",
)

# Together with a VPN profile

APP_CONFIG_CONFLICT = declare_finding(
    "platform",
    "app-config-conflict",
    "in a personally-owned work profile it conflicts with the custom settings of the VPN profile {profile}",
    "Move the settings into custom_settings of the profile and delete the app configuration, or assign them "
    "to different groups.",
)

# What is in the tenant already

APP_CONFIG_NOT_DECLARABLE = _warning(
    "app_configurations",
    "app-config-not-declarable",
    "{name}: a file cannot hold {what}",
    "`apply` leaves it unchanged in this tenant; if the object is re-created, set it by hand.",
)
