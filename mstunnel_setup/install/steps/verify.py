"""Step `verify`: check from outside that the gateway serves what was installed.

A gateway that cannot open its tunnel device, because it was started before the device, is restarted once.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from mstunnel_setup.actions import tunnel_device
from mstunnel_setup.actions.tenant_objects import RegisterServer
from mstunnel_setup.actions.tunnel_device import RenewTunnelDevice
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, TenantError, declare
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.checked_state import checked_state
from mstunnel_setup.exchange import gateway_report as report
from mstunnel_setup.exchange.health_report import AGENT_LOGS, LATEST_CHECK_IN, last_status
from mstunnel_setup.install.agent_hints import agent_hints
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.serving import healthy, serves, within_patience
from mstunnel_setup.install.steps import configure, sign_in, site
from mstunnel_setup.transaction.step import Step

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
SERVER_NOT_LISTED = declare(
    TenantError,
    "server-not-listed",
    "the tenant has no record of this server",
    "Run the command again to register the server.",
)
AGENT_NOT_CHECKED_IN = declare(
    TenantError, "agent-not-checked-in", "the agent has not checked in to the tenant: {reason}", "{hint}"
)


@dataclass(frozen=True)
class ExpectedGateway:
    """The port on which the gateway must serve, and the record and site that must exist in the tenant.

    `closed` says why the gateway cannot open its tunnel device, or could not before an interrupted run; it is
    empty if the gateway can.
    """

    port: int
    site_id: str
    server_id: str
    closed: str = ""


def _gather(run: Run) -> ExpectedGateway:
    registration = sign_in.result(run.receipt, RegisterServer.kind) or {}
    # An interrupted run may already have restarted the gateway; then the reason is in the unfinished action.
    begun = run.receipt.entries.get(RenewTunnelDevice.key_template)
    before = "" if begun is None or begun.finished else str(begun.before.get("reason", ""))
    return ExpectedGateway(
        port=configure.pulled(run).listen_port,
        site_id=site.chosen_id(run),
        server_id=str(registration.get("server_id", "")),
        closed=tunnel_device.closed(run.host) or before,
    )


def _prove(run: Run, expected: ExpectedGateway) -> None:
    serves(run.host, expected.port)
    healthy(run.host)
    # The device is tested again only if the gateway could not open it before.
    if expected.closed and (reason := tunnel_device.closed(run.host)):
        run.fail(
            EngineError(
                "tunnel-device-closed",
                "the gateway cannot open its tunnel device {device}, even after a restart: {reason}",
                hint=(
                    "Load the module (`modprobe tun`), check that `head -c 0 /dev/net/tun` works on the "
                    "host, then run `mst-cli server restart` and this command again."
                ),
                device=tunnel_device.DEVICE,
                reason=reason,
            )
        )
    within_patience(run.host.clock, lambda: _applies_the_configuration(run))
    within_patience(run.host.clock, lambda: _has_checked_in(run, expected))


def _applies_the_configuration(run: Run) -> None:
    """Wait until the gateway has applied its files: it checks them every 30 seconds and may restart."""
    files = run.files
    said, configuration = report.read_report(files), files.read(paths.OCSERV_CONF)
    applied = said.configuration if said else None
    if applied is None or configuration is None:
        return
    reason = applied.refusal
    if applied.digest != hashlib.sha256(configuration).hexdigest():
        reason = text("it still runs an earlier one")
    if reason is not None:
        raise EngineError(
            "configuration-not-applied",
            "the gateway has not applied its configuration: {reason}",
            hint="See why with `mst-cli server logs --tail 20`, then run `mst-cli server restart`.",
            reason=reason,
        )


def _has_checked_in(run: Run, expected: ExpectedGateway) -> None:
    """Raise unless both the tenant and the agent report a recent check-in.

    The tenant may date a record at its creation, before an agent exists. The report of an agent that was
    replaced and a check-in long ago do not count.
    """
    record = run.host.graph.server(expected.site_id, expected.server_id)
    if record is None:
        raise SERVER_NOT_LISTED()
    state, status = checked_state(run.host, paths.AGENT), last_status(run.files)
    checked_in, error = (status.last_check_in, status.last_error) if status else (None, None)
    started = (state.started_at if state else None) or _LONG_AGO
    since = max(started, run.host.clock.now() - LATEST_CHECK_IN)
    if checked_in and checked_in >= since and record.last_checkin_date_time is not None:
        return
    reason = text("it has not reported why")
    hint = text(
        "`mst-cli agent logs --tail 20` shows why; `mst-readiness network` tests the path to the tenant."
    )
    if error and error.at >= started:
        reason, hint = error.message, agent_hints().get(error.code) or AGENT_LOGS
    raise AGENT_NOT_CHECKED_IN(reason=reason, hint=hint)


STEP = Step(
    "verify",
    text("Proof that the gateway serves"),
    _gather,
    # The step only tests the gateway, and restarts one that was started before its tunnel device existed.
    lambda expected: (RenewTunnelDevice(reason=expected.closed),),
    _prove,
    needs=("sign-in",),
)
