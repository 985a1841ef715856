"""`mst-cli agent|server start|restart`: `env.sh` is checked first, and what was started is proved."""

from collections.abc import Callable
from contextlib import suppress

from mstunnel_setup.actions import control
from mstunnel_setup.actions.control import LOG_LINES, launch_failure, wait_until_up
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, SetupError, UsageError, ValuesError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.exchange.agent_settings import read_agent_info
from mstunnel_setup.gateway.ocserv_conf import Authentication, port_in_use
from mstunnel_setup.install.steps import verify
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.component import existing_container
from mstunnel_setup.operations.settings.environment_check import check_environment

_PATIENCE = 180.0


def start(operator: Operator, container: str) -> Result:
    """Start a container that is stopped; it is healthy, and its server answers, when this returns.

    At the boot of a host this must not depend on a proxy that is up a moment later: what is wrong with
    `env.sh` is a warning, or the reason of the EngineError, NetworkError or CertificateError for a container
    that does not serve.
    """
    with existing_container(operator, container) as ports:
        try:
            warnings = _environment_warnings(ports, container)
        except SetupError as error:
            warnings = (error.problem,)
        try:
            _prove(ports, container, control.start)
        except SetupError as error:
            reasons = [item.message for item in warnings if item.code != "setting-unknown"]
            raise type(error)(error.code, joined((*reasons, error.message), "; "), error.hint) from error
    return _done(container, "started", warnings)


def restart(operator: Operator, container: str) -> Result:
    """Stop and start a container; it is healthy, and its server answers, when this returns.

    Raises what is wrong with `env.sh` while the old container still runs, and EngineError, NetworkError or
    CertificateError for a new one that does not serve.
    """
    with existing_container(operator, container) as ports:
        try:
            warnings = _environment_warnings(ports, container)
        except SetupError as error:
            kind = UsageError if isinstance(error, ValuesError) else type(error)
            why = text("{container} was not restarted: {problem}", container=container, problem=error.message)
            raise kind(error.code, why, error.hint) from error
        _prove(ports, container, control.restart)
    return _done(container, "restarted", warnings)


def _done(container: str, action: str, warnings: tuple[Problem, ...]) -> Result:
    data = {"container": container, "action": action}
    return Result(
        "changed",
        data,
        warnings,
        text=[text("{container} {action}.", container=container, action=text(action))],
    )


def _environment_warnings(ports: Host, container: str) -> tuple[Problem, ...]:
    """What `env.sh` has that the container can run without; raises the rest.

    ocserv fetches the keys of the tenant when it starts, and ends without them. All else tries again.
    """
    found = check_environment(ports.files)
    if found.unreachable and container == paths.SERVER and _fetches_keys(ports):
        raise found.unreachable[0]
    return (*found.unknown, *(error.problem for error in found.unreachable))


def _fetches_keys(ports: Host) -> bool:
    with suppress(SetupError):
        return read_agent_info(ports.files).authentication == Authentication.OIDC
    return True


def _prove(ports: Host, container: str, switch: Callable[[Host, str], None]) -> None:
    """Start the container as `switch` does, and return once it serves. Raises SetupError."""
    try:
        switch(ports, container)
    except EngineError as error:
        log = control.last_log(ports, container, LOG_LINES)
        raise launch_failure(container, ports.engine.inspect(container), log) from error
    wait_until_up(
        ports,
        container,
        _PATIENCE,
        log=lambda: control.last_log(ports, container, LOG_LINES),
        restarts=lambda: control.restarts(ports, container),
    )
    if container == paths.SERVER:
        verify.serves(ports, port_in_use(ports.files))
