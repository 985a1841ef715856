"""The files of an export in each format, and what each format cannot hold."""

import json
from collections.abc import Iterator
from typing import Final

from mst_admin import export_m365dsc
from mst_admin.export import SCHEMA_FILE, declarations_of, unsaid
from mst_admin.export_format import Format
from mst_admin.export_m365dsc import m365dsc_of
from mst_admin.export_terraform import terraform_of
from mst_admin.objects import Declarations
from mst_admin.plan import Tenant
from mstunnel_setup.answers import describe
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import text

PATTERNS: Final = {Format.YAML: "*.y*ml", Format.M365DSC: "*.ps1", Format.TERRAFORM: "*.tf"}
"""The files that an export in this format would be mixed with."""
_NO_RESOURCE: Final = text("Microsoft365DSC has no resource for them")
_BY_ID: Final = text("they refer to apps by ids that each tenant has for itself")


def contents_of(tenant: Tenant, wanted: Format) -> dict[str, str]:
    """The files of an export by name."""
    if wanted is Format.TERRAFORM:
        return terraform_of(tenant)
    if wanted is Format.M365DSC:
        return m365dsc_of(tenant)
    schema = json.dumps(describe.schema(Declarations), indent=2) + "\n"
    return {**declarations_of(tenant), SCHEMA_FILE: schema}


def not_in(tenant: Tenant, wanted: Format) -> Iterator[Problem]:
    """What the tenant has and an export in this format lacks."""
    if wanted is Format.YAML:
        yield from unsaid(tenant)
        return
    if wanted is Format.M365DSC:
        yield from _absent("server configurations", len(tenant.configurations), _NO_RESOURCE)
        yield from _absent("sites", len(tenant.sites), _NO_RESOURCE)
        yield from _absent("health thresholds", len(tenant.thresholds), _NO_RESOURCE)
        yield from export_m365dsc.left_out(tenant)
    yield from _absent("apps", len(tenant.apps), _BY_ID)
    yield from _absent("app configurations", len(tenant.app_configurations), _BY_ID)
    yield from _absent("app protection policies", len(tenant.protections), _BY_ID)


def _absent(kind: str, count: int, reason: str) -> Iterator[Problem]:
    if count:
        yield warning(
            "kind-not-in-format",
            "the export has no {kind} ({count} in the tenant): {reason}",
            hint="Export them as YAML, too.",
            kind=kind,
            count=count,
            reason=reason,
        )
