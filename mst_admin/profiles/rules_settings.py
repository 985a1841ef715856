"""Rules for the custom settings of Microsoft Defender for Endpoint, and for what they depend on."""

from collections.abc import Iterator
from typing import Final

from mst_admin import findings
from mst_admin.profiles.objects import CONNECT, Platform, ProfileObject
from mstunnel_setup.answers.finding import Finding, finding

_ANDROID: Final = ("vpn", "antiphishing", "defendertoggle")
_IOS: Final = ("TunnelOnly", "WebProtection", "AutoOnboard")
# Graph takes 25 entries, one of which makes Defender the tunnel's client.
_MOST: Final = 24
_SETTINGS: Final = "custom_settings"


def judge_settings(profile: ProfileObject) -> Iterator[Finding]:
    """All findings about the custom settings of a profile."""
    known = _IOS if profile.is_ios else _ANDROID
    if len(profile.custom_settings) > _MOST:
        yield finding(
            "custom_settings",
            "custom-settings-too-many",
            "there are more than {most} custom settings",
            hint="Remove some.",
            most=_MOST,
        )
    for name, value in profile.custom_settings.items():
        yield from _one(name, value, known)
    yield from _ios(profile) if profile.is_ios else _android(profile)


def judge_switches(antiphishing: str, vpn: str, key: str) -> Iterator[Finding]:
    """The finding when one is on and the other off, which a work profile takes as both off.

    `key` is where they are declared.
    """
    if {antiphishing, vpn} == {"0", "1"}:
        yield finding(
            key,
            "work-profile-switches",
            (
                "antiphishing is {antiphishing} and vpn is {vpn}: in a work profile, different "
                "values switch both off"
            ),
            hint="Set both to the same value, or platform to android-device-owner.",
            antiphishing=antiphishing,
            vpn=vpn,
        )


def _one(name: str, value: str, known: tuple[str, ...]) -> Iterator[Finding]:
    if name in known:
        allowed = ("true", "false") if known is _IOS else ("0", "1")
        if value.lower() not in allowed:
            words = "True or False" if known is _IOS else "1 or 0"
            yield finding(
                "custom_settings",
                "custom-setting-value",
                "custom_settings.{name} is “{value}”: it must be {allowed}",
                hint="Write {allowed}.",
                name=name,
                value=value[:80],
                allowed=words,
            )
        return
    spelled = next((item for item in known if item.lower() == name.lower()), None)
    if spelled:
        yield finding(
            "custom_settings",
            "custom-setting-spelling",
            "custom_settings.{name} is spelled differently: the key is {spelled}",
            hint="Write {spelled}.",
            name=name,
            spelled=spelled,
        )
    else:
        yield finding(
            "custom_settings",
            "custom-setting-unknown",
            "custom_settings.{name} is not documented for this platform",
            hint="Check the name: documented are {known}. Others are passed on unchanged.",
            fatal=False,
            name=name,
            known=", ".join(known),
        )


def _android(profile: ProfileObject) -> Iterator[Finding]:
    off = profile.custom("defendertoggle", "1") == "0"
    useless = [key for key in ("vpn", "antiphishing") if profile.custom_settings.get(key) == "1"]
    if profile.platform is Platform.ANDROID_WORK_PROFILE and not off:
        antiphishing, vpn = (profile.custom(key, "1") for key in ("antiphishing", "vpn"))
        yield from judge_switches(antiphishing, vpn, _SETTINGS)
    if off and useless:
        yield finding(
            "custom_settings",
            "custom-setting-without-effect",
            "custom_settings.defendertoggle: 0 switches Defender off, so {names} have no effect",
            hint="Remove them, or leave defendertoggle at 1.",
            fatal=False,
            names=" and ".join(useless),
        )
    if profile.eu_data_boundary and not off:
        yield findings.EU_DATA_BOUNDARY(setting="defendertoggle: 0")
    if profile.apps and not off:
        yield finding(
            "apps",
            "per-app-limits-web-protection",
            "web protection covers only the apps in the list of the per-app VPN",
            hint="Add all browsers of the work profile to apps.",
            fatal=False,
        )


def _ios(profile: ProfileObject) -> Iterator[Finding]:
    onboards = _is(profile, "AutoOnboard", "False")
    tunnel_only = _is(profile, "TunnelOnly", "False")
    if onboards and not _is(profile, "WebProtection", "True"):
        yield finding(
            "custom_settings",
            "auto-onboard-needs-web-protection",
            "custom_settings.AutoOnboard counts only with WebProtection, which is off",
            hint="Set WebProtection to True, or remove AutoOnboard.",
        )
    if onboards and not any(rule.action in CONNECT for rule in profile.on_demand_rules):
        yield finding(
            "custom_settings",
            "auto-onboard-needs-connect-rule",
            "custom_settings.AutoOnboard needs an on-demand rule that connects",
            hint="Add on_demand_rules with `- action: connect`.",
        )
    if tunnel_only and (onboards or _is(profile, "WebProtection", "False")):
        yield finding(
            "custom_settings",
            "tunnel-only-conflict",
            "custom_settings.TunnelOnly switches Defender off, so WebProtection and AutoOnboard cannot be on",
            hint="Remove them, or TunnelOnly.",
        )
    protects = _is(profile, "WebProtection", "True") and not tunnel_only
    stays_up = profile.per_app or any(rule.connects_always for rule in profile.on_demand_rules)
    if protects and not stays_up:
        yield finding(
            "on_demand_rules",
            "disconnect-on-sleep",
            "with web protection on, tunnel and protection both end when the device sleeps",
            hint="Add an on-demand rule `- action: connect`, or set TunnelOnly to True.",
            fatal=False,
        )
    if profile.eu_data_boundary and not tunnel_only:
        yield findings.EU_DATA_BOUNDARY(setting="TunnelOnly: True")


def _is(profile: ProfileObject, key: str, default: str) -> bool:
    return profile.custom(key, default) == "true"
