"""`mst-cli env get|set|unset`: edit `env.sh` with checks."""

from mstunnel_setup.answers.variables import KNOWN, PROXIES, refuse_wrong
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Verbatim, text
from mstunnel_setup.gateway import env_file
from mstunnel_setup.install.session import Run
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate.activation import installed_run
from mstunnel_setup.operations.settings.environment_check import unknown_setting

_MODE = 0o640


def get(operator: Operator, name: str | None) -> Result:
    """One setting, or all. Raises UsageError `setting-missing`, EnvironmentFileError for a damaged file."""
    with installed_run(operator, {}, exclusively=False) as run:
        settings = env_file.parse(environment_text(run), paths.ENVIRONMENT)
    if name is None:
        return Result(
            "ok", {"settings": settings}, text=[Verbatim(f"{key}={value}") for key, value in settings.items()]
        )
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
    with installed_run(operator, {}) as run:
        before = environment_text(run)
        after = before
        for spelling in _spellings(name):
            after = env_file.assign(after, spelling, value, paths.ENVIRONMENT)
        earlier = env_file.parse(before, paths.ENVIRONMENT).get(name, "")
        then = _then(name, earlier, value or "") if after != before else []
        data = {"name": name, "value": value, "then": then}
        unknown = () if value is None or _spellings(name)[0] in KNOWN else (unknown_setting(name),)
        if after == before:
            return Result("unchanged", data, unknown, text=[text("It has this value already.")])
        run.files.write(paths.ENVIRONMENT, after.encode(), _MODE)
    lines = [
        text("{name} is not set any more.", name=name) if value is None else text("{name} is set.", name=name)
    ]
    if _spellings(name)[0] in KNOWN:
        lines += [text("To take effect: `{command}`.", command=command) for command in then] or [
            text("It takes effect within a minute.")
        ]
    return Result("changed", data, unknown, text=lines)


def _spellings(name: str) -> tuple[str, ...]:
    """Both cases of a proxy variable: programs read the one or the other."""
    return (name.lower(), name.upper()) if name.lower() in PROXIES else (name,)


def _then(name: str, before: str, after: str) -> list[str]:
    """The commands after which the setting has taken effect; none where it is read again all the time.

    What containers are created with, and files of the host for a proxy, only an installation writes.
    """
    if name.lower() in PROXIES:
        return ["mst-cli install"]
    if name == "TRACE_SESSIONS":
        traced = [value in ("1", "2") for value in (before, after)]
        return ["mst-cli server restart"] if all(traced) else ["mst-cli install"]
    return ["mst-cli server restart"] if name == "CLIENT_TO_CLIENT" else []


def environment_text(run: Run) -> str:
    """The text of `env.sh`, empty without the file. Raises EnvironmentFileError `environment-not-utf8`."""
    return env_file.decode(run.files.read(paths.ENVIRONMENT) or b"", paths.ENVIRONMENT)
