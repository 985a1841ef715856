"""Rules for sites and thresholds. Source: docs/reference/mst-admin.md."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias
from zoneinfo import available_timezones

from mst_admin.metrics import KINDS, Kind, kind_of
from mst_admin.objects import SiteObject, ThresholdObject, WindowObject
from mstunnel_setup.answers.address import web_address_problem
from mstunnel_setup.answers.document import suggest
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.base.text import quoted
from mstunnel_setup.gateway import fields
from mstunnel_setup.gateway.errors import PropertyError

Resolve: TypeAlias = Callable[[str], Sequence[str]]
"""Addresses of a host name, as text; none when it has none."""

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00(\.0+)?)?")
_HOUR: Final = 60
_DAY: Final = 24 * 60
_WITHOUT_SUMMER_TIME: Final = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT"})
_FARTHEST: Final = 14 * 60


def judge_site(declared: SiteObject, resolve: Resolve | None = None) -> tuple[Finding, ...]:
    """All findings about a site; warnings only when nothing is fatal. `resolve` looks names up."""
    fatal = [*_address(declared.public_address), *_probe(declared.internal_network_probe_url)]
    if declared.upgrade_window is not None:
        fatal += _window(declared.upgrade_window)
    if fatal:
        return tuple(fatal)
    return (*_reachable(declared.public_address, resolve), *_zone_advice(declared.upgrade_window))


def judge_threshold(declared: ThresholdObject) -> tuple[Finding, ...]:
    """All findings about the thresholds of a metric."""
    kind = kind_of(declared.metric)
    if declared.healthy == declared.unhealthy:
        return (
            finding(
                "unhealthy",
                "thresholds-equal",
                "healthy and unhealthy are both {value}: they must differ",
                hint="Write two different values.",
                value=declared.healthy,
            ),
        )
    if kind is None:
        words = ", ".join(item.word for item in KINDS)
        return (
            finding(
                "metric",
                "metric-not-known",
                "{metric} is not a known metric with thresholds",
                hint="Use a name with one of these words: {words}. Gateways ignore others.",
                fatal=False,
                metric=quoted(declared.metric),
                words=words,
            ),
        )
    return (*_range(declared, kind), *_direction(declared, kind))


def _range(declared: ThresholdObject, kind: Kind) -> Iterator[Finding]:
    for key, value in (("healthy", declared.healthy), ("unhealthy", declared.unhealthy)):
        if kind.highest is not None and value > kind.highest:
            yield finding(
                key,
                "threshold-out-of-range",
                "{key} is {value}: {metric} never exceeds {highest}",
                hint="Write 0 to {highest}.",
                key=key,
                value=value,
                metric=declared.metric,
                highest=kind.highest,
            )


def _direction(declared: ThresholdObject, kind: Kind) -> Iterator[Finding]:
    if (declared.healthy > declared.unhealthy) is not kind.more_is_better:
        better, order = ("more", "above") if kind.more_is_better else ("less", "below")
        yield finding(
            "unhealthy",
            "thresholds-reversed",
            "healthy is {healthy}, unhealthy {unhealthy}: {better} is better",
            hint="Write a value for healthy that is {order} the one for unhealthy.",
            healthy=declared.healthy,
            unhealthy=declared.unhealthy,
            better=better,
            order=order,
        )


def _address(text: str) -> Iterator[Finding]:
    try:
        if _as_address(text) is not None:
            fields.address("public_address", text)
        elif "." not in fields.domain("public_address", text).strip(".") or text.replace(".", "").isdigit():
            raise fields.invalid("public_address", text, "", "")
    except PropertyError:
        yield finding(
            "public_address",
            "public-address-invalid",
            "public_address is {address}: it is neither a full domain name nor an IP address",
            hint="Write one such as gateway.contoso.com, without https:// and without a port.",
            address=quoted(text),
        )


def _as_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _probe(text: str) -> Iterator[Finding]:
    problem = web_address_problem(text) if text else ""
    if problem:
        # What stands before an @ may be a password.
        yield finding(
            "internal_network_probe_url",
            "probe-url-invalid",
            "internal_network_probe_url is {url}: {reason}",
            hint="Write an http or https address such as https://intranet.contoso.com/.",
            url=quoted(re.sub(r"//[^/]*@", "//…@", text)),
            reason=problem,
        )


def _window(window: WindowObject) -> Iterator[Finding]:
    wrong = [name for name in ("start", "end") if not _CLOCK.fullmatch(getattr(window, name))]
    for name in wrong:
        yield finding(
            "upgrade_window",
            "window-time-invalid",
            "upgrade_window.{name} is {value}: it is not a time of day",
            hint="Write hours and minutes, such as 22:00.",
            name=name,
            value=quoted(getattr(window, name)),
        )
    if not wrong and (_minutes(window.end) - _minutes(window.start)) % _DAY < _HOUR:
        yield finding(
            "upgrade_window",
            "window-short",
            "upgrade_window is shorter than one hour",
            hint="Write an end at least one hour after the start; it may be on the next day.",
        )
    if (window.time_zone is None) == (window.utc_offset_minutes is None):
        yield finding(
            "upgrade_window",
            "window-zone-missing",
            "upgrade_window needs either a time zone or an offset",
            hint="Write the time zone of the site, such as Europe/Berlin.",
        )
    elif window.time_zone is not None and window.time_zone not in available_timezones():
        near = suggest(window.time_zone, sorted(available_timezones()))
        yield finding(
            "upgrade_window",
            "time-zone-unknown",
            "upgrade_window.time_zone is {value}: there is no such time zone{near}",
            hint="Write an IANA name, such as Europe/Berlin.",
            value=quoted(window.time_zone),
            near=near,
        )
    elif window.utc_offset_minutes is not None and abs(window.utc_offset_minutes) > _FARTHEST:
        yield finding(
            "upgrade_window",
            "utc-offset-invalid",
            "upgrade_window.utc_offset_minutes is {minutes}: it is too far from UTC",
            hint="Write minutes from -{farthest} to {farthest}.",
            minutes=window.utc_offset_minutes,
            farthest=_FARTHEST,
        )


def _minutes(text: str) -> int:
    moment = time.fromisoformat(text)
    return moment.hour * 60 + moment.minute


def _zone_advice(window: WindowObject | None) -> Iterator[Finding]:
    if window is not None and window.time_zone is not None and window.time_zone not in _WITHOUT_SUMMER_TIME:
        yield finding(
            "upgrade_window",
            "window-offset-fixed",
            "the tenant stores the current UTC offset of {zone}, not the time zone",
            hint="Apply again after each daylight saving change.",
            fatal=False,
            zone=window.time_zone,
        )


def _reachable(text: str, resolve: Resolve | None) -> Iterator[Finding]:
    own = _as_address(text)
    found = [str(own)] if own else list(resolve(text)) if resolve else []
    if resolve and not found:
        yield finding(
            "public_address",
            "public-address-unresolved",
            "public_address is {address}: the name does not resolve",
            hint="Publish it in public DNS before devices use the site.",
            fatal=False,
            address=quoted(text),
        )
    private = [address for address in found if not ip_address(address).is_global]
    if private:
        yield finding(
            "public_address",
            "public-address-private",
            "public_address is {address}: {private} cannot be reached from the internet",
            hint="Give an address that devices on the internet can reach.",
            fatal=False,
            address=quoted(text),
            private=private[0],
        )
