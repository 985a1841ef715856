"""`mst-cli reenroll|site`: registers this server again, in its site or in another one."""

from collections.abc import Collection

from mstunnel_setup.actions import containers
from mstunnel_setup.actions.agent_sign_in import CreateAgentSecret
from mstunnel_setup.actions.certificates import CreateAgentCredential
from mstunnel_setup.actions.tenant_objects import CreateAppIdentity, RegisterServer, require_free_name
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import Line, text
from mstunnel_setup.install.joined_site import JoinedSite
from mstunnel_setup.install.report import RemovalReport
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import installed_run, step_named
from mstunnel_setup.install.steps import register, sign_in, site
from mstunnel_setup.install.uninstall import kept
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.transaction.runner import Removal

_IDENTITY = frozenset(
    {CreateAgentCredential.kind, CreateAgentSecret.kind, CreateAppIdentity.kind, RegisterServer.kind}
)


def take_back(run: Run, kinds: Collection[str]) -> list[Removal]:
    """Undo the actions of these kinds, newest first; keep the rest of the installation."""
    entries = run.receipt.entries.values()
    return run.runner.take_back([entry.key for entry in entries if entry.versions[-1]["kind"] in kinds])


def register_again(run: Run, *, first: Collection[str] = ()) -> bool:
    """Sign in, run the steps `first` and those from the registration on, and restart the agent.

    Returns True if a step had anything to do.
    """
    steps = [step_named(name) for name in ("sign-in", *first, "register", "configure", "launch")]
    done = run.runner.run(steps, run)
    containers.restart(run.host, paths.AGENT)
    run.runner.run([step_named("verify")], run)
    return any(planned.actions for planned in done)


def reenroll(operator: Operator, settings: Settings, *, yes: bool) -> Result[RemovalReport]:
    """Remove this server's objects from the tenant, if they still exist, and register it again.

    An administrator signs in first, and everything is checked and asked before the first change, so that a
    refusal leaves the earlier identity. Running it again finishes an interrupted registration.
    """
    with installed_run(operator, InstallRequest(settings)) as run:
        prompter = run.console
        ask = prompter.interactive and not yes
        if ask and not prompter.confirm("Give this server a new identity in the tenant?"):
            raise UsageError(
                "reenroll-declined", "nothing was changed", hint="Run the command again and answer yes."
            )
        sign_in.as_registrar(run)
        register.require_possible(run)
        removals = take_back(run, _IDENTITY)
        register_again(run)
    lines = [text("Registered again, in the same site and with the same certificate.")]
    return Result("changed", RemovalReport.of(removals), kept(removals), text=lines)


class SiteMembership(Report):
    """The site that this server belongs to."""

    site: JoinedSite


def show(operator: Operator) -> Result[SiteMembership]:
    """Return id, name and public address of the site. Raises UsageError before one is joined."""
    with installed_run(operator, exclusively=False) as run:
        joined = _joined(run)
    rows = ((text("Site"), joined.name), (text("Id"), joined.id), (text("Address"), joined.public_address))
    lines = [Line(f"{label:8} {value or 'none'}", label, value or "none") for label, value in rows]
    return Result("ok", SiteMembership(site=joined), text=lines)


def change(operator: Operator, settings: Settings, wanted: str) -> Result[SiteMembership]:
    """Move this server to another site, after checking that it can be registered there.

    Raises TenantError if the site does not exist or already has a server of this name, CertificateError if
    the certificate does not cover its address; nothing is changed then. Running it again finishes an
    interrupted move.
    """
    with installed_run(operator, InstallRequest({**settings, "site": wanted})) as run:
        receipt = run.receipt
        # An interrupted move may have left the old site without joining a new one.
        left = site.STEP.name in receipt.steps and run.joined_site is None
        before = None if left else _joined(run)
        sign_in.STEP.gather(run)
        chosen = site.choose(run)
        if before is None or chosen.id != before.id:
            site.require_named(run, chosen)
            removable = run.answers.existing_record == "replace"
            graph, name = run.host.graph, run.server_name
            require_free_name(graph, chosen.id, name, removable=removable)
            take_back(run, {RegisterServer.kind})
            run.runner.take_back(["answer:joined-site"])
        changed = register_again(run, first=("site",))
        after = _joined(run)
    report = SiteMembership(site=after)
    if changed:
        return Result("changed", report, text=[text("This server now belongs to {name}.", name=after.name)])
    return Result("unchanged", report, text=[text("This server already belongs to {name}.", name=after.name)])


def _joined(run: Run) -> JoinedSite:
    joined = run.joined_site
    if joined is None:
        raise UsageError(
            "site-not-joined", "this server has not joined a site yet", hint="Run mstunnel-setup."
        )
    return joined
