"""Files that the installation left for the agent: its identity, its tenant's addresses, and its server."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, TypeVar

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from mstunnel_setup.answers.variables import LOG_FORMAT, PROXIES, without_login
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError, StepError
from mstunnel_setup.gateway import env_file
from mstunnel_setup.gateway.ocserv_conf import is_verbose, log_level
from mstunnel_setup.io.files import Files

_GUID: Final = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

Model = TypeVar("Model", bound=BaseModel)


class AgentInfo(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """`agent-info.json`. An older agent ignores the keys of a newer installation."""

    agent_id: str = Field(alias="AgentId", pattern=_GUID)
    tenant_id: str = Field(alias="AADTenantId", pattern=_GUID)
    # An administrator renews a prepared application, so its object id is not known here.
    object_id: str | None = Field(default=None, alias="ApplicationObjectId")
    renewal_date: AwareDatetime | None = Field(default=None, alias="RenewalDate")
    cloud: str = Field(default="public", alias="Cloud")
    authority: str | None = Field(default=None, alias="Authority")
    graph: str | None = Field(default=None, alias="Graph")


class AgentSettings(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """`AgentSettings.json`, to which other tools add keys."""

    site_id: str = Field(alias="SiteId", pattern=_GUID)
    server_id: str = Field(alias="ServerId", pattern=_GUID)


def read_agent_info(files: Files) -> AgentInfo:
    """Read `agent-info.json`; raises StepError `agent-file-missing` or `agent-file-invalid`."""
    return _read(files, paths.AGENT_INFO, AgentInfo)


def read_agent_settings(files: Files) -> AgentSettings:
    """Read `AgentSettings.json`; raises StepError `agent-file-missing` or `agent-file-invalid`."""
    return _read(files, paths.AGENT_SETTINGS, AgentSettings)


def read_log_level(files: Files, now: datetime) -> int:
    """Return the gateway's log level at the time `now`. Raises EnvironmentFileError or UsageError."""
    return log_level(files, _environment(files), now).level


def wants_requests(files: Files) -> bool:
    """Return whether `env.sh` requests a log line for every request; other code reports an invalid file."""
    with suppress(SetupError):
        return is_verbose(_environment(files))
    return False


def wants_json(files: Files) -> bool:
    """Return whether `env.sh` requests log lines as JSON; other code reports an invalid file."""
    with suppress(SetupError):
        return _environment(files).get(LOG_FORMAT) == "json"
    return False


def read_proxies(files: Files) -> dict[str, str]:
    """Return the proxies in `env.sh`, as environment variables.

    The agent reads `env.sh` itself, because an engine's environment files have no quotes. Raises
    EnvironmentFileError.
    """
    return {name: value for name, value in _environment(files).items() if name.lower() in PROXIES}


def shown_proxies(proxies: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies without user names and passwords."""
    return {name: without_login(value)[0] for name, value in proxies.items()}


def _environment(files: Files) -> dict[str, str]:
    text = (files.read(paths.ENVIRONMENT) or b"").decode(errors="replace")
    return env_file.parse(text, paths.ENVIRONMENT)


def _read(files: Files, path: str, model: type[Model]) -> Model:
    content = files.read(path)
    if content is None:
        raise StepError(
            "agent-file-missing",
            "{path} is missing",
            hint="Register this server: run mstunnel-setup on the host.",
            path=path,
        )
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise StepError(
            "agent-file-invalid",
            "{path} cannot be read{where}",
            hint="Restore it from a backup, or run mstunnel-setup on the host.",
            path=path,
            where=f" (at {place})" if place else "",
        ) from error
