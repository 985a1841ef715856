"""Sites: their declared form, their Graph form and their rules. Source: docs/reference/mst-admin.md."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, time
from ipaddress import ip_address
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, StrictBool, StrictInt

from mst_admin.change import Body
from mst_admin.objects.parts import DEFAULT_SCOPE_TAGS, Prose, Trimmed, fields_from, properties
from mstunnel_setup.answers.address import is_ip_address, web_address_problem
from mstunnel_setup.answers.document import suggest
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.answers.values import Line
from mstunnel_setup.base.text import quoted
from mstunnel_setup.gateway import fields
from mstunnel_setup.gateway.fields import PropertyError
from mstunnel_setup.tenant.wire import TunnelSite


class WindowObject(Trimmed):
    """The times at which the upgrade of a site may begin.

    The tenant keeps the offset of the time zone, not its name.
    """

    start: str = Field(description="Earliest start, HH:MM", examples=["22:00"])
    end: str = Field(description="Latest start, HH:MM, at least one hour later", examples=["04:00"])
    time_zone: str | None = Field(default=None, description="IANA time zone", examples=["Europe/Berlin"])
    utc_offset_minutes: StrictInt | None = Field(
        default=None, description="Instead of a time zone: minutes that local time is ahead of UTC"
    )


class SiteObject(Trimmed):
    """A site: servers with one public address and one server configuration."""

    name: Line = Field(description="Name", examples=["Berlin"])
    description: Prose = Field(default="", description="Description")
    public_address: str = Field(
        description="Public IP address or FQDN that devices connect to", examples=["gateway.contoso.com"]
    )
    configuration: Line = Field(description="Name or id of the server configuration", examples=["Main"])
    internal_network_probe_url: str = Field(
        default="", description="URL for internal network access check (http or https)"
    )
    upgrade_automatically: StrictBool = Field(
        default=True, description="Automatically upgrade servers at this site"
    )
    upgrade_window: WindowObject | None = Field(
        default=None, description="Limit server upgrades to a maintenance window"
    )
    role_scope_tag_ids: tuple[str, ...] = Field(default=DEFAULT_SCOPE_TAGS, description="Ids of scope tags")


_NAMES: Final = {
    "name": "displayName",
    "description": "description",
    "public_address": "publicAddress",
    "internal_network_probe_url": "internalNetworkProbeUrl",
    "upgrade_automatically": "upgradeAutomatically",
    "role_scope_tag_ids": "roleScopeTagIds",
}
"""Graph properties by declaration key."""


def site_body(declared: SiteObject, now: datetime) -> Body:
    """Return the body of a site, without server configuration; `now` decides about daylight saving time."""
    window = declared.upgrade_window
    return {
        **properties(declared, _NAMES),
        "upgradeWindowStartTime": window and time.fromisoformat(window.start).isoformat(),
        "upgradeWindowEndTime": window and time.fromisoformat(window.end).isoformat(),
        "upgradeWindowUtcOffsetInMinutes": window and utc_offset(window, now),
    }


def site_object(found: TunnelSite) -> SiteObject:
    """Return a site of the tenant in declaration form, without validation."""
    configuration = found.microsoft_tunnel_configuration
    start, end = found.upgrade_window_start_time, found.upgrade_window_end_time
    window = None
    if start is not None and end is not None:
        window = WindowObject(
            start=start.strftime("%H:%M"),
            end=end.strftime("%H:%M"),
            utc_offset_minutes=found.upgrade_window_utc_offset_in_minutes or 0,
        )
    values = fields_from(found.document(), SiteObject, _NAMES)
    values |= {
        "configuration": configuration.display_name if configuration else "",
        "upgrade_automatically": bool(found.upgrade_automatically),
        "upgrade_window": window,
    }
    return SiteObject.model_construct(**values)


def utc_offset(window: WindowObject, now: datetime) -> int:
    """Return the minutes by which the window's time zone is ahead of UTC at `now` (aware)."""
    if window.time_zone is None:
        return window.utc_offset_minutes or 0
    offset = now.astimezone(ZoneInfo(window.time_zone)).utcoffset()
    return round(offset.total_seconds() / 60) if offset else 0


Resolve: TypeAlias = Callable[[str], Sequence[str]]
"""A function that returns the addresses of a host name as text; empty if it does not resolve."""

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00(\.0+)?)?")
_FARTHEST: Final = 14 * 60


def judge_site(declared: SiteObject, resolve: Resolve | None = None) -> tuple[Finding, ...]:
    """Return all findings about a site; warnings only if there are no errors. `resolve` looks up names."""
    fatal = [*_addresses(declared), *(_window(declared.upgrade_window) if declared.upgrade_window else ())]
    if fatal:
        return tuple(fatal)
    return tuple(_advice(declared, resolve))


def _addresses(declared: SiteObject) -> Iterator[Finding]:
    if not _is_address(declared.public_address):
        yield finding(
            "public_address",
            "public-address-invalid",
            "public_address is {address}: it is neither a full domain name nor an IP address",
            hint="Write one such as gateway.contoso.com, without https:// and without a port.",
            address=quoted(declared.public_address),
        )
    url = declared.internal_network_probe_url
    if url and (problem := web_address_problem(url)):
        # The part of a URL before an @ may contain a password, so it is not shown.
        yield finding(
            "internal_network_probe_url",
            "probe-url-invalid",
            "internal_network_probe_url is {url}: {reason}",
            hint="Write an http or https address such as https://intranet.contoso.com/.",
            url=quoted(re.sub(r"//[^/]*@", "//…@", url)),
            reason=problem,
        )


def _is_address(text: str) -> bool:
    """Return whether this is the IP address of a host, or a full domain name."""
    try:
        if is_ip_address(text):
            return bool(fields.address(text))
        return "." in fields.domain(text) and not text.replace(".", "").isdigit()
    except PropertyError:
        return False


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
    start, end = (time.fromisoformat("00:00" if wrong else text) for text in (window.start, window.end))
    minutes = (end.hour - start.hour) * 60 + end.minute - start.minute
    if not wrong and minutes % (24 * 60) < 60:  # noqa: PLR2004 (minutes of an hour)
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


def _advice(declared: SiteObject, resolve: Resolve | None) -> Iterator[Finding]:
    text, window = declared.public_address, declared.upgrade_window
    found = [str(ip_address(text))] if is_ip_address(text) else list(resolve(text)) if resolve else []
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
    zone = window.time_zone if window else None
    if zone is not None and zone not in {"UTC", "Etc/UTC", "GMT", "Etc/GMT"}:
        yield finding(
            "upgrade_window",
            "window-offset-fixed",
            "the tenant stores the current UTC offset of {zone}, not the time zone",
            hint="Apply again after each daylight saving change.",
            fatal=False,
            zone=zone,
        )
