"""`mst-cli agent|server start|stop|restart`: control of one container."""

from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from mstunnel_setup.actions import containers
from mstunnel_setup.actions.containers import launch_failure, wait_until_up
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, SetupError, UsageError, ValuesError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.gateway.ocserv_conf import gateway_port
from mstunnel_setup.gateway.options import Authentication, read_gateway_options
from mstunnel_setup.install.installed import journal_of
from mstunnel_setup.install.serving import serves
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.component import existing_container, missing_image
from mstunnel_setup.operations.environment_check import check_environment

# Seconds until a container has to be up.
_PATIENCE = 180.0


class ContainerAction(Report):
    """The action carried out on a container."""

    container: str
    action: Literal["started", "stopped", "restarted"]


def stop(operator: Operator, container: str) -> Result[ContainerAction]:
    """Stop a container until an administrator starts it or the server reboots."""
    with existing_container(operator, container) as host:
        containers.stop(host, container)
    return _done(container, "stopped")


def _require_image(operator: Operator, host: GatewayHost, container: str) -> None:
    """Raise EngineError `container-image-missing` unless the container could start again."""
    if error := missing_image(host, journal_of(Scope.ALL, operator, despite_damage=True).receipt, container):
        raise error


def start(operator: Operator, container: str) -> Result[ContainerAction]:
    """Start a stopped container and wait until it is healthy and its server answers.

    While the host boots, a proxy may come up later than the gateway: problems in `env.sh` are warnings, or
    the reason in the EngineError, NetworkError or CertificateError for a container that does not serve.
    """
    with existing_container(operator, container) as host:
        _require_image(operator, host, container)
        try:
            warnings = _environment_warnings(host, container)
        except SetupError as error:
            warnings = (error.problem,)
        try:
            _prove(host, container, containers.start)
        except SetupError as error:
            reasons = [item.message for item in warnings if item.code != "setting-unknown"]
            raise type(error)(error.code, joined((*reasons, error.message), "; "), error.hint) from error
    return _done(container, "started", warnings)


def restart(operator: Operator, container: str) -> Result[ContainerAction]:
    """Stop and start a container and wait until it is healthy and its server answers.

    Raises the problems in `env.sh` while the old container still runs, and EngineError, NetworkError or
    CertificateError for a new container that does not serve.
    """
    with existing_container(operator, container) as host:
        _require_image(operator, host, container)
        try:
            warnings = _environment_warnings(host, container)
        except SetupError as error:
            kind = UsageError if isinstance(error, ValuesError) else type(error)
            why = text("{container} was not restarted: {problem}", container=container, problem=error.message)
            raise kind(error.code, why, error.hint) from error
        _prove(host, container, containers.restart)
    return _done(container, "restarted", warnings)


def _done(
    container: str, action: Literal["started", "stopped", "restarted"], warnings: tuple[Problem, ...] = ()
) -> Result[ContainerAction]:
    lines = {
        "started": text("{container} started.", container=container),
        "stopped": text("{container} stopped.", container=container),
        "restarted": text("{container} restarted.", container=container),
    }
    return Result(
        "changed", ContainerAction(container=container, action=action), warnings, text=[lines[action]]
    )


def _environment_warnings(host: GatewayHost, container: str) -> tuple[Problem, ...]:
    """Return the problems in `env.sh` that the container can run with; raise the first one it cannot.

    ocserv downloads the tenant's keys when it starts and ends if that fails; everything else is retried.
    """
    found = check_environment(host.files)
    if found.unreachable and container == paths.SERVER:
        fetches_keys = True
        with suppress(SetupError):
            fetches_keys = read_gateway_options(host.files).authentication is Authentication.OIDC
        if fetches_keys:
            raise found.unreachable[0]
    return (*found.unknown, *(error.problem for error in found.unreachable))


def _prove(host: GatewayHost, container: str, switch: Callable[[GatewayHost, str], None]) -> None:
    """Start the container with `switch` and return when it serves. Raises SetupError."""
    try:
        switch(host, container)
    except EngineError as error:
        raise launch_failure(host, container, host.engine.inspect(container)) from error
    wait_until_up(host, container, _PATIENCE)
    if container == paths.SERVER:
        serves(host, gateway_port(host.files))
