"""Moving the gateway to another port, for which the host re-creates the container."""

from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.container_spec import CONFIGURATION_LABEL
from mstunnel_setup.containers.listeners import listening
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE, gateway_port, with_port
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.serving import serves
from mstunnel_setup.install.steps import launch
from mstunnel_setup.install.steps.launch import PORT_IN_USE
from mstunnel_setup.operations.certificate.generation_switch import reload_gateway

_PATIENCE: Final = 30.0
_PAUSE: Final = 0.5


def move(run: Run, port: int) -> None:
    """Publish `port`, then have the gateway listen there.

    `ocserv.conf` is written last: until it names the new port, an interrupted move starts again.

    Raises SetupError. If the container cannot be created, the earlier port stays in use; if only the test of
    the gateway fails, the new port stays.
    """
    before = gateway_port(run.files)
    step = launch.step_for_port(port)
    found = run.host.engine.inspect(paths.SERVER)
    label = step.gather(run).specifications[0].labels[CONFIGURATION_LABEL]
    # After an interrupted move the new container may exist and use the port itself.
    published = found is not None and found.labels.get(CONFIGURATION_LABEL) == label
    # The new port is tested first: the engine removes the running container before it publishes the new port.
    taken = [] if published else listening(run.files.given, port)
    if taken:
        programs = {item.program or text("an unknown program") for item in taken}
        raise PORT_IN_USE(port=port, programs=", ".join(sorted(programs)))
    try:
        run.runner.run([step], run)
    except SetupError:
        run.runner.run([launch.step_for_port(before)], run)
        raise
    configuration = run.files.read(paths.OCSERV_CONF) or b""
    run.files.write(paths.OCSERV_CONF, with_port(configuration, port), CONFIGURATION_MODE)
    reload_gateway(run)
    serves(run.host, port, _PATIENCE, _PAUSE)
    run.write_receipt()
