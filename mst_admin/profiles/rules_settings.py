"""Rules for the custom settings of Microsoft Defender for Endpoint, and for what they depend on."""

from collections.abc import Callable, Iterator
from typing import Final

from mst_admin.profiles import findings
from mst_admin.profiles.objects import CONNECT, Platform, ProfileObject
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import Declared
from mstunnel_setup.base.text import text

_ANDROID: Final = ("vpn", "antiphishing", "defendertoggle")
_IOS: Final = ("TunnelOnly", "WebProtection", "AutoOnboard")
# Graph takes 25 entries, one of which makes Defender the tunnel's client.
_MOST: Final = 24
_SETTINGS: Final = "custom_settings"


def judge_settings(profile: ProfileObject) -> Iterator[Finding]:
    """All findings about the custom settings of a profile."""
    known = _IOS if profile.is_ios else _ANDROID
    if len(profile.custom_settings) > _MOST:
        yield findings.CUSTOM_SETTINGS_TOO_MANY(most=_MOST)
    for name, value in profile.custom_settings.items():
        yield from _one(name, value, known)
    yield from _ios(profile) if profile.is_ios else _android(profile)


def judge_switches(antiphishing: str, vpn: str, key: str) -> Iterator[Finding]:
    """The finding when one is on and the other off, which a work profile takes as both off.

    `key` is where they are declared.
    """
    if {antiphishing, vpn} == {"0", "1"}:
        yield findings.WORK_PROFILE_SWITCHES(antiphishing=antiphishing, vpn=vpn).at(key)


def _one(name: str, value: str, known: tuple[str, ...]) -> Iterator[Finding]:
    if name in known:
        allowed = ("true", "false") if known is _IOS else ("0", "1")
        if value.lower() not in allowed:
            words = text("True or False") if known is _IOS else text("1 or 0")
            yield findings.CUSTOM_SETTING_VALUE(name=name, value=value[:80], allowed=words)
        return
    spelled = next((item for item in known if item.lower() == name.lower()), None)
    if spelled:
        yield findings.CUSTOM_SETTING_SPELLING(name=name, spelled=spelled)
    else:
        yield findings.CUSTOM_SETTING_UNKNOWN(name=name, known=", ".join(known))


def _android(profile: ProfileObject) -> Iterator[Finding]:
    off = profile.custom("defendertoggle", "1") == "0"
    useless = [key for key in ("vpn", "antiphishing") if profile.custom_settings.get(key) == "1"]
    if profile.platform is Platform.ANDROID_WORK_PROFILE and not off:
        antiphishing, vpn = (profile.custom(key, "1") for key in ("antiphishing", "vpn"))
        yield from judge_switches(antiphishing, vpn, _SETTINGS)
    if off and useless:
        yield findings.CUSTOM_SETTING_WITHOUT_EFFECT(names=" and ".join(useless))
    if profile.eu_data_boundary and not off:
        yield findings.EU_DATA_BOUNDARY(setting="defendertoggle: 0")
    if profile.apps and not off:
        yield findings.PER_APP_LIMITS_WEB_PROTECTION()


def _ios(profile: ProfileObject) -> Iterator[Finding]:
    for holds, finding in _IOS_DEPENDENCIES:
        if holds(profile):
            yield finding()
    if profile.eu_data_boundary and not _is(profile, "TunnelOnly", "False"):
        yield findings.EU_DATA_BOUNDARY(setting="TunnelOnly: True")


def _is(profile: ProfileObject, key: str, default: str) -> bool:
    return profile.custom(key, default) == "true"


def _onboards(profile: ProfileObject) -> bool:
    return _is(profile, "AutoOnboard", "False")


def _protects(profile: ProfileObject) -> bool:
    return _is(profile, "WebProtection", "True") and not _is(profile, "TunnelOnly", "False")


def _connects(profile: ProfileObject) -> bool:
    return any(rule.action in CONNECT for rule in profile.on_demand_rules)


_Condition = Callable[[ProfileObject], bool]
_IOS_DEPENDENCIES: Final[tuple[tuple[_Condition, Declared[Finding]], ...]] = (
    (
        lambda profile: _onboards(profile) and not _is(profile, "WebProtection", "True"),
        findings.AUTO_ONBOARD_NEEDS_WEB_PROTECTION,
    ),
    (
        lambda profile: _onboards(profile) and not _connects(profile),
        findings.AUTO_ONBOARD_NEEDS_CONNECT_RULE,
    ),
    (
        lambda profile: (
            _is(profile, "TunnelOnly", "False")
            and (_onboards(profile) or _is(profile, "WebProtection", "False"))
        ),
        findings.TUNNEL_ONLY_CONFLICT,
    ),
    (
        lambda profile: (
            _protects(profile)
            and not profile.per_app
            and not any(rule.connects_always for rule in profile.on_demand_rules)
        ),
        findings.DISCONNECT_ON_SLEEP,
    ),
)
