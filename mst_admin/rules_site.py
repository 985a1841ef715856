"""Rules for sites and thresholds. Source: docs/reference/mst-admin.md."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias
from zoneinfo import available_timezones

from mst_admin import findings
from mst_admin.metrics import KINDS, Kind, kind_of
from mst_admin.objects import SiteObject, ThresholdObject, WindowObject
from mstunnel_setup.answers.address import web_address_problem
from mstunnel_setup.answers.document import suggest
from mstunnel_setup.answers.finding import Finding
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
        return (findings.THRESHOLDS_EQUAL(value=declared.healthy),)
    if kind is None:
        words = ", ".join(item.word for item in KINDS)
        return (findings.METRIC_WITHOUT_THRESHOLDS(metric=quoted(declared.metric), words=words),)
    return (*_range(declared, kind), *_direction(declared, kind))


def _range(declared: ThresholdObject, kind: Kind) -> Iterator[Finding]:
    for key, value in (("healthy", declared.healthy), ("unhealthy", declared.unhealthy)):
        if kind.highest is not None and value > kind.highest:
            finding = findings.THRESHOLD_OUT_OF_RANGE(
                key=key, value=value, metric=declared.metric, highest=kind.highest
            )
            yield finding.at(key)


def _direction(declared: ThresholdObject, kind: Kind) -> Iterator[Finding]:
    if (declared.healthy > declared.unhealthy) is not kind.more_is_better:
        better, order = ("more", "above") if kind.more_is_better else ("less", "below")
        yield findings.THRESHOLDS_REVERSED(
            healthy=declared.healthy, unhealthy=declared.unhealthy, better=better, order=order
        )


def _address(text: str) -> Iterator[Finding]:
    try:
        if _as_address(text) is not None:
            fields.address("public_address", text)
        elif "." not in fields.domain("public_address", text).strip(".") or text.replace(".", "").isdigit():
            raise fields.invalid("public_address", text, "", "")
    except PropertyError:
        yield findings.PUBLIC_ADDRESS_INVALID(address=quoted(text))


def _as_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _probe(text: str) -> Iterator[Finding]:
    problem = web_address_problem(text) if text else ""
    if problem:
        # What stands before an @ may be a password.
        yield findings.PROBE_URL_INVALID(url=quoted(re.sub(r"//[^/]*@", "//…@", text)), reason=problem)


def _window(window: WindowObject) -> Iterator[Finding]:
    wrong = [name for name in ("start", "end") if not _CLOCK.fullmatch(getattr(window, name))]
    for name in wrong:
        yield findings.WINDOW_TIME_INVALID(name=name, value=quoted(getattr(window, name)))
    if not wrong and (_minutes(window.end) - _minutes(window.start)) % _DAY < _HOUR:
        yield findings.WINDOW_SHORT()
    if (window.time_zone is None) == (window.utc_offset_minutes is None):
        yield findings.WINDOW_ZONE_MISSING()
    elif window.time_zone is not None and window.time_zone not in available_timezones():
        near = suggest(window.time_zone, sorted(available_timezones()))
        yield findings.TIME_ZONE_UNKNOWN(value=quoted(window.time_zone), near=near)
    elif window.utc_offset_minutes is not None and abs(window.utc_offset_minutes) > _FARTHEST:
        yield findings.UTC_OFFSET_INVALID(minutes=window.utc_offset_minutes, farthest=_FARTHEST)


def _minutes(text: str) -> int:
    moment = time.fromisoformat(text)
    return moment.hour * 60 + moment.minute


def _zone_advice(window: WindowObject | None) -> Iterator[Finding]:
    if window is not None and window.time_zone is not None and window.time_zone not in _WITHOUT_SUMMER_TIME:
        yield findings.WINDOW_OFFSET_FIXED(zone=window.time_zone)


def _reachable(text: str, resolve: Resolve | None) -> Iterator[Finding]:
    own = _as_address(text)
    found = [str(own)] if own else list(resolve(text)) if resolve else []
    if resolve and not found:
        yield findings.PUBLIC_ADDRESS_UNRESOLVED(address=quoted(text))
    private = [address for address in found if not ip_address(address).is_global]
    if private:
        yield findings.PUBLIC_ADDRESS_PRIVATE(address=quoted(text), private=private[0])
