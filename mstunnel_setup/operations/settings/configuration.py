"""`mst-cli config show|diff|pull`: the server configuration here and in the tenant."""

import json
from collections.abc import Sequence
from difflib import unified_diff

from mstunnel_setup import paths
from mstunnel_setup.agent import desired_configuration
from mstunnel_setup.agent.settings import read_gateway_options
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import ExitCode, UsageError
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.steps import images, sign_in, site
from mstunnel_setup.operations.certificate.activation import installed_run
from mstunnel_setup.operator import Operator, Settings
from mstunnel_setup.result import Notice, Result
from mstunnel_setup.tenant.text import plain


def show(operator: Operator) -> Result:
    """`admin-settings.json`, as the gateway works with it. Raises UsageError before there is one."""
    with installed_run(operator, {}, exclusively=False) as run:
        content = run.files.read(paths.ADMIN_SETTINGS)
    if content is None:
        raise UsageError(
            "configuration-not-pulled",
            "no server configuration is here yet",
            "Run mstunnel-setup to its end.",
        )
    settings: JsonObject = json.loads(content)
    text = [f"{name + ':':21} {_words(value)}" for name, value in settings.items()]
    return Result("ok", {"configuration": settings}, text=text)


def diff(operator: Operator, settings: Settings, *, exit_code: bool) -> Result:
    """What `pull` would change; with `exit_code` the code is 20 when there is anything."""
    with installed_run(operator, settings, exclusively=False) as run:
        wish = _wanted(run.context)
        present = desired_configuration.current(run.files)
    lines = [line for file in wish.files for line in _diff(present[file.path], file)]
    code = ExitCode.CHANGES_PENDING if lines and exit_code else ExitCode.DONE
    text = lines or ["The gateway has the configuration of the tenant."]
    return Result(
        "changed" if lines else "unchanged", {"diff": [*lines]}, _notices(wish), text=text, exit_code=code
    )


def pull(operator: Operator, settings: Settings) -> Result:
    """Write what differs; the gateway takes it into use by itself. Raises StepError if ocserv refuses it."""
    with installed_run(operator, settings) as run:
        wish = _wanted(run.context)
        present = desired_configuration.current(run.files)
        changes = desired_configuration.decide(present, wish)
        if changes:
            text = wish.files[-1].content.decode()
            run.context.world.check_gateway_configuration(images.references(run.context)[0], text)
            desired_configuration.write(run.files, changes)
    warnings = _notices(wish)
    data: JsonObject = {"written": [file.path for file in changes]}
    if not changes:
        return Result("unchanged", data, warnings, text=["The gateway has the configuration of the tenant."])
    return Result("changed", data, warnings, text=[f"Written: {', '.join(file.path for file in changes)}."])


def _wanted(context: Context) -> desired_configuration.Wanted:
    sign_in.STEP.gather(context)
    found = context.world.graph.configuration_of(site.chosen_id(context))
    if found is None:
        raise UsageError(
            "configuration-missing",
            "the site has no server configuration",
            "Assign a server configuration to the site in the admin center.",
        )
    options = read_gateway_options(
        context.world.files, context.answers.authentication, context.world.clock.now()
    )
    present = desired_configuration.current(context.world.files)
    return desired_configuration.wanted(found.to_wire(), options, desired_configuration.open_port(present))


def _diff(present: bytes | None, wanted: desired_configuration.ManagedFile) -> list[str]:
    before = (present or b"").decode("utf-8", errors="replace").splitlines()
    changes = unified_diff(
        before, wanted.content.decode().splitlines(), wanted.path, f"{wanted.path} (tenant)", n=0, lineterm=""
    )
    return [*changes]


def _notices(wish: desired_configuration.Wanted) -> tuple[Notice, ...]:
    waiting = (wish.port_waiting,) if wish.port_waiting else ()
    return tuple(Notice(item.code, item.message, item.hint) for item in (*wish.warnings, *waiting))


def _words(value: object) -> str:
    shown = (
        ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value
    )
    return plain(str(shown)) or "none"
