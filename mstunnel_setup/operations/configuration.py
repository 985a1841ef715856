"""`mst-cli config show|diff|pull`: the server configuration here and in the tenant."""

from collections.abc import Sequence
from difflib import unified_diff

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CONFIGURATION_MISSING, ExitCode, UsageError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Line, plain, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.exchange.agent_settings import read_log_level
from mstunnel_setup.gateway import rendering
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import read_tunnel_settings
from mstunnel_setup.gateway.options import read_gateway_options
from mstunnel_setup.gateway.rendering import RenderedConfiguration, read_admin_settings
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.steps import images, sign_in, site
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.operations.certificate.activation import installed_run


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
        more: JsonObject = {
            "DisableUdpConnections": not served.udp,
            "SessionTimeout": served.session_timeout,
        }
        settings = {**settings, **more}
    text = [
        Line(f"{name + ':':23} {_words(value)}", f"{name}:", _words(value))
        for name, value in settings.items()
    ]
    return Result("ok", {"configuration": settings}, text=text)


def diff(operator: Operator, settings: Settings, *, exit_code: bool) -> Result:
    """What `pull` would change; with `exit_code` the code is 20 when there is anything."""
    with installed_run(operator, settings, exclusively=False) as run:
        rendered = _wanted(run.context)
        present = rendering.current(run.files)
    lines = [
        line
        for path, content in rendered.files.items()
        for line in _diff(path, present[path] or b"", content)
    ]
    code = ExitCode.CHANGES_PENDING if lines and exit_code else ExitCode.DONE
    shown = lines or [text("The gateway has the configuration of the tenant.")]
    return Result(
        "changed" if lines else "unchanged",
        {"diff": [*lines]},
        _notices(rendered),
        text=shown,
        exit_code=code,
    )


def pull(operator: Operator, settings: Settings) -> Result:
    """Write what differs; the gateway reloads it automatically. Raises StepError if ocserv refuses it."""
    with installed_run(operator, settings) as run:
        rendered = _wanted(run.context)
        changes = rendering.changes(rendering.current(run.files), rendered.files)
        if changes:
            run.context.host.check_gateway_configuration(images.references(run.context)[0], rendered.text)
            rendering.write(run.files, changes)
    warnings = _notices(rendered)
    data: JsonObject = {"written": [*changes]}
    if not changes:
        return Result(
            "unchanged", data, warnings, text=[text("The gateway has the configuration of the tenant.")]
        )
    return Result("changed", data, warnings, text=[text("Written: {changes}.", changes=", ".join(changes))])


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


def _diff(path: str, present: bytes, wanted: bytes) -> list[str]:
    before, after = (content.decode("utf-8", errors="replace").splitlines() for content in (present, wanted))
    return [*unified_diff(before, after, path, text("{path} (tenant)", path=path), n=0, lineterm="")]


def _notices(rendered: RenderedConfiguration) -> tuple[Problem, ...]:
    return (*rendered.warnings, *((rendered.port_waiting,) if rendered.port_waiting else ()))


def _words(value: object) -> str:
    shown = (
        ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value
    )
    return plain(str(shown)) or "none"
