"""`mst-cli env get|set|unset|check`, `log level`, `config show|diff|pull`: the settings of this gateway."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import unified_diff

from mstunnel_setup.answers.variables import KNOWN, PROXIES, proxy_place, refuse_wrong, without_login
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CONFIGURATION_MISSING, ExitCode, NetworkError, UsageError, ValuesError
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
    read_tunnel_settings,
)
from mstunnel_setup.gateway.options import read_gateway_options
from mstunnel_setup.gateway.rendering import RenderedConfiguration, read_admin_settings
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.installed import open_gateway
from mstunnel_setup.install.session import installed_run
from mstunnel_setup.install.steps import images, sign_in, site
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.network import connect
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.operations.certificate.activation import reload_gateway

_MODE = 0o640


@dataclass(frozen=True)
class EnvironmentCheck:
    """The settings in `env.sh`, a warning for each unknown name, an error for each unreachable proxy."""

    settings: Mapping[str, str]
    unknown: tuple[Problem, ...]
    unreachable: tuple[NetworkError, ...]


def env_check(operator: Operator) -> Result:
    """Read `env.sh` as the gateway does, and connect to its proxies. Exit code 8 when one does not answer.

    Raises as `check_environment`.
    """
    with open_gateway(operator) as ports:
        found = check_environment(ports.files)
    if found.unreachable:
        errors = tuple(error.problem for error in found.unreachable)
        return Result("error", warnings=found.unknown, errors=errors, exit_code=ExitCode.NETWORK)
    data = {
        "settings": [*found.settings],
        "unknown": [name for name in found.settings if name not in KNOWN],
        "proxies": [without_login(proxy)[0] for proxy in _proxies(found.settings)],
    }
    content = text(
        "{environment} can be used; settings in it: {settings}.",
        environment=paths.ENVIRONMENT,
        settings=len(found.settings),
    )
    return Result("warning" if found.unknown else "ok", data, found.unknown, text=[content])


def check_environment(files: Files) -> EnvironmentCheck:
    """What is wrong with `env.sh`; a missing file is empty.

    Raises EnvironmentFileError for a line that is no assignment, UsageError for a value that cannot be used.
    """
    settings = env_file.parse(environment_text(files), paths.ENVIRONMENT)
    wrong: list[UsageError] = []
    for name, value in settings.items():
        try:
            refuse_wrong(name, value)
        except UsageError as error:
            wrong.append(error)
    if wrong:
        raise ValuesError(wrong) if len(wrong) > 1 else wrong[0]
    unknown = tuple(unknown_setting(name) for name in settings if name not in KNOWN)
    return EnvironmentCheck(settings, unknown, tuple(_unreachable(settings)))


def unknown_setting(name: str) -> Problem:
    """The warning for a name that nothing reads, with the one that was probably meant."""
    by_case = {known.lower(): known for known in sorted(KNOWN, reverse=True)}
    near = [by_case[found] for found in difflib.get_close_matches(name.lower(), by_case, 1)]
    suggestion = f"; did you mean {near[0]}?" if near else ""
    return warning(
        "setting-unknown",
        "{path} sets {name}, which is not a setting of the gateway{suggestion}",
        hint="Correct the name, or remove the line with `mst-cli env unset {name}`.",
        path=paths.ENVIRONMENT,
        name=name,
        suggestion=suggestion,
    )


def _proxies(settings: Mapping[str, str]) -> dict[str, str]:
    """The different proxies, and the first variable that names each."""
    names = [name for proxy in PROXIES[:2] for name in (proxy, proxy.upper())]
    return {settings[name]: name for name in reversed(names) if settings.get(name)}


def _unreachable(settings: Mapping[str, str]) -> Iterator[NetworkError]:
    for proxy, variable in _proxies(settings).items():
        place = proxy_place(proxy)
        try:
            if place is not None:
                connect(*place)
        except NetworkError as error:
            # A password in the address is not repeated.
            shown, _login = without_login(proxy)
            yield NetworkError(
                "proxy-unreachable",
                "{variable} in {path} is {proxy}: {reason}",
                hint="Start that proxy, or correct its address: `mst-cli env set {variable} http://HOST:PORT`.",
                variable=variable,
                path=paths.ENVIRONMENT,
                proxy=shown,
                reason=error.message,
            )


def get(operator: Operator, name: str | None) -> Result:
    """One setting, or all. Raises UsageError `setting-missing`, EnvironmentFileError for a damaged file."""
    with installed_run(operator, {}, exclusively=False) as run:
        settings = env_file.parse(environment_text(run.files), paths.ENVIRONMENT)
    if name is None:
        lines = [Verbatim(f"{key}={value}") for key, value in settings.items()]
        return Result("ok", {"settings": settings}, text=lines)
    if name not in settings:
        raise UsageError(
            "setting-missing",
            "{path} does not set {name}",
            hint="List all settings with `mst-cli env get`.",
            path=paths.ENVIRONMENT,
            name=name,
        )
    return Result("ok", {"settings": {name: settings[name]}}, text=[Verbatim(settings[name])])


def put(operator: Operator, name: str, value: str | None) -> Result:
    """Set `name` to `value`, or take it out (None).

    Raises UsageError for what cannot be a setting, EnvironmentFileError for a value that a line cannot hold
    and for a damaged file.
    """
    if not env_file.is_name(name):
        raise UsageError(
            "setting-name-invalid",
            "{name} is not a valid name of a setting",
            hint="Use letters, digits and _.",
            name=name,
        )
    refuse_wrong(name, value or "")
    # Both cases of a proxy variable: programs read the one or the other.
    spellings = (name.lower(), name.upper()) if name.lower() in PROXIES else (name,)
    is_known = spellings[0] in KNOWN
    with installed_run(operator, {}) as run:
        before = after = environment_text(run.files)
        for spelling in spellings:
            after = env_file.assign(after, spelling, value, paths.ENVIRONMENT)
        earlier = env_file.parse(before, paths.ENVIRONMENT).get(name, "")
        then = _needed_commands(name, earlier, value or "") if after != before else []
        data = {"name": name, "value": value, "then": then}
        unknown = () if value is None or is_known else (unknown_setting(name),)
        if after == before:
            return Result("unchanged", data, unknown, text=[text("It has this value already.")])
        run.files.write(paths.ENVIRONMENT, after.encode(), _MODE)
    lines = [
        text("{name} is set.", name=name)
        if value is not None
        else text("{name} is no longer set.", name=name)
    ]
    if is_known:
        effects = [text("To take effect: `{command}`.", command=command) for command in then]
        lines += effects or [text("It takes effect within a minute.")]
    return Result("changed", data, unknown, text=lines)


def _needed_commands(name: str, before: str, after: str) -> list[str]:
    """The commands after which the setting has taken effect; none where it is read again all the time.

    What containers are created with, and files of the host for a proxy, only an installation writes.
    """
    if name.lower() in PROXIES:
        return ["mst-cli install"]
    if name == "TRACE_SESSIONS":
        traced = [value in ("1", "2") for value in (before, after)]
        return ["mst-cli server restart"] if all(traced) else ["mst-cli install"]
    return ["mst-cli server restart"] if name == "CLIENT_TO_CLIENT" else []


def environment_text(files: Files) -> str:
    """The text of `env.sh`, empty without the file. Raises EnvironmentFileError `environment-not-utf8`."""
    return env_file.decode(files.read(paths.ENVIRONMENT) or b"", paths.ENVIRONMENT)


class LogLevelReport(Report):
    """The level in force, the usual one, and the end of the verbose mode while it lasts."""

    level: int
    usual: int
    verbose_until: Moment | None


def log_level_command(operator: Operator, wanted: str | None) -> Result:
    """Show the level, set it (0 to 4), begin the verbose mode (`verbose`) or end it (`normal`).

    Raises UsageError `log-level-invalid` for any other word, EnvironmentFileError for a damaged `env.sh`.
    """
    if wanted not in (None, "verbose", "normal", *map(str, range(HIGHEST_LEVEL + 1))):
        raise UsageError(
            "log-level-invalid",
            "there is no log level {level}",
            hint="Give 0 to {highest}, verbose or normal.",
            level=wanted,
            highest=HIGHEST_LEVEL,
        )
    with installed_run(operator, {}, exclusively=wanted is not None) as run:
        files, now = run.files, run.context.host.clock.now()
        before = _level(files, now)
        if wanted is None:
            return _level_result("ok", before)
        if wanted == "verbose":
            ocserv_conf.begin_verbose(files, now + timedelta(hours=VERBOSE_HOURS))
        else:
            if wanted != "normal":
                changed = env_file.assign(environment_text(files), "DEBUG_LEVEL", wanted, paths.ENVIRONMENT)
                files.write(paths.ENVIRONMENT, changed.encode(), _MODE)
            files.remove(paths.LOG_LEVEL)
        after = _level(files, now)
        if after == before:
            return _level_result("unchanged", after)
        present = files.read(paths.OCSERV_CONF)
        if present is not None and after.level != before.level:
            # The end of the verbose mode is the monitor's.
            files.write(paths.OCSERV_CONF, ocserv_conf.with_level(present, after.level), CONFIGURATION_MODE)
            reload_gateway(run.context)
    return _level_result("changed", after)


def _level(files: Files, now: datetime) -> LogLevel:
    return ocserv_conf.log_level(files, env_file.parse(environment_text(files), paths.ENVIRONMENT), now)


def _level_result(status: Status, level: LogLevel) -> Result:
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
    return Result(status, report.data, text=lines)


_SAME = text("The gateway has the configuration of the tenant.")


def show(operator: Operator) -> Result:
    """`admin-settings.json`, and what `ocserv.conf` alone has of the configuration: UDP and session timeout.

    Raises UsageError before there is one, StepError `settings-unreadable` for a damaged one.
    """
    with installed_run(operator, {}, exclusively=False) as run:
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
    return Result("ok", {"configuration": settings}, text=lines)


def diff(operator: Operator, settings: Settings, *, exit_code: bool) -> Result:
    """What `pull` would change; with `exit_code` the code is 20 when there is anything."""
    with installed_run(operator, settings, exclusively=False) as run:
        rendered = _wanted(run.context)
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
        {"diff": [*lines]},
        _notices(rendered),
        text=lines or [_SAME],
        exit_code=ExitCode.CHANGES_PENDING if lines and exit_code else ExitCode.DONE,
    )


def pull(operator: Operator, settings: Settings) -> Result:
    """Write what differs; the gateway reloads it automatically. Raises StepError if ocserv refuses it."""
    with installed_run(operator, settings) as run:
        rendered = _wanted(run.context)
        changes = rendering.changes(rendering.current(run.files), rendered.files)
        if changes:
            run.context.host.check_gateway_configuration(images.references(run.context)[0], rendered.text)
            rendering.write(run.files, changes)
    lines = [text("Written: {changes}.", changes=", ".join(changes)) if changes else _SAME]
    status: Status = "changed" if changes else "unchanged"
    return Result(status, {"written": [*changes]}, _notices(rendered), text=lines)


def _wanted(context: Context) -> RenderedConfiguration:
    sign_in.STEP.gather(context)
    found = context.host.graph.configuration_of(site.chosen_id(context))
    if found is None:
        raise CONFIGURATION_MISSING()
    files = context.host.files
    level = read_log_level(files, context.host.clock.now())
    port = rendering.open_port(rendering.current(files))
    return rendering.render(
        ServerConfiguration.from_wire(found.to_wire()), read_gateway_options(files), port, level
    )


def _notices(rendered: RenderedConfiguration) -> tuple[Problem, ...]:
    return (*rendered.warnings, *((rendered.port_waiting,) if rendered.port_waiting else ()))
