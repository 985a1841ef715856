"""Between declared objects and the bodies that Graph takes.

A body has every property that declarations speak about, null for what is not set, so that two bodies can be
compared property by property.
"""

from datetime import datetime, time
from ipaddress import ip_network
from typing import Any, Final
from zoneinfo import ZoneInfo

from mst_admin.change import Body, Wire
from mst_admin.objects import (
    DEFAULT_SCOPE_TAGS,
    ConfigurationObject,
    SiteObject,
    ThresholdObject,
    WindowObject,
)
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.gateway.configuration import DEFAULT_PORT
from mstunnel_setup.tenant.wire import HealthThreshold, TunnelConfiguration, TunnelSite

SESSION_TIMEOUT: Final = "session-timeout"
DEFAULT_SESSION_SECONDS: Final = 3600
_SETTINGS: Final = "advancedSettings"


def configuration_body(declared: ConfigurationObject) -> Body:
    """The body of a server configuration; networks are written without host bits."""
    settings = dict(declared.advanced_settings)
    if declared.session_timeout is not None:
        settings[SESSION_TIMEOUT] = str(declared.session_timeout)
    return {
        "displayName": declared.name,
        "description": declared.description or None,
        "network": _network(declared.network),
        "ipv6Network": _network(declared.ipv6_network) or None,
        "dnsServers": list(declared.dns_servers),
        "defaultDomainSuffix": declared.default_domain_suffix or None,
        "routeIncludes": [_network(text) for text in declared.route_includes],
        "routeExcludes": [_network(text) for text in declared.route_excludes],
        "splitDNS": list(declared.split_dns),
        "listenPort": declared.listen_port,
        "disableUdpConnections": declared.disable_udp_connections,
        _SETTINGS: [{"name": name, "value": value} for name, value in settings.items()],
        "roleScopeTagIds": list(declared.role_scope_tag_ids),
    }


def configuration_object(found: TunnelConfiguration) -> ConfigurationObject:
    """A server configuration of the tenant as it would be declared; its values are not judged."""
    settings = {item.name: item.value for item in found.advanced_settings}
    seconds = whole_number(settings.get(SESSION_TIMEOUT, ""))
    if seconds is not None:
        del settings[SESSION_TIMEOUT]
    return ConfigurationObject.model_construct(
        name=found.display_name,
        description=found.description or "",
        network=found.network or "",
        ipv6_network=found.ipv6_network or "",
        dns_servers=found.dns_servers,
        default_domain_suffix=found.default_domain_suffix or "",
        split_dns=found.split_dns,
        route_includes=found.includes,
        route_excludes=found.excludes,
        listen_port=DEFAULT_PORT if found.listen_port is None else found.listen_port,
        disable_udp_connections=bool(found.disable_udp_connections),
        session_timeout=seconds,
        advanced_settings=settings,
        role_scope_tag_ids=found.role_scope_tag_ids or DEFAULT_SCOPE_TAGS,
    )


def site_body(declared: SiteObject, now: datetime) -> Body:
    """The body of a site, without its server configuration. `now` decides about summer time."""
    window = declared.upgrade_window
    return {
        "displayName": declared.name,
        "description": declared.description or None,
        "publicAddress": declared.public_address,
        "internalNetworkProbeUrl": declared.internal_network_probe_url or None,
        "upgradeAutomatically": declared.upgrade_automatically,
        "upgradeWindowStartTime": window and _clock(window.start),
        "upgradeWindowEndTime": window and _clock(window.end),
        "upgradeWindowUtcOffsetInMinutes": window and utc_offset(window, now),
        "roleScopeTagIds": list(declared.role_scope_tag_ids),
    }


def site_object(found: TunnelSite) -> SiteObject:
    """A site of the tenant as it would be declared; its values are not judged."""
    configuration = found.microsoft_tunnel_configuration
    return SiteObject.model_construct(
        name=found.display_name,
        description=found.description or "",
        public_address=found.public_address or "",
        configuration=configuration.display_name if configuration else "",
        internal_network_probe_url=found.internal_network_probe_url or "",
        upgrade_automatically=bool(found.upgrade_automatically),
        upgrade_window=_window(found),
        role_scope_tag_ids=found.role_scope_tag_ids or DEFAULT_SCOPE_TAGS,
    )


def threshold_body(declared: ThresholdObject) -> Body:
    """The body of thresholds, without the metric they belong to."""
    return {"healthyThreshold": declared.healthy, "unhealthyThreshold": declared.unhealthy}


def threshold_object(found: HealthThreshold) -> ThresholdObject:
    """Thresholds of the tenant as they would be declared."""
    healthy, unhealthy = found.healthy_threshold or 0, found.unhealthy_threshold or 0
    return ThresholdObject.model_construct(metric=found.id, healthy=healthy, unhealthy=unhealthy)


def changed(before: Wire, after: Wire) -> Body:
    """The properties of `after` that are not so in `before`."""
    return {
        name: value
        for name, value in after.items()
        if _canonical(name, value) != _canonical(name, before.get(name))
    }


def without_empty(body: Wire) -> Body:
    """A body to create something with: what is null is left out."""
    return {name: value for name, value in body.items() if value is not None}


def utc_offset(window: WindowObject, now: datetime) -> int:
    """Minutes that the window's local time is ahead of UTC at the moment `now` (aware)."""
    if window.time_zone is None:
        return window.utc_offset_minutes or 0
    offset = now.astimezone(ZoneInfo(window.time_zone)).utcoffset()
    return round(offset.total_seconds() / 60) if offset else 0


def _canonical(name: str, value: Any) -> Any:
    """A value for comparison: settings have no order, and a session timeout of an hour is the default."""
    if name != _SETTINGS:
        return value
    settings = {item["name"]: item["value"] for item in value or ()}
    if settings.get(SESSION_TIMEOUT) == str(DEFAULT_SESSION_SECONDS):
        del settings[SESSION_TIMEOUT]
    return settings


def _network(text: str) -> str:
    """The network without host bits; what is none is left for the rules to find."""
    try:
        return str(ip_network(text, strict=False)) if "/" in text else text
    except ValueError:
        return text


def _clock(text: str) -> str:
    return time.fromisoformat(text).isoformat()


def _window(found: TunnelSite) -> WindowObject | None:
    start, end = found.upgrade_window_start_time, found.upgrade_window_end_time
    if start is None or end is None:
        return None
    offset = found.upgrade_window_utc_offset_in_minutes or 0
    return WindowObject(start=start.strftime("%H:%M"), end=end.strftime("%H:%M"), utc_offset_minutes=offset)
