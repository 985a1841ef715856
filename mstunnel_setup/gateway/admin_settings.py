"""`admin-settings.json`: the server configuration as administrators read it on the gateway."""

from collections.abc import Iterable

from mstunnel_setup.base import paths
from mstunnel_setup.base.parsing import json_value, whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue
from mstunnel_setup.gateway.configuration import EVERYTHING, ServerConfiguration
from mstunnel_setup.gateway.errors import SETTINGS_UNREADABLE
from mstunnel_setup.io.files import Files


def admin_settings(configuration: ServerConfiguration) -> JsonObject:
    """The object of `admin-settings.json`. Source of its keys: docs/reference (env and paths, section 3)."""
    return {
        "PolicyName": configuration.policy_id,
        "DisplayName": configuration.display_name,
        "Description": configuration.description,
        "Network": str(configuration.network),
        "DNSServers": _strings(configuration.dns_servers),
        "DefaultDomainSuffix": configuration.default_domain_suffix,
        "RoutesInclude": _strings(configuration.routes_include) or [EVERYTHING],
        "RoutesExclude": _strings(configuration.routes_exclude),
        "ListenPort": configuration.listen_port,
    }


def read_admin_settings(files: Files) -> JsonObject | None:
    """The object in `admin-settings.json`; None without a file. Raises StepError `settings-unreadable`."""
    content = files.read(paths.ADMIN_SETTINGS)
    if content is None:
        return None
    try:
        found = json_value(content)
    except ValueError as error:
        raise SETTINGS_UNREADABLE(path=paths.ADMIN_SETTINGS, reason=text("it is not JSON")) from error
    if not isinstance(found, dict):
        raise SETTINGS_UNREADABLE(path=paths.ADMIN_SETTINGS, reason=text("it is not a JSON object"))
    return found


def listen_port(files: Files) -> int:
    """The port that `admin-settings.json` on this host names. Raises StepError `settings-unreadable`."""
    try:
        port = whole_number(str(json_value(files.read(paths.ADMIN_SETTINGS) or b"")["ListenPort"]))
    except (ValueError, KeyError, TypeError):
        port = None
    if port is None:
        raise SETTINGS_UNREADABLE(path=paths.ADMIN_SETTINGS, reason=text("it contains no port"))
    return port


def _strings(values: Iterable[object]) -> list[JsonValue]:
    return [str(value) for value in values]
