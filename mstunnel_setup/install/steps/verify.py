"""Step `verify`: prove from outside that the gateway serves what was installed.

A gateway that cannot open its tunnel device, because it was started before the device, is restarted once.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.actions import control
from mstunnel_setup.actions.host import Host
from mstunnel_setup.actions.tenant_objects import RegisterServer
from mstunnel_setup.actions.uplink import gateway_address
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, NetworkError, SetupError, TenantError
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates import generations
from mstunnel_setup.exchange import gateway_report as report
from mstunnel_setup.gateway.ocserv_conf import served_proxy_protocol
from mstunnel_setup.install import tenant_access, tunnel_device
from mstunnel_setup.install.agent_report import (
    AGENT_LOGS,
    AgentReport,
    ReportedError,
    agent_hints,
    read_report,
)
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.errors import (
    AGENT_NOT_CHECKED_IN,
    CONFIGURATION_NOT_APPLIED,
    CONTAINER_UNHEALTHY,
    SERVER_NOT_LISTED,
)
from mstunnel_setup.install.steps import configure, site
from mstunnel_setup.install.tunnel_device import RenewTunnelDevice
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.network import served_leaf
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

_PATIENCE = 180.0
_PAUSE = 1.0


@dataclass(frozen=True)
class ExpectedGateway:
    """Where the gateway must serve, and which record of which site must be in the tenant.

    `closed` is why the gateway cannot open its tunnel device; empty when it can.
    """

    port: int
    site_id: str
    server_id: str
    closed: str = ""


def _gather(context: Context) -> ExpectedGateway:
    registration = tenant_access.result(context.receipt, RegisterServer.kind) or {}
    return ExpectedGateway(
        port=configure.pulled(context).listen_port,
        site_id=site.chosen_id(context),
        server_id=str(registration.get("server_id", "")),
        closed=tunnel_device.closed(context.host),
    )


def _decide(expected: ExpectedGateway) -> Sequence[Action]:
    """Looking changes nothing; a gateway that was started too early is started once more."""
    return (RenewTunnelDevice(reason=expected.closed),)


def _prove(context: Context, expected: ExpectedGateway) -> None:
    serves(context.host, expected.port)
    healthy(context)
    # What was open stays open.
    if expected.closed and (reason := tunnel_device.closed(context.host)):
        context.fail(
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
    within_patience(context.host.clock, lambda: _applies_the_configuration(context))
    within_patience(context.host.clock, lambda: _has_checked_in(context, expected))


def serves(host: Host, port: int, patience: float = _PATIENCE, pause: float = _PAUSE) -> None:
    """Return once the gateway serves the installed leaf on `port`, looking every `pause` seconds.

    Raises NetworkError after `patience` seconds, CertificateError when no usable one is installed.
    """
    leaf = generations.read(host.files, paths.ACTIVE).leaf.public_bytes(Encoding.DER)
    within_patience(host.clock, lambda: _serves(host, port, leaf), patience, pause)


def healthy(context: Context, patience: float = _PATIENCE) -> None:
    """Return once both containers are healthy. Raises EngineError after `patience` seconds."""
    within_patience(context.host.clock, lambda: _containers_are_healthy(context), patience)


def within_patience(
    clock: Clock, check: Callable[[], None], patience: float = _PATIENCE, pause: float = _PAUSE
) -> None:
    """Repeat a check until it passes or the time is over; then raise its error."""
    end = clock.monotonic() + patience
    while True:
        try:
            check()
        except SetupError:
            if clock.monotonic() > end:
                raise
            clock.sleep(pause)
        else:
            return


def leaf_in_service(files: Files, port: int) -> bytes:
    """The leaf certificate (DER) that the gateway presents on `port`. Raises NetworkError."""
    configuration = files.read(paths.OCSERV_CONF) or b""
    address = gateway_address(files, port)
    return served_leaf(address, port, proxy_protocol=served_proxy_protocol(configuration))


def _serves(host: Host, port: int, leaf: bytes) -> None:
    if leaf_in_service(host.files, port) != leaf:
        raise NetworkError(
            "wrong-leaf-served",
            "port {port} serves another certificate than the installed one",
            hint="Check for another program on this port, then run `mst-cli server restart`.",
            port=port,
        )


def _containers_are_healthy(context: Context) -> None:
    for name in (paths.SERVER, paths.AGENT):
        state = control.state_of(context.host, name)
        # The engine keeps the last health of a container that has ended.
        if state is None or state.status != "running" or state.health != "healthy":
            seen = (
                "missing"
                if state is None
                else text(
                    "{status}, {reported}",
                    status=state.status,
                    reported=state.health or text("no health reported"),
                )
            )
            raise CONTAINER_UNHEALTHY(container=name, state=seen, component=name.removeprefix("mstunnel-"))


def _applies_the_configuration(context: Context) -> None:
    """A gateway that runs looks at its files every few seconds, and may restart for them."""
    files = context.host.files
    said, configuration = report.read_report(files), files.read(paths.OCSERV_CONF)
    applied = said.configuration if said else None
    if applied is None or configuration is None:
        return
    if applied.digest != hashlib.sha256(configuration).hexdigest():
        raise CONFIGURATION_NOT_APPLIED(reason=text("it still runs an earlier one"))
    if applied.refusal is not None:
        raise CONFIGURATION_NOT_APPLIED(reason=applied.refusal)


def _has_checked_in(context: Context, expected: ExpectedGateway) -> None:
    """Both sides must say so: the tenant may date a record when it is made, before there is an agent."""
    record = context.host.graph.server(expected.site_id, expected.server_id)
    if record is None:
        raise SERVER_NOT_LISTED()
    report = _report(context)
    refused = report is not None and not report.checked_in
    if refused or record.last_checkin_date_time is None:
        raise _not_checked_in(report.last_error if report else None)


def _report(context: Context) -> AgentReport | None:
    """What the agent that runs has reported; what one before it did tells nothing."""
    report = read_report(context.host.files)
    state = control.state_of(context.host, paths.AGENT)
    started = state.started_at if state else None
    return report if report and (started is None or report.at >= started) else None


def _not_checked_in(error: ReportedError | None) -> TenantError:
    if error is None:
        hint = text(
            "`mst-cli agent logs --tail 20` shows why; `mst-readiness network` tests the way to the tenant."
        )
        return AGENT_NOT_CHECKED_IN(reason=text("it has not reported why"), hint=hint)
    return AGENT_NOT_CHECKED_IN(reason=error.message, hint=agent_hints().get(error.code) or AGENT_LOGS)


STEP = Step("verify", text("Proof that the gateway serves"), _gather, _decide, _prove, needs=("sign-in",))
