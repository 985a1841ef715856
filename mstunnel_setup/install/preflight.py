"""The required checks: of the host before the first change, and of the site as soon as it is known."""

from collections.abc import Collection, Sequence

from mstunnel_setup.actions import vendor_gateway
from mstunnel_setup.answers.merge import require
from mstunnel_setup.base.errors import CheckError, ChecksFailedError, UsageError
from mstunnel_setup.base.text import plain
from mstunnel_setup.install import device_certificates
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.run_answers import refuse_unsupported
from mstunnel_setup.install.steps import (
    bridge,
    configure,
    environment,
    images,
    program,
    register,
    site,
)
from mstunnel_setup.install.tenant_sign_in import cloud_of
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.data import endpoints_of, with_registries
from mstunnel_setup.readiness.examine import Examiner, Wanted
from mstunnel_setup.readiness.facts.host import TunnelFacts
from mstunnel_setup.readiness.facts.section import Section
from mstunnel_setup.readiness.facts.vendor import vendor
from mstunnel_setup.readiness.model import CheckFinding, Group, Outcome, ReadinessFacts, undecided
from mstunnel_setup.transaction.step import AnyStep

_GROUPS = frozenset({Group.UTILS, Group.HOST, Group.NETWORK, Group.ROOTLESS})
# These checks need the site's server configuration; the port checks take their port from it.
_PORTS = frozenset({"port-tcp", "port-udp", "rootless-port"})
_OF_THE_SITE = _PORTS | {"pool-route", "pool-bridge", "pool-dns", "bridge-dns", "bridge-rules"}
# In seconds. A long timeout is acceptable before an installation, and a fast host does not wait for it.
_PATIENCE = 120.0
_FIREWALL = frozenset({"firewall-tcp", "firewall-udp"})
OF_STEPS = ("program-older", "tun-missing", "port-in-use", "licence-missing")
"""Ids of the checks within steps, besides those of mst-readiness; `--ignore-check` accepts them, too."""
_ALL = frozenset(item.id for item in checks.CHECKS)


def refuse(
    run: Run, steps: Sequence[AnyStep], later: Sequence[AnyStep] = (), *, examined: bool = True
) -> None:
    """Raise SetupError before the first change if the steps cannot succeed.

    Checks for missing answers, checks the host (if `examined`), and asks each step. `later` are the account's
    steps that follow root's.
    """
    require_answers(run, steps, later)
    names = [step.name for step in steps]
    if examined:
        refuse_unready(run, names, [step.name for step in later])
    for step in steps:
        step.refuse(run, names)


def refuse_other(run: Run) -> None:
    """Raise CheckError for Microsoft's gateway, and for an installation that is too old to continue.

    Microsoft's gateway is never overwritten; an installation that has begun found none, or adopted it. Raises
    UsageError `adoption-unfinished` until that gateway is stopped.
    """
    receipt = run.receipt
    program.refuse_too_old(receipt)
    if vendor_gateway.KEY in receipt.entries and vendor_gateway.HAND_OVER not in receipt.steps:
        raise UsageError(
            "adoption-unfinished",
            "the adoption of Microsoft's own gateway on this host is not finished",
            hint=(
                "Continue with `mstunnel-setup adopt switch`, or go back with `mstunnel-setup adopt "
                "rollback`."
            ),
        )
    if receipt.entries:
        return
    found = vendor(run.files, run.host.processes)
    if found.signs:
        raise CheckError(
            "vendor-installed",
            "Microsoft's own gateway is installed here ({signs}); nothing was changed",
            hint=(
                "To take it over, start with `mstunnel-setup adopt plan`. To install from scratch, "
                "remove it first with its own `mst-cli uninstall`."
            ),
            signs=", ".join(found.signs),
        )


def require_answers(run: Run, steps: Sequence[AnyStep], later: Sequence[AnyStep] = ()) -> None:
    """Raise UsageError, which names every answer that an unattended run still lacks.

    `later` are the account's steps that follow root's. Once root's steps have begun, they are not considered:
    their answers may be in the account's journal.
    """
    refuse_unsupported(run.answers)
    if run.console.interactive:
        return
    asking = steps if run.receipt.entries else (*steps, *later)
    missing = dict.fromkeys(path for step in asking for path in step.missing(run))
    require(run.answers, missing)


def refuse_unready(run: Run, steps: Collection[str], later: Collection[str] = ()) -> None:
    """Raise CheckError or ChecksFailedError if required checks of the host fail and are not ignored.

    These checks need no answer and no sign-in. `steps` are the names of the steps that will run, `later`
    those of the account that follow root's. An installation that has begun is not checked again.
    """
    run.examined = tuple(steps)
    if run.receipt.entries:
        return
    device_certificates.refuse_unusable(run.answers, run.files, run.host.clock.now())
    if not run.files.live:
        return
    environment.STEP.gather(run)
    environment.adopt_proxies(run)
    run.facts = facts = _examine(run, (*steps, *later))
    _judge(run, facts, steps, _ALL - _PORTS)
    if site.STEP.name not in steps:
        _tell_closed(run, facts)


def refuse_unsuited(run: Run) -> None:
    """Raise CheckError or ChecksFailedError if the host does not meet the requirements of the site to join.

    A registered server is not checked again.
    """
    steps = run.examined
    if not (steps and run.files.live) or register.STEP.name in run.receipt.steps:
        return
    facts = run.facts or _examine(run, steps)
    # The facts now include the site's server configuration and the process that uses its port.
    chosen, server = site.choose(run), configure.pulled(run)
    tunnel = TunnelFacts(
        source=f"site {plain(chosen.display_name, 60)}",
        pool=str(server.network or ""),
        ipv6_pool=str(server.ipv6_network or ""),
        dns_servers=tuple(map(str, server.dns_servers)),
        includes=tuple(map(str, server.routes_include)),
    )
    settings = run.readiness_settings(server.listen_port)
    reader = Examiner(run.files, run.host.processes, run.host.clock)
    changes: dict[str, Section] = {"ports": reader.host_reader(settings).ports()}
    if settings.port != facts.settings.port:
        changes["security"] = reader.program_reader(settings).security()
    facts = facts.model_copy(update={"tunnel": tunnel, "settings": settings, **changes})
    _judge(run, facts, steps, _OF_THE_SITE)
    _tell_closed(run, facts)


def _judge(run: Run, facts: ReadinessFacts, steps: Collection[str], ids: Collection[str]) -> None:
    """Evaluate the checks `ids`; offer to move the bridge if its range conflicts."""

    def judged() -> list[CheckFinding]:
        settings = facts.settings.model_copy(update={"bridge": run.answers.bridge or ""})
        found = remaining(facts.model_copy(update={"settings": settings}), steps)
        return [item for item in found if item.id in ids]

    found = judged()
    # Incomplete checks are grouped by reason, since one missing section of facts affects many checks.
    by_reason: dict[str, list[str]] = {}
    for item in undecided(found, run.request.ignored_checks):
        by_reason.setdefault(item.seen, []).append(item.id)
    for reason, unmade in by_reason.items():
        run.note("Not checked ({reason}): {ids}", reason=reason, ids=", ".join(unmade))
    failed = [item for item in found if item.result is Outcome.FAIL]
    if "bridge" in steps and any(item.id in bridge.CHECKS for item in failed) and bridge.offer(run, facts):
        failed = [item for item in judged() if item.result is Outcome.FAIL]
    errors: list[CheckError] = []
    for item in failed:
        error = CheckError(item.id, item.problem.message, item.hint)
        if run.ignores(item.id):
            run.note("Ignored (--ignore-check): {problem}", problem=error.message)
        else:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ChecksFailedError(errors)


def remaining(facts: ReadinessFacts, steps: Collection[str]) -> list[CheckFinding]:
    """Return the findings of the checks, in the order of the report, without those that the steps fix."""
    if bridge.STEP.name not in steps:
        facts = facts.model_copy(update={"settings": facts.settings.model_copy(update={"bridge": ""})})
    return [item for item in checks.judge(checks.of(_GROUPS), facts) if item.fixed_by not in steps]


def _tell_closed(run: Run, facts: ReadinessFacts) -> None:
    """Show how to open the host's firewall for devices if it blocks them; no step opens it."""
    for item in checks.judge(checks.of(_GROUPS), facts):
        closed = item.id in _FIREWALL and item.result is Outcome.WARNING
        if closed and not run.ignores(item.id):
            run.note("{problem}. {hint}", problem=item.problem.message, hint=item.hint)


def _examine(run: Run, steps: Collection[str]) -> ReadinessFacts:
    where, given = cloud_of(run.answers), run.answers.images
    wanted = Wanted(
        settings=run.readiness_settings(run.port),
        groups=_GROUPS,
        endpoints=with_registries(
            endpoints_of(where.name, where.authority, where.graph),
            (given.server, given.agent),
            # Registries are checked only if a step of this run pulls images from them.
            offline=bool(given.archive) or images.STEP.name not in steps,
        ),
        ca_pem=ca_pem(run),
        deadline=_PATIENCE,
    )
    return Examiner(run.files, run.host.processes, run.host.clock).facts(wanted)


def ca_pem(run: Run) -> str:
    """Return the extra trusted roots (PEM) that the answers contain or name; empty if there are none."""
    if run.answers.tenant.ca_pem:
        return run.answers.tenant.ca_pem
    path = run.answers.tenant.ca_file
    content = None if path is None else run.files.read_given(path)
    return (content or b"").decode("ascii", errors="ignore")
