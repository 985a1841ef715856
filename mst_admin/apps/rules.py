"""Rules for app configurations. Source: docs/reference/mst-admin.md."""

from collections.abc import Iterable, Iterator
from typing import Final

from mst_admin.apps import findings
from mst_admin.apps.keys import DEFENDER_KEYS, Key, Value, allows, known_keys
from mst_admin.apps.objects import AppConfigurationObject, Channel, Platform
from mst_admin.assignments import Assignable
from mst_admin.profiles.objects import Platform as ProfilePlatform
from mst_admin.profiles.objects import ProfileObject
from mst_admin.profiles.rules import PACKAGE
from mst_admin.profiles.rules_assignment import judge_assignment
from mst_admin.profiles.rules_settings import judge_switches
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text

_MAM_CONFIGS: Final = "DefenderMAMConfigs"
_OF_THE_PROFILE: Final = "defendertoggle"
_NEED_MAM_CONFIGS: Final = (
    "antiphishing",
    "vpn",
    "DefenderNetworkProtectionEnable",
    "DefenderOptionalVPN",
    "DefenderOptionalAccessibility",
)
_EITHER_WORK_PROFILE: Final = frozenset({Platform.ANDROID, Platform.ANDROID_WORK_PROFILE})


def judge_app_configuration(
    declared: AppConfigurationObject, profiles: Iterable[ProfileObject] = ()
) -> tuple[Finding, ...]:
    """All findings about an app configuration; `profiles` are the VPN profiles that go with it."""
    return (
        *_channel(declared),
        *_apps(declared),
        *_blanks(declared),
        *(_defender(declared) if declared.for_defender else ()),
        *_data_boundary(declared),
        *_conflicts(declared, profiles),
        *judge_assignment(declared, text("app configuration")),
    )


def _channel(declared: AppConfigurationObject) -> Iterator[Finding]:
    if not declared.on_devices and declared.platform not in {Platform.ANDROID, Platform.IOS}:
        yield findings.APP_CONFIG_PLATFORM(platform=declared.platform)
    if declared.permissions and (declared.is_ios or not declared.on_devices):
        finding = findings.APP_CONFIG_KEY(key="permissions", other=text("managed devices with Android"))
        yield finding.at("permissions")
    if declared.all_devices and not declared.on_devices:
        yield findings.APP_CONFIG_KEY(key="all_devices", other=text("managed devices")).at("all_devices")


def _apps(declared: AppConfigurationObject) -> Iterator[Finding]:
    if not declared.apps:
        yield findings.APP_CONFIG_WITHOUT_APPS()
    if declared.on_devices and len(declared.apps) > 1:
        yield findings.APP_CONFIG_APPS(count=len(declared.apps))
    for name in declared.apps:
        if not PACKAGE.fullmatch(name):
            yield findings.APP_CONFIG_APP_ID(name=name[:80])


def _blanks(declared: AppConfigurationObject) -> Iterator[Finding]:
    for name, value in declared.settings.items():
        if name != name.strip() or str(value) != str(value).strip():
            yield findings.APP_SETTING_BLANKS(name=name)


def _defender(declared: AppConfigurationObject) -> Iterator[Finding]:
    for name, value in declared.settings.items():
        key = known_keys(declared).get(name)
        yield from _value(name, value, key) if key else _unknown(declared, name)
    if not declared.is_ios and declared.on_devices and declared.platform in _EITHER_WORK_PROFILE:
        antiphishing, vpn = (_setting(declared, name, "1") for name in ("antiphishing", "vpn"))
        yield from judge_switches(antiphishing, vpn, "settings")
    if not declared.is_ios and not declared.on_devices:
        yield from _managed_apps(declared)
    if declared.is_ios and declared.on_devices:
        yield from _tunnel_only(declared)


def _value(name: str, value: Value, key: Key) -> Iterator[Finding]:
    if not allows(key, value):
        yield findings.APP_SETTING_VALUE(name=name, value=str(value)[:80], allowed=" or ".join(key.allowed))


def _unknown(declared: AppConfigurationObject, name: str) -> Iterator[Finding]:
    """Names in reverse-domain form are not Defender's own: other parts of the app read them."""
    known = known_keys(declared)
    spelled = next((item for item in known if item.lower() == name.lower()), None)
    other = next((item for item in Channel if name in DEFENDER_KEYS[item, declared.is_ios]), None)
    if spelled:
        yield findings.APP_SETTING_SPELLING(name=name, spelled=spelled)
    elif other:
        yield findings.APP_SETTING_CHANNEL(name=name, other=other, here=declared.channel)
    elif not declared.is_ios and name.lower() == _OF_THE_PROFILE:
        yield findings.APP_SETTING_PROFILE(name=name)
    elif not declared.is_ios and name.lower().replace(" ", "") == "webprotection":
        yield findings.APP_SETTING_DEPRECATED(name=name)
    elif "." not in name:
        yield findings.APP_SETTING_UNKNOWN(name=name, known=", ".join(known))


def _setting(declared: AppConfigurationObject, name: str, default: str) -> str:
    return str(declared.settings.get(name, default)).lower()


def _managed_apps(declared: AppConfigurationObject) -> Iterator[Finding]:
    names = [name for name in _NEED_MAM_CONFIGS if name in declared.settings]
    if names and _MAM_CONFIGS not in declared.settings:
        yield findings.MAM_CONFIGS_MISSING(names=", ".join(names))


def _tunnel_only(declared: AppConfigurationObject) -> Iterator[Finding]:
    on = [name for name in ("WebProtection", "AutoOnboard") if _setting(declared, name, "false") == "true"]
    if on and _setting(declared, "TunnelOnly", "false") == "true":
        yield findings.TUNNEL_ONLY_BESIDE_PROTECTION(names=" and ".join(on))


def _data_boundary(declared: AppConfigurationObject) -> Iterator[Finding]:
    if not declared.eu_data_boundary:
        return
    if not (declared.is_ios and declared.on_devices and declared.for_defender):
        yield findings.DATA_BOUNDARY_ELSEWHERE()
    elif _setting(declared, "TunnelOnly", "false") != "true":
        yield findings.DATA_BOUNDARY_NEEDS_TUNNEL_ONLY()


def _conflicts(declared: AppConfigurationObject, profiles: Iterable[ProfileObject]) -> Iterator[Finding]:
    """Custom settings by which Defender protects and connects exclude an app configuration beside them."""
    if not (declared.on_devices and declared.for_defender and declared.platform in _EITHER_WORK_PROFILE):
        return
    for profile in profiles:
        protects = bool(profile.custom_settings) and profile.custom(_OF_THE_PROFILE, "1") != "0"
        if profile.platform is ProfilePlatform.ANDROID_WORK_PROFILE and protects and _meet(declared, profile):
            yield findings.APP_CONFIG_CONFLICT(profile=profile.name)


def _meet(first: Assignable, second: Assignable) -> bool:
    """Whether both are certainly assigned to the same users: to a group that both name, or to all users."""
    if first.all_users or first.all_devices:
        return bool(second.all_users or second.all_devices or second.groups)
    if second.all_users or second.all_devices:
        return bool(first.groups)
    return not set(first.groups).isdisjoint(second.groups)
