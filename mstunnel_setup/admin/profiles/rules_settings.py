"""Rules for the custom settings of Microsoft Defender for Endpoint, and for what they depend on."""

from collections.abc import Callable, Iterator
from typing import Final

from mstunnel_setup.admin.profiles.objects import CONNECT, ProfileObject
from mstunnel_setup.answers.finding import Finding

_KEY: Final = "custom_settings"
_ANDROID: Final = ("vpn", "antiphishing", "defendertoggle")
_IOS: Final = ("TunnelOnly", "WebProtection", "AutoOnboard")
# Graph takes 25 entries, one of which makes Defender the tunnel's client.
_MOST: Final = 24


def judge_settings(profile: ProfileObject) -> Iterator[Finding]:
    """What is to be said about the custom settings of a profile."""
    known = _IOS if profile.is_ios else _ANDROID
    if len(profile.custom_settings) > _MOST:
        yield Finding(
            "custom-settings-too-many", _KEY, f"there are more than {_MOST} custom settings", "Remove some."
        )
    for name, value in profile.custom_settings.items():
        yield from _one(name, value, known)
    yield from _ios(profile) if profile.is_ios else _android(profile)


def _one(name: str, value: str, known: tuple[str, ...]) -> Iterator[Finding]:
    if name in known:
        allowed = ("true", "false") if known is _IOS else ("0", "1")
        if value.lower() not in allowed:
            words = "True or False" if known is _IOS else "1 or 0"
            message = f"{_KEY}.{name} is “{value[:80]}”: it must be {words}"
            yield Finding("custom-setting-value", _KEY, message, f"Write {words}.")
        return
    spelled = next((item for item in known if item.lower() == name.lower()), None)
    if spelled:
        message = f"{_KEY}.{name} is written otherwise: the key is {spelled}"
        yield Finding("custom-setting-spelling", _KEY, message, f"Write {spelled}.")
    else:
        yield Finding(
            "custom-setting-unknown",
            _KEY,
            f"{_KEY}.{name} is not a setting that is documented for this platform",
            f"Documented are {', '.join(known)}; others are passed on as they are.",
            fatal=False,
        )


def _android(profile: ProfileObject) -> Iterator[Finding]:
    off = profile.custom("defendertoggle", "1") == "0"
    useless = [key for key in ("vpn", "antiphishing") if profile.custom_settings.get(key) == "1"]
    if off and useless:
        yield Finding(
            "custom-setting-without-effect",
            _KEY,
            f"{_KEY}.defendertoggle: 0 switches Defender off, so {' and '.join(useless)} have no effect",
            "Remove them, or leave defendertoggle at 1.",
            fatal=False,
        )
    if profile.eu_data_boundary and not off:
        yield _outside_boundary("defendertoggle: 0")
    if profile.apps and not off:
        yield Finding(
            "per-app-limits-web-protection",
            "apps",
            "web protection covers only the apps in the list of the per-app VPN",
            "Add all browsers of the work profile to apps.",
            fatal=False,
        )


def _ios(profile: ProfileObject) -> Iterator[Finding]:
    for holds, finding in _IOS_DEPENDENCIES:
        if holds(profile):
            yield finding
    if profile.eu_data_boundary and not _is(profile, "TunnelOnly", "False"):
        yield _outside_boundary("TunnelOnly: True")


def _outside_boundary(setting: str) -> Finding:
    return Finding(
        "eu-data-boundary",
        _KEY,
        "eu_data_boundary is wanted, but Defender's threat protection is on, which does not comply with it",
        f"Add the custom setting {setting}.",
    )


def _is(profile: ProfileObject, key: str, default: str) -> bool:
    return profile.custom(key, default) == "true"


def _onboards(profile: ProfileObject) -> bool:
    return _is(profile, "AutoOnboard", "False")


def _protects(profile: ProfileObject) -> bool:
    return _is(profile, "WebProtection", "True") and not _is(profile, "TunnelOnly", "False")


def _connects(profile: ProfileObject) -> bool:
    return any(rule.action in CONNECT for rule in profile.on_demand_rules)


_Condition = Callable[[ProfileObject], bool]
_IOS_DEPENDENCIES: Final[tuple[tuple[_Condition, Finding], ...]] = (
    (
        lambda profile: _onboards(profile) and not _is(profile, "WebProtection", "True"),
        Finding(
            "auto-onboard-needs-web-protection",
            _KEY,
            f"{_KEY}.AutoOnboard counts only with WebProtection, which is off",
            "Set WebProtection to True, or remove AutoOnboard.",
        ),
    ),
    (
        lambda profile: _onboards(profile) and not _connects(profile),
        Finding(
            "auto-onboard-needs-connect-rule",
            _KEY,
            f"{_KEY}.AutoOnboard needs an on-demand rule that connects",
            "Add on_demand_rules with `- action: connect`.",
        ),
    ),
    (
        lambda profile: (
            _is(profile, "TunnelOnly", "False")
            and (_onboards(profile) or _is(profile, "WebProtection", "False"))
        ),
        Finding(
            "tunnel-only-conflict",
            _KEY,
            f"{_KEY}.TunnelOnly switches Defender off, so WebProtection and AutoOnboard cannot be on",
            "Remove them, or TunnelOnly.",
        ),
    ),
    (
        lambda profile: (
            _protects(profile)
            and not profile.per_app
            and not any(rule.connects_always for rule in profile.on_demand_rules)
        ),
        Finding(
            "disconnect-on-sleep",
            "on_demand_rules",
            "with web protection on, tunnel and protection both end when the device sleeps",
            "Add an on-demand rule `- action: connect`, or set TunnelOnly to True.",
            fatal=False,
        ),
    ),
)
