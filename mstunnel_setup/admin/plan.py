"""The difference between what is declared and what the tenant has, as changes in the order of doing them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypeVar

from mstunnel_setup.admin.declared import DeclarationError, Declared, Placed
from mstunnel_setup.admin.objects import ConfigurationObject, SiteObject, ThresholdObject
from mstunnel_setup.admin.wire import (
    changed,
    configuration_body,
    configuration_object,
    site_body,
    site_object,
    threshold_body,
    threshold_object,
    without_empty,
)
from mstunnel_setup.errors import TenantError
from mstunnel_setup.tenant.text import plain
from mstunnel_setup.tenant.wire import HealthThreshold, TunnelConfiguration, TunnelSite

Kind: TypeAlias = Literal["configuration", "site", "threshold", "server"]
Verb: TypeAlias = Literal["create", "update", "delete"]
CONFIGURATION = "configuration"
"""Name under which a site's server configuration stands among its properties."""

Named = TypeVar("Named", TunnelConfiguration, TunnelSite)


@dataclass(frozen=True)
class Tenant:
    """What the tenant has."""

    configurations: tuple[TunnelConfiguration, ...] = ()
    sites: tuple[TunnelSite, ...] = ()
    thresholds: tuple[HealthThreshold, ...] = ()


@dataclass(frozen=True)
class Change:
    """One change: `after` are the properties (wire names) to write, `before` what they are now.

    A site's server configuration is in them by name, as CONFIGURATION. `identifier` is empty for what is to
    be created.
    """

    verb: Verb
    kind: Kind
    name: str
    identifier: str = ""
    after: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The change as JSON."""
        own = {"verb": self.verb, "kind": self.kind, "name": self.name, "id": self.identifier}
        return {**own, "before": dict(self.before), "after": dict(self.after)}

    def lines(self) -> Iterator[str]:
        """The change for people."""
        mark = {"create": "+", "update": "~", "delete": "-"}[self.verb]
        yield f"{mark} {self.kind} {plain(self.name)}"
        for name, value in self.after.items():
            old = f"{_words(self.before.get(name))} -> " if self.verb == "update" else ""
            yield f"    {name}: {old}{_words(value)}"


def plan(declared: Declared, tenant: Tenant, now: datetime, *, prune: bool = False) -> list[Change]:
    """The changes that make the tenant as declared; with `prune` also the deletion of everything else.

    Objects are found again by name. Raises TenantError `name-ambiguous` when the tenant has two of a name,
    DeclarationError when a site names a server configuration that exists nowhere.
    """
    _require_configurations(declared, tenant, prune=prune)
    changes = [
        *(_configuration(item.value, tenant) for item in declared.configurations),
        *(_site(item.value, tenant, now) for item in declared.sites),
        *(_threshold(item.value, tenant) for item in declared.thresholds),
    ]
    deletions = list(_deletions(declared, tenant)) if prune else []
    return [*(change for change in changes if change), *deletions]


def configuration_change(declared: ConfigurationObject, present: TunnelConfiguration | None) -> Change | None:
    """What makes `present` (None: nothing yet) as declared; None when it is so already."""
    body = configuration_body(declared)
    if present is None:
        return Change("create", "configuration", declared.name, after=without_empty(body))
    before = configuration_body(configuration_object(present))
    return _update("configuration", declared.name, present.id, before, body)


def site_change(declared: SiteObject, present: TunnelSite | None, now: datetime) -> Change | None:
    """What makes `present` (None: nothing yet) as declared; None when it is so already."""
    body = {**site_body(declared, now), CONFIGURATION: declared.configuration}
    if present is None:
        return Change("create", "site", declared.name, after=without_empty(body))
    found = site_object(present)
    before = {**site_body(found, now), CONFIGURATION: found.configuration}
    used = present.microsoft_tunnel_configuration
    if used and declared.configuration.casefold() in {used.id.casefold(), used.display_name.casefold()}:
        body[CONFIGURATION] = found.configuration
    return _update("site", declared.name, present.id, before, body)


def threshold_change(declared: ThresholdObject, present: HealthThreshold | None) -> Change | None:
    """What makes `present` (None: nothing yet) as declared; None when it is so already."""
    body = threshold_body(declared)
    if present is None:
        return Change("create", "threshold", declared.metric, after=body)
    before = threshold_body(threshold_object(present))
    return _update("threshold", declared.metric, present.id, before, body)


def _update(
    kind: Kind, name: str, identifier: str, before: Mapping[str, Any], body: Mapping[str, Any]
) -> Change | None:
    after = changed(before, body)
    if not after:
        return None
    return Change("update", kind, name, identifier, after, {key: before.get(key) for key in after})


def _configuration(declared: ConfigurationObject, tenant: Tenant) -> Change | None:
    return configuration_change(declared, only(tenant.configurations, declared.name, "server configuration"))


def _site(declared: SiteObject, tenant: Tenant, now: datetime) -> Change | None:
    return site_change(declared, only(tenant.sites, declared.name, "site"), now)


def _threshold(declared: ThresholdObject, tenant: Tenant) -> Change | None:
    key = declared.metric.casefold()
    return threshold_change(
        declared, next((item for item in tenant.thresholds if item.id.casefold() == key), None)
    )


def only(objects: Sequence[Named], name: str, what: str) -> Named | None:
    """The one object of that name, without regard to case. Raises TenantError `name-ambiguous`."""
    found = [item for item in objects if item.display_name.casefold() == name.casefold()]
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        raise TenantError(
            "name-ambiguous",
            f"the tenant has {len(found)} objects of the kind {what} called {name}",
            f"Rename or delete all but one of: {ids}.",
        )
    return found[0] if found else None


def _require_configurations(declared: Declared, tenant: Tenant, *, prune: bool) -> None:
    known = {item.value.name.casefold() for item in declared.configurations}
    if not prune:
        known |= {name.casefold() for item in tenant.configurations for name in (item.display_name, item.id)}
    lines = [
        item.line("configuration", f"no server configuration is called `{item.value.configuration}`")
        for item in declared.sites
        if item.value.configuration.casefold() not in known
    ]
    if lines:
        raise DeclarationError(lines)


def _deletions(declared: Declared, tenant: Tenant) -> Iterator[Change]:
    """Sites first: a server configuration that a site uses cannot be deleted. Thresholds stay."""
    for site in _others(tenant.sites, declared.sites):
        yield Change("delete", "site", site.display_name, site.id)
    for configuration in _others(tenant.configurations, declared.configurations):
        yield Change("delete", "configuration", configuration.display_name, configuration.id)


def _others(
    present: Sequence[Named], declared: Sequence[Placed[ConfigurationObject]] | Sequence[Placed[SiteObject]]
) -> list[Named]:
    kept = {item.value.name.casefold() for item in declared}
    return [item for item in present if item.display_name.casefold() not in kept]


def _words(value: Any) -> str:
    """A value for people: lists without brackets, settings as name=value."""
    if value in (None, [], ""):
        return "(none)"
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    if isinstance(value, dict):
        return f"{plain(value['name'])}={plain(value['value'])}"
    return plain(value)
