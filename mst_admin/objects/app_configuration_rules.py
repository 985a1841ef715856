"""Rules for app configurations. Source: docs/reference/mst-admin.md."""

from collections.abc import Iterable, Iterator
from typing import Final

from mst_admin.objects.app import APP_CONFIG_APP_ID
from mst_admin.objects.app_configuration import (
    DEFENDER_KEYS,
    AppConfigurationObject,
    AppConfigurationPlatform,
    Channel,
    allows,
    as_written,
    known_keys,
)
from mst_admin.objects.parts import judge_assignment, share_users
from mst_admin.objects.profile import ProfileObject, ProfilePlatform
from mst_admin.objects.profile_rules import KEY_WRITTEN_VPN, PACKAGE, judge_switches
from mstunnel_setup.answers.finding import Finding, declare_finding, finding
from mstunnel_setup.base.text import text

APP_CONFIG_KEY = declare_finding(
    "channel", "app-config-key", "{key} is only for {other}", "Remove it, or change channel or platform."
)


_MAM_CONFIGS: Final = "DefenderMAMConfigs"
_OF_THE_PROFILE: Final = "defendertoggle"
_NEED_MAM_CONFIGS: Final = (
    "antiphishing",
    "vpn",
    "DefenderNetworkProtectionEnable",
    "DefenderOptionalVPN",
    "DefenderOptionalAccessibility",
)
_EITHER_WORK_PROFILE: Final = frozenset(
    {AppConfigurationPlatform.ANDROID, AppConfigurationPlatform.ANDROID_WORK_PROFILE}
)


def judge_app_configuration(
    declared: AppConfigurationObject, profiles: Iterable[ProfileObject] = ()
) -> tuple[Finding, ...]:
    """Return all findings about an app configuration; `profiles` has the VPN profiles declared with it."""
    return (
        *_channel(declared),
        *_apps_and_settings(declared),
        *(_defender(declared) if declared.for_defender else ()),
        *_data_boundary(declared),
        *_conflicts(declared, profiles),
        *judge_assignment(declared, text("app configuration")),
    )


def _channel(declared: AppConfigurationObject) -> Iterator[Finding]:
    if not declared.on_devices and declared.platform not in {
        AppConfigurationPlatform.ANDROID,
        AppConfigurationPlatform.IOS,
    }:
        yield finding(
            "platform",
            "app-config-platform",
            "platform is {platform}, which managed apps do not distinguish",
            hint="Write android or ios.",
            platform=declared.platform,
        )
    if declared.permissions and (declared.is_ios or not declared.on_devices):
        other = text("managed devices with Android")
        yield APP_CONFIG_KEY(key="permissions", other=other).at("permissions")
    if declared.all_devices and not declared.on_devices:
        yield APP_CONFIG_KEY(key="all_devices", other=text("managed devices")).at("all_devices")


def _apps_and_settings(declared: AppConfigurationObject) -> Iterator[Finding]:
    if not declared.apps:
        yield finding(
            "apps", "app-config-without-apps", "no app is listed", hint="Write the ids of one or more apps."
        )
    if declared.on_devices and len(declared.apps) > 1:
        yield finding(
            "apps",
            "app-config-apps",
            "an app configuration for managed devices is for exactly one app, not {count}",
            hint="Write one app configuration for each app.",
            count=len(declared.apps),
        )
    for name in declared.apps:
        if not PACKAGE.fullmatch(name):
            yield APP_CONFIG_APP_ID(name=name[:80])
    for name, value in declared.settings.items():
        if name != name.strip() or str(value) != str(value).strip():
            yield finding(
                "settings",
                "app-setting-blanks",
                "settings.{name} begins or ends with a space",
                hint="Remove the spaces around name and value: apps treat them as part of it.",
                name=name,
            )


def _defender(declared: AppConfigurationObject) -> Iterator[Finding]:
    written = as_written(declared)
    if written != declared:
        yield KEY_WRITTEN_VPN(key="settings").at("settings")
    declared = written
    for name, value in declared.settings.items():
        key = known_keys(declared).get(name)
        if key is None:
            yield from _unknown(declared, name)
        elif not allows(key, value):
            yield finding(
                "settings",
                "app-setting-value",
                "settings.{name} is “{value}”: it must be {allowed}",
                hint="Write {allowed}.",
                name=name,
                value=str(value)[:80],
                allowed=" or ".join(key.allowed),
            )
    if not declared.is_ios and declared.on_devices and declared.platform in _EITHER_WORK_PROFILE:
        antiphishing, vpn = (_setting(declared, name, "1") for name in ("antiphishing", "vpn"))
        yield from judge_switches(antiphishing, vpn, "settings")
    needing = [name for name in _NEED_MAM_CONFIGS if name in declared.settings]
    if not declared.is_ios and not declared.on_devices and needing and _MAM_CONFIGS not in declared.settings:
        yield finding(
            "settings",
            "mam-configs-missing",
            "in managed apps, {names} take effect only with DefenderMAMConfigs",
            hint="Add DefenderMAMConfigs: 1.",
            names=", ".join(needing),
        )
    on = [name for name in ("WebProtection", "AutoOnboard") if _setting(declared, name, "false") == "true"]
    is_alone = _setting(declared, "TunnelOnly", "false") == "true"
    if declared.is_ios and declared.on_devices and on and is_alone:
        yield finding(
            "settings",
            "tunnel-only-beside-protection",
            "settings.TunnelOnly switches Defender off, so {names} cannot be on",
            hint="Remove them, or TunnelOnly.",
            names=" and ".join(on),
        )


def _unknown(declared: AppConfigurationObject, name: str) -> Iterator[Finding]:
    """Defender itself does not read names in reverse-domain form; other parts of the app do."""
    known = known_keys(declared)
    spelled = next((item for item in known if item.lower() == name.lower()), None)
    other = next((item for item in Channel if name in DEFENDER_KEYS[item, declared.is_ios]), None)
    if spelled:
        yield finding(
            "settings",
            "app-setting-spelling",
            "settings.{name} is spelled differently: the key is {spelled}",
            hint="Write {spelled}.",
            name=name,
            spelled=spelled,
        )
    elif other:
        yield finding(
            "settings",
            "app-setting-channel",
            "settings.{name} is documented for {other} only, not for {here}",
            hint="Remove it, or declare it in an app configuration for {other}.",
            name=name,
            other=other,
            here=declared.channel,
        )
    elif not declared.is_ios and name.lower() == _OF_THE_PROFILE:
        yield finding(
            "settings",
            "app-setting-profile",
            "settings.{name} is a setting of the VPN profile",
            hint="Write it into custom_settings of the VPN profile.",
            name=name,
        )
    elif not declared.is_ios and name.lower().replace(" ", "") == "webprotection":
        yield finding(
            "settings",
            "app-setting-deprecated",
            "settings.{name} is deprecated on Android",
            hint="Write antiphishing and vpn instead.",
            name=name,
        )
    elif "." not in name:
        yield finding(
            "settings",
            "app-setting-unknown",
            "settings.{name} is not documented for Microsoft Defender here",
            hint="Check the name: documented are {known}. Others are passed on unchanged.",
            fatal=False,
            name=name,
            known=", ".join(known),
        )


def _setting(declared: AppConfigurationObject, name: str, default: str) -> str:
    return str(declared.settings.get(name, default)).lower()


def _data_boundary(declared: AppConfigurationObject) -> Iterator[Finding]:
    if not declared.eu_data_boundary:
        return
    if not (declared.is_ios and declared.on_devices and declared.for_defender):
        yield finding(
            "eu_data_boundary",
            "data-boundary-elsewhere",
            "only an app configuration for iOS on managed devices can set eu_data_boundary",
            hint=("Remove it; on Android set defendertoggle: 0 in custom_settings of the VPN profile."),
        )
    elif _setting(declared, "TunnelOnly", "false") != "true":
        yield finding(
            "eu_data_boundary",
            "data-boundary-needs-tunnel-only",
            (
                "eu_data_boundary is set, but Defender's threat protection is on, which does not "
                "comply with it"
            ),
            hint="Add the setting TunnelOnly: true.",
        )


def _conflicts(declared: AppConfigurationObject, profiles: Iterable[ProfileObject]) -> Iterator[Finding]:
    """Report app configurations that conflict with custom settings of a VPN profile for the same users."""
    if not (declared.on_devices and declared.for_defender and declared.platform in _EITHER_WORK_PROFILE):
        return
    for profile in profiles:
        protects = bool(profile.custom_settings) and profile.custom(_OF_THE_PROFILE, "1") != "0"
        if (
            profile.platform is ProfilePlatform.ANDROID_WORK_PROFILE
            and protects
            and share_users(declared, profile)
        ):
            yield finding(
                "platform",
                "app-config-conflict",
                (
                    "in a personally-owned work profile it conflicts with the custom settings of the "
                    "VPN profile {profile}"
                ),
                hint=(
                    "Move the settings into custom_settings of the profile and delete the app "
                    "configuration, or assign them to different groups."
                ),
                profile=profile.name,
            )
