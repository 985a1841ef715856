"""The schemas of the commands, made from the types of what they return (`base/result.py`)."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, TypeAlias, get_args, get_type_hints

from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import override

from mst_admin import apply, cloud_app, object_commands, proxy_exclusions, servers, session
from mst_admin import health as tenant_health
from mst_admin.kinds import COMMAND_KINDS, tunnel
from mstunnel_lab import cli as lab
from mstunnel_setup.adopt import plan as adoption
from mstunnel_setup.adopt import switch
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.cli.framework.command import ProgramVersion
from mstunnel_setup.install import answer_file, install, journal_repair, step_status, uninstall
from mstunnel_setup.install.render import RenderedFiles
from mstunnel_setup.install.report import RunReport
from mstunnel_setup.install.steps import eula
from mstunnel_setup.operations import (
    backup,
    component,
    container_switch,
    diagnose,
    environment_check,
    explain,
    gateway_log,
    health,
    help_topics,
    metrics,
    readiness_report,
    registration,
    self_update,
    sessions,
    settings,
    status,
    version,
)
from mstunnel_setup.operations.certificate import ca_trust, import_certificate, write_hook
from mstunnel_setup.operations.certificate import check as certificate
from mstunnel_setup.operations.readiness_report import ReadinessReport
from mstunnel_setup.operations.upgrade import commands as upgrade
from mstunnel_setup.operations.upgrade import fetch_releases
from scripts.docs.command_tree import PROGRAMS, program

Source: TypeAlias = Callable[..., Result] | type[Report] | UnionType
"""The function of a command, annotated with what it returns, or the type itself where that is a general one.

The data is that of one of the types of a union, and empty for None.
"""

_SCHEMAS: Final = Path(__file__).parents[2] / "docs/reference/schemas"
_ENVELOPE: Final = "envelope.json"
_LEFT_OUT: Final = frozenset({"title", "$ref", "$defs", "default", "properties", "readOnly"})
COMMANDS: Final[Mapping[str, Source]] = {
    "mstunnel-setup": RunReport | ProgramVersion,
    "mstunnel-setup adopt commit": switch.commit,
    "mstunnel-setup adopt inventory": adoption.inventory,
    "mstunnel-setup adopt plan": adoption.plan,
    "mstunnel-setup adopt rollback": switch.rollback,
    "mstunnel-setup adopt switch": switch.switch,
    "mstunnel-setup answers check": answer_file.check,
    "mstunnel-setup answers new": answer_file.new,
    "mstunnel-setup answers save": answer_file.save,
    "mstunnel-setup answers schema": answer_file.schema,
    "mstunnel-setup answers show": answer_file.show,
    "mstunnel-setup host": install.host,
    "mstunnel-setup plan": install.plan,
    "mstunnel-setup render helm": RenderedFiles[Literal["helm"]],
    "mstunnel-setup render kubernetes": RenderedFiles[Literal["kubernetes"]],
    "mstunnel-setup render quadlet": RenderedFiles[Literal["quadlet"]],
    "mstunnel-setup rollback": uninstall.rollback,
    "mstunnel-setup self install": self_update.install_program,
    "mstunnel-setup self licences": version.self_licenses,
    "mstunnel-setup self update": self_update.self_update,
    "mstunnel-setup self verify": version.self_verify,
    "mstunnel-setup status": step_status.status,
    "mstunnel-setup step": install.one_step,
    "mstunnel-setup steps": step_status.steps,
    "mst-readiness": ReadinessReport | ProgramVersion,
    "mst-readiness explain": readiness_report.explain,
    "mst-cli": ProgramVersion,
    "mst-cli agent logs": component.logs,
    "mst-cli agent restart": container_switch.restart,
    "mst-cli agent start": container_switch.start,
    "mst-cli agent status": component.state,
    "mst-cli agent stop": container_switch.stop,
    "mst-cli backup": backup.backup,
    "mst-cli ca-trust add": ca_trust.add,
    "mst-cli ca-trust list": ca_trust.show,
    "mst-cli ca-trust remove": ca_trust.remove,
    "mst-cli cert check": certificate.check,
    "mst-cli cert hook": write_hook.write_hook,
    "mst-cli cert repair": certificate.repair,
    "mst-cli cert show": certificate.show,
    "mst-cli config diff": settings.diff,
    "mst-cli config pull": settings.pull,
    "mst-cli config show": settings.show,
    "mst-cli diagnose": diagnose.diagnose,
    "mst-cli env check": environment_check.env_check,
    "mst-cli env get": settings.get,
    "mst-cli env set": settings.put,
    "mst-cli env unset": settings.put,
    "mst-cli eula": eula.show,
    "mst-cli explain": explain.explain,
    "mst-cli health": health.health,
    "mst-cli help": help_topics.topics,
    "mst-cli import_cert": import_certificate.import_certificate,
    "mst-cli install": install.install,
    "mst-cli log level": settings.log_level_command,
    "mst-cli metrics": metrics.show,
    "mst-cli reenroll": registration.reenroll,
    "mst-cli restore": backup.restore,
    "mst-cli server capture": sessions.capture,
    "mst-cli server disconnect id": sessions.disconnect,
    "mst-cli server disconnect user": sessions.disconnect,
    "mst-cli server logs": component.logs,
    "mst-cli server report": gateway_log.report,
    "mst-cli server restart": container_switch.restart,
    "mst-cli server show": sessions.show,
    "mst-cli server start": container_switch.start,
    "mst-cli server status": component.state,
    "mst-cli server stop": container_switch.stop,
    "mst-cli server unban ip": sessions.unban,
    "mst-cli journal repair": journal_repair.repair,
    "mst-cli site change": registration.change,
    "mst-cli site show": registration.show,
    "mst-cli status": status.overview,
    "mst-cli uninstall": uninstall.uninstall,
    "mst-cli upgrade apply": upgrade.apply,
    "mst-cli upgrade check": upgrade.check,
    "mst-cli upgrade history": upgrade.history,
    "mst-cli upgrade import": fetch_releases.fetch_now,
    "mst-cli upgrade refresh": fetch_releases.fetch_now,
    "mst-cli upgrade rollback": upgrade.rollback,
    "mst-cli version": version.version,
    "mst-admin": ProgramVersion,
    **{
        f"mst-admin {command} {name}": report
        for command, kind in COMMAND_KINDS.items()
        for name, report in kind.reports.items()
    },
    "mst-admin apply": apply.apply,
    "mst-admin sign-out": session.forget_sign_ins,
    "mst-admin conditional-access provision": cloud_app.provision,
    "mst-admin conditional-access status": cloud_app.status,
    "mst-admin diff": apply.diff,
    "mst-admin export": apply.export,
    "mst-admin health": tenant_health.health,
    "mst-admin proxy-exclusions add": proxy_exclusions.ExclusionChange,
    "mst-admin proxy-exclusions check": proxy_exclusions.check,
    "mst-admin proxy-exclusions export": proxy_exclusions.export_list,
    "mst-admin proxy-exclusions import": proxy_exclusions.ExclusionChange,
    "mst-admin proxy-exclusions remove": proxy_exclusions.ExclusionChange,
    "mst-admin schema": object_commands.schema,
    "mst-admin server create": tunnel.create_server,
    "mst-admin server delete": tunnel.delete_server,
    "mst-admin server list": tunnel.list_servers,
    "mst-admin server show": tunnel.show_server,
    "mst-admin server update": tunnel.rename_server,
    "mst-admin servers": servers.servers,
    "mst-admin site request-upgrade": tunnel.request_upgrade,
    "mstunnel-lab": ProgramVersion,
    "mstunnel-lab approvals": lab.ApprovalRequests,
    "mstunnel-lab approve": lab.DeviceSignIn,
    "mstunnel-lab decide": lab.ApprovalRequest,
    "mstunnel-lab fault": lab.PendingFaults,
    "mstunnel-lab protect": lab.ProtectedCollections,
    "mstunnel-lab report": lab.ServerHealth,
    "mstunnel-lab rotate-keys": lab.ValidKeys,
    "mstunnel-lab serve": lab.LabEnd,
    "mstunnel-lab token": lab.TokenFile,
    "mstunnel-lab user": lab.UserReport,
}


class _AllPresent(GenerateJsonSchema):
    """The JSON data has every field, also one with a default."""

    @override
    def field_is_required(self, *_arguments: Any, **_named: Any) -> bool:
        return True


def schemas() -> dict[Path, str]:
    """The content of each file."""
    help_of = {command.path: command.help for name in PROGRAMS for command in program(name).walk()}
    made = {command: _schema(command, source, help_of[command]) for command, source in COMMANDS.items()}
    return {
        _SCHEMAS / f"{command.replace(' ', '-')}.json": f"{json.dumps(schema, indent=2)}\n"
        for command, schema in made.items()
    }


def _schema(command: str, source: Source, description: str) -> dict[str, Any]:
    returned: Any = source
    if not isinstance(returned, type | UnionType):
        (returned,) = get_args(get_type_hints(returned)["return"])
    reports: tuple[Any, ...] = get_args(returned) or (returned,)
    first, *others = map(_data, reports)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": command,
        "description": description,
        "$ref": _ENVELOPE,
        "properties": {"command": {"const": command}},
        "if": {"$ref": f"{_ENVELOPE}#/$defs/failed"},
        "else": {"properties": {"data": {"anyOf": [first, *others]} if others else first}},
    }


def _data(report: type[Report | None]) -> dict[str, Any]:
    if not issubclass(report, Report):
        return {"type": "object", "maxProperties": 0}
    made = report.model_json_schema(mode="serialization", schema_generator=_AllPresent)
    data: dict[str, Any] = _plain(made, made.get("$defs", {}))
    left_out = {name for name, field in report.model_fields.items() if not field.is_required()}
    data["required"] = [name for name in data.get("required", ()) if name not in left_out]
    if not data["required"]:
        del data["required"]
    return data


def _plain(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema without references and titles; what may be null is one type, not two alternatives."""
    if isinstance(schema, list):
        return [_plain(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return " ".join(schema.split()) if isinstance(schema, str) else schema
    given = {**definitions.get(schema.get("$ref", "").rpartition("/")[2], {}), **schema}
    made = {name: _plain(given[name], definitions) for name in given if name not in _LEFT_OUT}
    if made.get("additionalProperties") is False:  # a later version may have more
        del made["additionalProperties"]
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
