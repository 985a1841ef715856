"""`mst-cli env check`, also run by a restart and by `status`: problems in `env.sh`."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import Field

from mstunnel_setup.answers.variables import KNOWN, PROXIES, proxy_place, refuse_wrong, without_login
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, NetworkError, UsageError, ValuesError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import text
from mstunnel_setup.gateway import env_file
from mstunnel_setup.install.installed import open_gateway
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.network import connect
from mstunnel_setup.io.operator import Operator


@dataclass(frozen=True)
class EnvironmentCheck:
    """The settings in `env.sh`, a warning for each unknown name, an error for each unreachable proxy."""

    settings: Mapping[str, str]
    unknown: tuple[Problem, ...]
    unreachable: tuple[NetworkError, ...]


class EnvironmentReport(Report):
    """The settings in env.sh and the proxies that answered.

    The exit code is 10 for a line that cannot be parsed, 2 for an invalid value, 8 for an unreachable proxy.
    """

    settings: tuple[str, ...] = Field(description="The names that env.sh sets.")
    unknown: tuple[str, ...] = Field(description="Names in env.sh that nothing reads.")
    proxies: tuple[str, ...] = Field(description="The proxies that answered, without user name and password.")


def env_check(operator: Operator) -> Result[EnvironmentReport]:
    """Read `env.sh` as the gateway does, and connect to its proxies.

    The exit code is 8 if a proxy does not answer. Raises the errors of `check_environment`.
    """
    with open_gateway(operator) as host:
        found = check_environment(host.files)
    if found.unreachable:
        errors = tuple(error.problem for error in found.unreachable)
        return Result("error", warnings=found.unknown, errors=errors, exit_code=ExitCode.NETWORK)
    report = EnvironmentReport(
        settings=tuple(found.settings),
        unknown=tuple(name for name in found.settings if name not in KNOWN),
        proxies=tuple(without_login(proxy)[0] for proxy in _proxies(found.settings)),
    )
    content = text(
        "{environment} can be used; settings in it: {settings}.",
        environment=paths.ENVIRONMENT,
        settings=len(found.settings),
    )
    return Result("warning" if found.unknown else "ok", report, found.unknown, text=[content])


def check_environment(files: Files) -> EnvironmentCheck:
    """Return the settings in `env.sh` and their problems; a missing file counts as empty.

    Raises EnvironmentFileError for a line that is not an assignment, UsageError for an unusable value.
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
    return EnvironmentCheck(settings, unknown, tuple(unreachable_proxies(settings)))


def unknown_setting(name: str) -> Problem:
    """Return the warning for an unknown name, with the most similar known one."""
    by_case = {known.lower(): known for known in sorted(KNOWN, reverse=True)}
    near = [by_case[found] for found in difflib.get_close_matches(name.lower(), by_case, 1)]
    suggestion = text("; did you mean {near}?", near=near[0]) if near else ""
    return warning(
        "setting-unknown",
        "{path} sets {name}, which is not a setting of the gateway{suggestion}",
        hint="Correct the name, or remove the line with `mst-cli env unset {name}`.",
        path=paths.ENVIRONMENT,
        name=name,
        suggestion=suggestion,
    )


def _proxies(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the distinct proxies, each with the first variable that names it."""
    names = [name for proxy in PROXIES[:2] for name in (proxy, proxy.upper())]
    return {settings[name]: name for name in reversed(names) if settings.get(name)}


def unreachable_proxies(settings: Mapping[str, str]) -> Iterator[NetworkError]:
    """Connect to each proxy in `settings`; yield an error for each that does not answer."""
    for proxy, variable in _proxies(settings).items():
        place = proxy_place(proxy)
        try:
            if place is not None:
                connect(*place)
        except NetworkError as error:
            # The error must not show a password in the proxy's address.
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


def environment_text(files: Files) -> str:
    """Return the text of `env.sh`, or "" without the file.

    Raises EnvironmentFileError `environment-not-utf8`.
    """
    return env_file.decode(files.read(paths.ENVIRONMENT) or b"", paths.ENVIRONMENT)
