"""A tenant written as declarations: the files that would make another tenant equal to it."""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from pydantic import BaseModel

from mstunnel_setup.admin.plan import Tenant
from mstunnel_setup.admin.wire import configuration_object, site_object, threshold_object

SCHEMA_FILE = "schema.json"
_HEAD = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"


def declarations_of(tenant: Tenant) -> dict[str, str]:
    """YAML files by name. Values are written as the tenant has them, also such as the rules would refuse."""
    sections: Mapping[str, Sequence[BaseModel]] = {
        "configurations": [configuration_object(item) for item in tenant.configurations],
        "sites": [site_object(item) for item in tenant.sites],
        "thresholds": [threshold_object(item) for item in tenant.thresholds],
    }
    return {
        f"{name}.yaml": _HEAD + to_yaml({"version": 1, name: [_plain(item) for item in objects]})
        for name, objects in sections.items()
        if objects
    }


def to_yaml(document: Mapping[str, Any]) -> str:
    """A mapping as block-style YAML, keys in their order."""
    from ruamel.yaml import YAML  # noqa: PLC0415 (only exports need it)

    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _plain(item: BaseModel) -> dict[str, Any]:
    return item.model_dump(mode="json", exclude_defaults=True)
