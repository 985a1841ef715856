"""`mst-cli log level`: how much the server logs, permanently or for eight hours."""

from datetime import timedelta

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.gateway import env_file, log_level
from mstunnel_setup.gateway.log_level import VERBOSE_HOURS, LogLevel
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE, HIGHEST_LEVEL
from mstunnel_setup.install.session import Run
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate.activation import installed_run, reload_gateway
from mstunnel_setup.operations.settings.environment_file import environment_text


def log_level_command(operator: Operator, wanted: str | None) -> Result:
    """Show the level, set it (0 to 4), begin the verbose mode (`verbose`) or end it (`normal`).

    Raises UsageError `log-level-invalid` for any other word, EnvironmentFileError for a damaged `env.sh`.
    """
    levels = map(str, range(HIGHEST_LEVEL + 1))
    if wanted not in (None, "verbose", "normal", *levels):
        raise UsageError(
            "log-level-invalid",
            "there is no log level {level}",
            hint="Give 0 to {highest}, verbose or normal.",
            level=wanted,
            highest=HIGHEST_LEVEL,
        )
    with installed_run(operator, {}, exclusively=wanted is not None) as run:
        before = _now(run)
        if wanted is None:
            return Result("ok", _data(before), text=_lines(before))
        _set(run, wanted)
        after = _now(run)
        if after == before:
            return Result("unchanged", _data(after), text=_lines(after))
        if after.level != before.level:
            _apply(run, after.level)
    return Result("changed", _data(after), text=_lines(after))


def _set(run: Run, wanted: str) -> None:
    if wanted == "verbose":
        log_level.begin_verbose(run.files, run.context.ports.clock.now() + timedelta(hours=VERBOSE_HOURS))
        return
    if wanted != "normal":
        text = env_file.assign(environment_text(run), "DEBUG_LEVEL", wanted, paths.ENVIRONMENT)
        run.files.write(paths.ENVIRONMENT, text.encode(), 0o640)
    log_level.end_verbose(run.files)


def _now(run: Run) -> LogLevel:
    settings = env_file.parse(environment_text(run), paths.ENVIRONMENT)
    return log_level.log_level(run.files, settings, run.context.ports.clock.now())


def _apply(run: Run, level: int) -> None:
    """Write it into `ocserv.conf` and have the gateway look; the end of the verbose mode is the monitor's."""
    present = run.files.read(paths.OCSERV_CONF)
    if present is not None:
        run.files.write(paths.OCSERV_CONF, log_level.with_level(present, level), CONFIGURATION_MODE)
        reload_gateway(run.context)


def _data(level: LogLevel) -> JsonObject:
    until = None if level.until is None else level.until.isoformat(timespec="seconds")
    return {"level": level.level, "usual": level.usual, "verbose_until": until}


def _lines(level: LogLevel) -> list[str]:
    if level.until is None:
        return [text("Level {level} of 0 to 4.", level=level.level)]
    return [
        text(
            "Level {level}, until {until:%Y-%m-%d %H:%M} UTC; then {usual} again.",
            level=level.level,
            until=level.until,
            usual=level.usual,
        ),
        text("End it now: `mst-cli log level normal`."),
    ]
