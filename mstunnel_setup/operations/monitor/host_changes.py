"""Changes that the monitor makes to the host: overdue certificates, the port, the list of addresses."""

from mstunnel_setup.actions.certificates import pending_imports
from mstunnel_setup.base import paths
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.exchange import log_lines
from mstunnel_setup.install.installed import journal_of
from mstunnel_setup.operations.monitor.configuration import wanted_port
from mstunnel_setup.operations.monitor.limits import RateLimiter
from mstunnel_setup.operations.monitor.monitor_context import MonitorContext
from mstunnel_setup.readiness.facts.host import own_addresses

# The installer is imported only when needed, since it doubles the memory of an idle monitor.


def import_overdue(context: MonitorContext) -> None:
    """Activate the certificates that are due and that their timer has not activated."""
    operator = context.operator
    receipt = journal_of(Scope.ALL, operator, despite_damage=True).receipt
    if not pending_imports(receipt):
        return
    from mstunnel_setup.install import session  # noqa: PLC0415 (see above)
    from mstunnel_setup.operations.certificate import delayed_import  # noqa: PLC0415 (see above)

    timers = context.host.systemd.running()
    for pending in delayed_import.overdue(receipt, context.clock.now(), timers=timers):
        with session.installed_run(operator, despite_damage=True) as run:
            context.tell(log_lines.CERTIFICATE(name=pending.name))
            delayed_import.take(run, pending)


def move_port(context: MonitorContext) -> None:
    """Move to the port of the tenant's configuration, at most every ten minutes, even after a failure.

    A gateway that an administrator stopped moves after it is started again.
    """
    now, limiter = context.clock.now(), RateLimiter(context.files)
    interrupted = limiter.moving
    wanted = interrupted or wanted_port(context.files)
    if wanted is None:
        return
    if interrupted is None and (limiter.wait("port", now) or context.gateway_is_stopped()):
        return
    from mstunnel_setup.install import session  # noqa: PLC0415 (see above)
    from mstunnel_setup.operations.monitor import port  # noqa: PLC0415 (see above)

    with session.open_run(context.operator) as run:
        if interrupted is None:
            limiter.record("port", now, moving=wanted)
        context.service.status(f"Moving the gateway to port {wanted}")
        context.tell(log_lines.PORT(port=wanted))
        try:
            port.move(run, wanted)
        except Exception:
            limiter.end_move()
            raise
        limiter.end_move()


def update_addresses(context: MonitorContext) -> None:
    """Update the list of this host's addresses, which devices must not reach."""
    files = context.files
    written = files.read(paths.HOST_ADDRESSES)
    if written is None:
        return
    found = own_addresses(files, context.clock).encode()
    if found and found != written:
        files.write(paths.HOST_ADDRESSES, found, 0o644)
        context.tell(log_lines.ADDRESSES())
