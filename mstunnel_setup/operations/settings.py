"""`mst-cli env get|set|unset`, `log level`, `config show|diff|pull`: the settings of this gateway."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from difflib import unified_diff

from pydantic import Field

from mstunnel_setup.answers.variables import KNOWN, PROXIES, VERBOSE, refuse_wrong
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CONFIGURATION_MISSING, ExitCode, UsageError
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Moment, Report, Result, Status
from mstunnel_setup.base.text import Line, Verbatim, plain, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.exchange.agent_settings import read_log_level
from mstunnel_setup.gateway import env_file, ocserv_conf, rendering
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import (
    CONFIGURATION_MODE,
    HIGHEST_LEVEL,
    VERBOSE_HOURS,
    LogLevel,
    is_verbose,
    read_tunnel_settings,
)
from mstunnel_setup.gateway.options import read_gateway_options
from mstunnel_setup.gateway.rendering import RenderedConfiguration, read_admin_settings
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import installed_run
from mstunnel_setup.install.steps import images, sign_in, site
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.operations.certificate.generation_switch import reload_gateway
from mstunnel_setup.operations.environment_check import (
    environment_text,
    unknown_setting,
    unreachable_proxies,
)

_MODE = 0o640


class SettingsReport(Report):
    """Settings of env.sh by name."""

    settings: dict[str, str]


class SettingReport(Report):
    """The setting (value null once removed) and the commands after which it takes effect."""

    name: str
    value: str | None
    then: tuple[str, ...]


class ConfigurationReport(Report):
    """The content of admin-settings.json, and DisableUdpConnections and SessionTimeout from ocserv.conf."""

    configuration: JsonObject = Field(description="SessionTimeout is in seconds.")


class ConfigurationDiff(Report):
    """The unified diff of the files that the tenant's configuration would change."""

    diff: tuple[str, ...] = Field(description="Empty without a difference.")


class ConfigurationFiles(Report):
    """The configuration files that were written."""

    written: tuple[str, ...]


def get(operator: Operator, name: str | None) -> Result[SettingsReport]:
    """Return one setting, or all.

    Raises UsageError `setting-missing`, EnvironmentFileError for a damaged file.
    """
    with installed_run(operator, exclusively=False) as run:
        settings = env_file.parse(environment_text(run.files), paths.ENVIRONMENT)
    if name is None:
        lines = [Verbatim(f"{key}={value}") for key, value in settings.items()]
        return Result("ok", SettingsReport(settings=settings), text=lines)
    if name not in settings:
        raise UsageError(
            "setting-missing",
            "{path} does not set {name}",
            hint="List all settings with `mst-cli env get`.",
            path=paths.ENVIRONMENT,
            name=name,
        )
    return Result("ok", SettingsReport(settings={name: settings[name]}), text=[Verbatim(settings[name])])


def put(operator: Operator, name: str, value: str | None) -> Result[SettingReport]:
    """Set `name` to `value`, or remove it (None); warn about a proxy that does not answer.

    Raises UsageError for an invalid setting, EnvironmentFileError for a value that a line cannot hold and for
    a damaged file.
    """
    if not env_file.is_name(name):
        raise UsageError(
            "setting-name-invalid",
            "{name} is not a valid name of a setting",
            hint="Use letters, digits and _.",
            name=name,
        )
    refuse_wrong(name, value or "")
    # Programs read proxy variables in lower or in upper case, so both are set.
    spellings = (name.lower(), name.upper()) if name.lower() in PROXIES else (name,)
    is_known = spellings[0] in KNOWN
    with installed_run(operator) as run:
        before = after = environment_text(run.files)
        for spelling in spellings:
            after = env_file.assign(after, spelling, value, paths.ENVIRONMENT)
        earlier = env_file.parse(before, paths.ENVIRONMENT).get(name, "")
        then = _needed_commands(name, earlier, value or "") if after != before else []
        report = SettingReport(name=name, value=value, then=tuple(then))
        if after != before:
            run.files.write(paths.ENVIRONMENT, after.encode(), _MODE)
    notices: tuple[Problem, ...] = ()
    if value is not None and not is_known:
        notices = (unknown_setting(name),)
    if value and spellings[0] in PROXIES:
        # The setting is kept nevertheless: the proxy may be started later.
        notices = tuple(error.problem for error in unreachable_proxies({name: value}))
    if after == before:
        same = text("{name} is not set.", name=name) if value is None else text("It has this value already.")
        return Result("unchanged", report, notices, text=[same])
    lines = [
        text("{name} is set.", name=name)
        if value is not None
        else text("{name} is no longer set.", name=name)
    ]
    if is_known:
        effects = [text("To take effect: `{command}`.", command=command) for command in then]
        lines += effects or [text("It takes effect within a minute.")]
    return Result("changed", report, notices, text=lines)


def _needed_commands(name: str, before: str, after: str) -> list[str]:
    """Return the commands that apply the setting; none if it is read continually.

    Options of the containers' creation, and host files for a proxy, are written only by an installation.
    """
    if name.lower() in PROXIES:
        return ["mst-cli install"]
    if name == "TRACE_SESSIONS":
        traced = [value in ("1", "2") for value in (before, after)]
        return ["mst-cli server restart"] if all(traced) else ["mst-cli install"]
    return ["mst-cli server restart"] if name == "CLIENT_TO_CLIENT" else []


class LogLevelReport(Report):
    """The current log level, the usual one, and the end of the verbose mode while it is active."""

    level: int
    usual: int
    verbose_until: Moment | None


def log_level_command(operator: Operator, wanted: str | None) -> Result[LogLevelReport]:
    """Show the log level, set it (0 to 4), or begin (`verbose`) or end (`normal`) the verbose mode.

    Raises UsageError `log-level-invalid` for any other value, EnvironmentFileError for a damaged `env.sh`.
    """
    if wanted not in (None, "verbose", "normal", *map(str, range(HIGHEST_LEVEL + 1))):
        raise UsageError(
            "log-level-invalid",
            "there is no log level {level}",
            hint="Give 0 to {highest}, verbose or normal.",
            level=wanted,
            highest=HIGHEST_LEVEL,
        )
    with installed_run(operator, exclusively=wanted is not None) as run:
        files, now = run.files, run.host.clock.now()
        before = ocserv_conf.log_level(files, _settings(files), now)
        if wanted is None:
            return _level_result("ok", before)
        earlier = _contents(files)
        if wanted == "verbose":
            ocserv_conf.begin_verbose(files, now + timedelta(hours=VERBOSE_HOURS))
        else:
            if wanted != "normal":
                changed = env_file.assign(environment_text(files), "DEBUG_LEVEL", wanted, paths.ENVIRONMENT)
                files.write(paths.ENVIRONMENT, changed.encode(), _MODE)
            files.remove(paths.LOG_LEVEL)
        after = ocserv_conf.log_level(files, _settings(files), now)
        notices = tuple(_kept_level(files, after, wanted))
        if _contents(files) == earlier:
            return _level_result("unchanged", after, notices)
        present = files.read(paths.OCSERV_CONF)
        if present is not None and after.level != before.level:
            # The monitor ends the verbose mode.
            files.write(paths.OCSERV_CONF, ocserv_conf.with_level(present, after.level), CONFIGURATION_MODE)
            reload_gateway(run)
    return _level_result("changed", after, notices)


def _contents(files: Files) -> Sequence[bytes | None]:
    """Return the contents of the files that store the level."""
    return [files.read(path) for path in (paths.ENVIRONMENT, paths.LOG_LEVEL)]


def _settings(files: Files) -> Mapping[str, str]:
    return env_file.parse(environment_text(files), paths.ENVIRONMENT)


def _kept_level(files: Files, level: LogLevel, wanted: str) -> Iterator[Problem]:
    """Yield the setting that keeps the level above the wanted one."""
    settings, number = _settings(files), whole_number(wanted)
    keeping = [name for name in VERBOSE if is_verbose({name: settings.get(name, "")})]
    if keeping and number is not None and level.usual > number:
        yield warning(
            "log-level-kept",
            "{name} in {path} keeps the log level at {level}",
            hint="Run `mst-cli env unset {name}`.",
            name=keeping[0],
            path=paths.ENVIRONMENT,
            level=level.usual,
        )


def _level_result(
    status: Status, level: LogLevel, notices: tuple[Problem, ...] = ()
) -> Result[LogLevelReport]:
    lines = [text("Level {level} of 0 to 4.", level=level.level)]
    until = None
    if level.until is not None:
        until = level.until.isoformat(timespec="seconds")
        lines = [
            text(
                "Level {level}, until {until:%Y-%m-%d %H:%M} UTC; then {usual} again.",
                level=level.level,
                until=level.until,
                usual=level.usual,
            ),
            text("End it now: `mst-cli log level normal`."),
        ]
    report = LogLevelReport(level=level.level, usual=level.usual, verbose_until=until)
    return Result(status, report, notices, text=lines)


_SAME = text("The gateway has the configuration of the tenant.")


def show(operator: Operator) -> Result[ConfigurationReport]:
    """Return `admin-settings.json`, and UDP and session timeout, which only `ocserv.conf` has.

    Raises UsageError before there is a configuration, StepError `settings-unreadable` for a damaged one.
    """
    with installed_run(operator, exclusively=False) as run:
        settings = read_admin_settings(run.files)
        served = read_tunnel_settings(run.files.read(paths.OCSERV_CONF) or b"")
    if settings is None:
        raise UsageError(
            "configuration-not-pulled",
            "there is no server configuration on this host yet",
            hint="Complete the installation: run mstunnel-setup.",
        )
    if served is not None:
        own: JsonObject = {"DisableUdpConnections": not served.udp, "SessionTimeout": served.session_timeout}
        settings = {**settings, **own}
    lines = []
    for name, value in settings.items():
        values = value if isinstance(value, list) else [value]
        shown = plain(", ".join(map(str, values))) or "none"
        lines.append(Line(f"{name + ':':23} {shown}", f"{name}:", shown))
    return Result("ok", ConfigurationReport(configuration=settings), text=lines)


def diff(operator: Operator, settings: Settings, *, exit_code: bool) -> Result[ConfigurationDiff]:
    """Return the changes that `pull` would make; with `exit_code` the code is 20 if there are any."""
    with installed_run(operator, InstallRequest(settings), exclusively=False) as run:
        rendered = _wanted(run)
        present = rendering.current(run.files)
    lines: list[str] = []
    for path, content in rendered.files.items():
        before, after = (
            part.decode("utf-8", errors="replace").splitlines() for part in (present[path] or b"", content)
        )
        title = text("{path} (tenant)", path=path)
        lines += unified_diff(before, after, path, title, n=0, lineterm="")
    return Result(
        "changed" if lines else "unchanged",
        ConfigurationDiff(diff=tuple(lines)),
        _notices(rendered),
        text=lines or [_SAME],
        exit_code=ExitCode.CHANGES_PENDING if lines and exit_code else ExitCode.DONE,
    )


def pull(operator: Operator, settings: Settings) -> Result[ConfigurationFiles]:
    """Write the changed files; the gateway reloads them. Raises StepError if ocserv refuses them."""
    with installed_run(operator, InstallRequest(settings)) as run:
        rendered = _wanted(run)
        changes = rendering.changes(rendering.current(run.files), rendered.files)
        if changes:
            run.host.check_gateway_configuration(images.references(run)[0], rendered.text)
            # The monitor tries this configuration again, even if the gateway has rejected it before.
            run.files.remove(paths.SERVED_CONFIGURATION)
            rendering.write(run.files, changes)
    lines = [text("Written: {changes}.", changes=", ".join(changes)) if changes else _SAME]
    status: Status = "changed" if changes else "unchanged"
    return Result(status, ConfigurationFiles(written=tuple(changes)), _notices(rendered), text=lines)


def _wanted(run: Run) -> RenderedConfiguration:
    sign_in.STEP.gather(run)
    found = run.host.graph.configuration_of(site.chosen_id(run))
    if found is None:
        raise CONFIGURATION_MISSING()
    files = run.files
    level = read_log_level(files, run.host.clock.now())
    port = rendering.open_port(rendering.current(files))
    return rendering.render(
        ServerConfiguration.from_wire(found.to_wire()), read_gateway_options(files), port, level
    )


def _notices(rendered: RenderedConfiguration) -> tuple[Problem, ...]:
    return (*rendered.warnings, *((rendered.port_waiting,) if rendered.port_waiting else ()))
