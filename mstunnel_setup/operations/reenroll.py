"""`mst-cli reenroll`: a new identity and a new record in the tenant; site, certificate and data stay."""

from collections.abc import Collection

from mstunnel_setup.actions import control
from mstunnel_setup.actions.agent_identity import CreateAgentSecret
from mstunnel_setup.actions.certificates import CreateAgentCredential
from mstunnel_setup.actions.tenant_objects import CreateAppIdentity, RegisterServer
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.install.session import Run, step_named
from mstunnel_setup.install.steps import sign_in, site
from mstunnel_setup.install.uninstall import as_data, kept
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.operations.certificate.activation import installed_run
from mstunnel_setup.transaction.runner import Removal

_AFTERWARDS = ("register", "configure", "launch", "verify")


_IDENTITY = frozenset(
    {CreateAgentCredential.kind, CreateAgentSecret.kind, CreateAppIdentity.kind, RegisterServer.kind}
)


def take_back(run: Run, kinds: Collection[str]) -> list[Removal]:
    """Undo the objects of these kinds of actions, newest first; the rest of the installation stays."""
    entries = run.context.receipt.entries.values()
    return run.runner.take_back([entry.key for entry in entries if entry.versions[-1]["kind"] in kinds])


def enrol(run: Run, *, first: Collection[str] = ()) -> bool:
    """Run the steps `first`, then those from the registration on; the agent starts with what is new then.

    Returns whether there was anything to do.
    """
    steps = [step_named(name) for name in ("sign-in", *first, *_AFTERWARDS[:-1])]
    done = run.runner.run(steps, run.context)
    control.restart(run.context.ports, paths.AGENT)
    run.runner.run([step_named(_AFTERWARDS[-1])], run.context)
    return any(planned.actions for planned in done)


def reenroll(operator: Operator, settings: Settings, *, yes: bool) -> Result:
    """Remove what the tenant knows of this server, wherever it still does, and register it again.

    An administrator signs in first, so that a refused sign-in leaves everything as it is.
    """
    with installed_run(operator, settings) as run:
        prompter = run.context.prompter
        ask = prompter.interactive and not yes
        if ask and not prompter.confirm("Give this server a new identity in the tenant?"):
            raise UsageError(
                "reenroll-declined",
                "nothing was changed",
                hint="Run the command again and answer yes.",
            )
        sign_in.as_registrar(run.context)
        site.chosen_id(run.context)
        removals = take_back(run, _IDENTITY)
        enrol(run)
    lines = [text("Registered again, in the same site and with the same certificate.")]
    return Result("changed", as_data(removals), kept(removals), text=lines)
