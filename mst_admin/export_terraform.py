"""A tenant as Terraform configuration, for Microsoft's provider `microsoft/msgraph`.

No provider has resources for the objects of Microsoft Tunnel alone; `msgraph_resource` manages any object of
Graph, `msgraph_resource_action` calls the action that assigns one (docs/reference/mst-admin.md).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mst_admin.assignments import ASSIGNMENTS, target_of
from mst_admin.change import Body, Wire
from mst_admin.hcl import Expression, block, string
from mst_admin.plan import Tenant
from mst_admin.present_profiles import PresentProfile, is_tunnel
from mst_admin.profile_changes import SITE_ID
from mst_admin.wire import configuration_body, configuration_object, threshold_body, threshold_object

_HEAD: Final = """\
# Written by `mst-admin export --format terraform`.
terraform {
  required_version = ">= 1.5"
  required_providers {
    msgraph = {
      source = "microsoft/msgraph"
    }
  }
}
"""
_IMPORT_HEAD: Final = """\
# What `terraform apply` takes over in the tenant of this export.
# Remove this file to create the objects in another tenant.
"""
_OF_THE_TENANT: Final = frozenset(
    {"id", "version", "createdDateTime", "lastModifiedDateTime", "lastUpdateDateTime", "supportsScopeTags"}
    | {"upgradeAvailable", "microsoftTunnelConfiguration"}
)
"""Properties that the tenant sets, and a link that is written as a reference."""
_PROFILES: Final = "deviceManagement/deviceConfigurations"


@dataclass(frozen=True)
class _Managed:
    """An object of Graph below the collection `url`, its properties, and to whom it is assigned."""

    kind: str
    url: str
    identifier: str
    properties: Wire
    references: Wire = field(default_factory=dict)
    targets: tuple[Body, ...] = ()


def terraform_of(tenant: Tenant) -> dict[str, str]:
    """The files by name."""
    labels = _labels(tenant)
    resources, imports = [], []
    for item in _managed(tenant, labels):
        label = labels[item.kind, item.identifier]
        resources.append("\n".join(_resource(item, label)) + "\n")
        imports.append("\n".join(_import(item, label)) + "\n")
    return {
        "import.tf": "\n".join([_IMPORT_HEAD, *imports]),
        "tenant.tf": "\n".join([_HEAD, *resources]),
    }


def _managed(tenant: Tenant, labels: dict[tuple[str, str], str]) -> Iterator[_Managed]:
    for found in tenant.configurations:
        url = "deviceManagement/microsoftTunnelConfigurations"
        body = _own(configuration_body(configuration_object(found)))
        yield _Managed("configuration", url, found.id, body)
    for site in tenant.sites:
        url = "deviceManagement/microsoftTunnelSites"
        used = site.microsoft_tunnel_configuration
        label = labels.get(("configuration", used.id)) if used else None
        link = {"microsoftTunnelConfiguration": {"id": _id_of(label)}} if label else {}
        yield _Managed("site", url, site.id, _own(site.document()), link)
    for threshold in tenant.thresholds:
        url = "deviceManagement/microsoftTunnelHealthThresholds"
        body = {"id": threshold.id, **threshold_body(threshold_object(threshold))}
        yield _Managed("threshold", url, threshold.id, body)
    for profile in tenant.profiles:
        yield _profile(profile, labels)


def _profile(profile: PresentProfile, labels: dict[tuple[str, str], str]) -> _Managed:
    found, properties = profile.found, _own(profile.found.document())
    label = labels.get(("site", str(properties.get(SITE_ID))))
    link = {SITE_ID: _id_of(label)} if label else {}
    return _Managed(
        "profile" if is_tunnel(profile) else "trusted_root",
        _PROFILES,
        found.id,
        {name: value for name, value in properties.items() if name not in link},
        link,
        tuple(target_of(item) for item in profile.assignments),
    )


def _own(document: Wire) -> Body:
    """What a client sets: without what the tenant sets, and what is not set."""
    return {
        name: value
        for name, value in document.items()
        if name not in _OF_THE_TENANT and value not in (None, [], "")
    }


def _id_of(label: str) -> Expression:
    return Expression(f"msgraph_resource.{label}.id")


def _resource(item: _Managed, label: str) -> Iterator[str]:
    body = {**item.properties, **item.references}
    yield from block(
        f'resource "msgraph_resource" "{label}"', {"url": item.url, "api_version": "beta", "body": body}
    )
    if item.targets:
        yield ""
        yield from block(
            f'resource "msgraph_resource_action" "{label}_assign"',
            {
                "resource_url": Expression(f'"{item.url}/${{msgraph_resource.{label}.id}}"'),
                "action": "assign",
                "method": "POST",
                "api_version": "beta",
                "body": {ASSIGNMENTS: [{"target": target} for target in item.targets]},
            },
        )


def _import(item: _Managed, label: str) -> Iterator[str]:
    """The provider compares only the properties that are named here; a dot begins one of a property."""
    names = ",".join(name for name in item.properties if name != "id" and "." not in name)
    identifier = f"/{item.url}/{item.identifier}?api-version=beta&importProperties={names}"
    yield from block(
        "import", {"to": Expression(f"msgraph_resource.{label}"), "id": Expression(string(identifier))}
    )


def _labels(tenant: Tenant) -> dict[tuple[str, str], str]:
    """A label for each object, by its kind and id: its name, with a number where others have the same."""
    named = [
        *(("configuration", item.id, item.display_name) for item in tenant.configurations),
        *(("site", item.id, item.display_name) for item in tenant.sites),
        *(("threshold", item.id, item.id) for item in tenant.thresholds),
        *(
            ("profile" if is_tunnel(item) else "trusted_root", item.found.id, item.found.display_name)
            for item in tenant.profiles
        ),
    ]
    labels: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for kind, identifier, name in named:
        words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        base = f"{kind}_{words}" if words else kind
        candidates = (base, *(f"{base}_{number}" for number in range(2, len(named) + 2)))
        label = next(item for item in candidates if item not in taken)
        taken.add(label)
        labels[kind, identifier] = label
    return labels
