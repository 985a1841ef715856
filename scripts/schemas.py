"""The schemas of commands whose data has a type of its own (`base/report.py`); others are kept by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import override

from mstunnel_setup.base.result import Report
from mstunnel_setup.operations.certificate.check import CertificateFindings, CertificateReport
from mstunnel_setup.operations.diagnose import DiagnosticReport
from mstunnel_setup.operations.explain import ExplainReport
from mstunnel_setup.operations.gateway_log import UsageReport
from mstunnel_setup.operations.health import HealthVerdict
from mstunnel_setup.operations.self_update import SelfInstallReport, SelfUpdateReport
from mstunnel_setup.operations.settings import LogLevelReport
from mstunnel_setup.operations.status import StatusReport
from mstunnel_setup.operations.upgrade.commands import UpgradeCheck, UpgradeHistory
from mstunnel_setup.operations.version import VersionReport

_SCHEMAS: Final = Path(__file__).parents[1] / "docs/reference/schemas"
_ENVELOPE: Final = "envelope.json"
_LEFT_OUT: Final = frozenset({"title", "$ref", "$defs", "default", "properties"})
REPORTS: Final[Mapping[str, type[Report]]] = {
    "mstunnel-setup self install": SelfInstallReport,
    "mstunnel-setup self update": SelfUpdateReport,
    "mst-cli cert check": CertificateFindings,
    "mst-cli cert show": CertificateReport,
    "mst-cli diagnose": DiagnosticReport,
    "mst-cli explain": ExplainReport,
    "mst-cli health": HealthVerdict,
    "mst-cli log level": LogLevelReport,
    "mst-cli server report": UsageReport,
    "mst-cli status": StatusReport,
    "mst-cli upgrade check": UpgradeCheck,
    "mst-cli upgrade history": UpgradeHistory,
    "mst-cli version": VersionReport,
}


class _AllPresent(GenerateJsonSchema):
    """The JSON data has every field, also one with a default."""

    @override
    def field_is_required(self, *_arguments: Any, **_named: Any) -> bool:
        return True


def schemas() -> dict[Path, str]:
    """The content of each file."""
    return {
        _SCHEMAS / f"{command.replace(' ', '-')}.json": f"{json.dumps(_schema(command, report), indent=2)}\n"
        for command, report in REPORTS.items()
    }


def _schema(command: str, report: type[Report]) -> dict[str, Any]:
    made = report.model_json_schema(mode="serialization", schema_generator=_AllPresent)
    data = _plain(made, made.get("$defs", {}))
    description = data.pop("description")
    left_out = {name for name, field in report.model_fields.items() if not field.is_required()}
    data["required"] = [name for name in data["required"] if name not in left_out]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": command,
        "description": description,
        "$ref": _ENVELOPE,
        "properties": {"command": {"const": command}},
        "if": {"$ref": f"{_ENVELOPE}#/$defs/failed"},
        "else": {"properties": {"data": data}},
    }


def _plain(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema without references and titles; what may be null is one type, not two alternatives."""
    if isinstance(schema, list):
        return [_plain(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return " ".join(schema.split()) if isinstance(schema, str) else schema
    given = {**definitions.get(schema.get("$ref", "").rpartition("/")[2], {}), **schema}
    made = {name: _plain(given[name], definitions) for name in given if name not in _LEFT_OUT}
    properties = given.get("properties", {})
    if properties:
        made["properties"] = {name: _plain(value, definitions) for name, value in properties.items()}
    if alternatives := made.pop("anyOf", None):
        (kind,) = (item for item in alternatives if item != {"type": "null"})
        made = {**kind, "type": [kind["type"], "null"], **made}
        if "enum" in kind:
            made["enum"] = [*kind["enum"], None]
    first = [name for name in ("type", "description") if name in made]
    return {name: made[name] for name in (*first, *made)}
