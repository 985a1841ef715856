"""Rules for sites and thresholds. Source: docs/reference/mst-admin.md."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias
from zoneinfo import available_timezones

from mstunnel_setup.admin.metrics import KINDS, Kind, kind_of
from mstunnel_setup.admin.objects import SiteObject, ThresholdObject, WindowObject
from mstunnel_setup.answers.address import web_address_problem
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.answers.problem import suggest
from mstunnel_setup.gateway import fields
from mstunnel_setup.gateway.errors import PropertyError
from mstunnel_setup.text import quoted

Resolve: TypeAlias = Callable[[str], Sequence[str]]
"""Addresses of a host name, as text; none when it has none."""

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00(\.0+)?)?")
_HOUR: Final = 60
_DAY: Final = 24 * 60
_WITHOUT_SUMMER_TIME: Final = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT"})
_FARTHEST: Final = 14 * 60


def judge_site(declared: SiteObject, resolve: Resolve | None = None) -> tuple[Finding, ...]:
    """Everything there is to say about a site; without `resolve` no name is looked up."""
    fatal = [*_address(declared.public_address), *_probe(declared.internal_network_probe_url)]
    if declared.upgrade_window is not None:
        fatal += _window(declared.upgrade_window)
    if fatal:
        return tuple(fatal)
    return (*_reachable(declared.public_address, resolve), *_zone_advice(declared.upgrade_window))


def judge_threshold(declared: ThresholdObject) -> tuple[Finding, ...]:
    """What there is to say about the thresholds of a metric."""
    kind = kind_of(declared.metric)
    if declared.healthy == declared.unhealthy:
        message = f"healthy and unhealthy are both {declared.healthy}: they must differ"
        return (Finding("thresholds-equal", "unhealthy", message, "Write two different values."),)
    if kind is None:
        words = ", ".join(item.word for item in KINDS)
        message = f"{quoted(declared.metric)} is not a known metric with thresholds"
        hint = f"Metrics are known by a word in their names: {words}. Gateways ignore others."
        return (Finding("metric-not-known", "metric", message, hint, fatal=False),)
    return (*_range(declared, kind), *_direction(declared, kind))


def _range(declared: ThresholdObject, kind: Kind) -> Iterator[Finding]:
    for key, value in (("healthy", declared.healthy), ("unhealthy", declared.unhealthy)):
        if kind.highest is not None and value > kind.highest:
            message = f"{key} is {value}: {declared.metric} never exceeds {kind.highest}"
            yield Finding("threshold-out-of-range", key, message, f"Write 0 to {kind.highest}.")


def _direction(declared: ThresholdObject, kind: Kind) -> Iterator[Finding]:
    if (declared.healthy > declared.unhealthy) is not kind.more_is_better:
        better, order = ("more", "above") if kind.more_is_better else ("less", "below")
        yield Finding(
            "thresholds-reversed",
            "unhealthy",
            f"healthy is {declared.healthy}, unhealthy {declared.unhealthy}: {better} is better",
            f"Write a value for healthy that is {order} the one for unhealthy.",
        )


def _address(text: str) -> Iterator[Finding]:
    try:
        if _as_address(text) is not None:
            fields.address("public_address", text)
        elif "." not in fields.domain("public_address", text).strip(".") or text.replace(".", "").isdigit():
            raise fields.invalid("public_address", text, "", "")
    except PropertyError:
        yield Finding(
            "public-address-invalid",
            "public_address",
            f"public_address is {quoted(text)}: it is neither a full domain name nor an IP address",
            "Write one such as gateway.contoso.com, without https:// and without a port.",
        )


def _as_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _probe(text: str) -> Iterator[Finding]:
    problem = web_address_problem(text) if text else ""
    if problem:
        yield Finding(
            "probe-url-invalid",
            "internal_network_probe_url",
            f"internal_network_probe_url is {quoted(_without_secrets(text))}: {problem}",
            "Write an http or https address such as https://intranet.contoso.com/.",
        )


def _without_secrets(text: str) -> str:
    """The address for a message: what stands before an @ may be a password."""
    return re.sub(r"//[^/]*@", "//…@", text)


def _window(window: WindowObject) -> Iterator[Finding]:
    wrong = [name for name in ("start", "end") if not _CLOCK.fullmatch(getattr(window, name))]
    for name in wrong:
        yield Finding(
            "window-time-invalid",
            "upgrade_window",
            f"upgrade_window.{name} is {quoted(getattr(window, name))}: it is not a time of day",
            "Write hours and minutes, such as 22:00.",
        )
    if not wrong and (_minutes(window.end) - _minutes(window.start)) % _DAY < _HOUR:
        yield Finding(
            "window-short",
            "upgrade_window",
            "upgrade_window is shorter than one hour",
            "Write an end at least one hour after the start; it may be on the next day.",
        )
    yield from _zone(window)


def _minutes(text: str) -> int:
    moment = time.fromisoformat(text)
    return moment.hour * 60 + moment.minute


def _zone(window: WindowObject) -> Iterator[Finding]:
    if (window.time_zone is None) == (window.utc_offset_minutes is None):
        yield Finding(
            "window-zone-missing",
            "upgrade_window",
            "upgrade_window needs either time_zone or utc_offset_minutes",
            "Write the time zone of the site, such as Europe/Berlin.",
        )
    elif window.time_zone is not None and window.time_zone not in available_timezones():
        near = suggest(window.time_zone, sorted(available_timezones()))
        yield Finding(
            "time-zone-unknown",
            "upgrade_window",
            f"upgrade_window.time_zone is {quoted(window.time_zone)}: there is no such time zone{near}",
            "Write an IANA name, such as Europe/Berlin.",
        )
    elif window.utc_offset_minutes is not None and abs(window.utc_offset_minutes) > _FARTHEST:
        yield Finding(
            "utc-offset-invalid",
            "upgrade_window",
            f"upgrade_window.utc_offset_minutes is {window.utc_offset_minutes}: it is too far from UTC",
            f"Write minutes from -{_FARTHEST} to {_FARTHEST}.",
        )


def _zone_advice(window: WindowObject | None) -> Iterator[Finding]:
    if window is not None and window.time_zone is not None and window.time_zone not in _WITHOUT_SUMMER_TIME:
        yield Finding(
            "window-offset-fixed",
            "upgrade_window",
            f"the tenant stores the current UTC offset of {window.time_zone}, not the time zone",
            "Apply again after each daylight saving change.",
            fatal=False,
        )


def _reachable(text: str, resolve: Resolve | None) -> Iterator[Finding]:
    own = _as_address(text)
    found = [str(own)] if own else list(resolve(text)) if resolve else []
    if resolve and not found:
        yield Finding(
            "public-address-unresolved",
            "public_address",
            f"public_address is {quoted(text)}: the name does not resolve",
            "Publish it in public DNS before devices use the site.",
            fatal=False,
        )
    private = [address for address in found if not ip_address(address).is_global]
    if private:
        yield Finding(
            "public-address-private",
            "public_address",
            f"public_address is {quoted(text)}: {private[0]} cannot be reached from the internet",
            "Devices on the internet need a public address.",
            fatal=False,
        )
