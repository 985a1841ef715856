"""The end of an installation: where the gateway serves, and what is left to do."""

from dataclasses import dataclass
from itertools import chain

from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.text import Line, fold_all, text
from mstunnel_setup.base.values import as_object
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.judge import days_left
from mstunnel_setup.gateway.occtl import SHOW_COMMANDS, occtl_arguments, read_answer
from mstunnel_setup.gateway.ocserv_conf import served_port
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.ports import Ports

_SECONDS = 5.0


@dataclass(frozen=True)
class Installed:
    """What the end of an installation reports; None is what is not known, as when a step was skipped."""

    address: str | None
    port: int | None
    site: str | None
    days_left: int | None
    sessions: int | None = None


def summary(context: Context) -> list[str]:
    """The lines about the gateway that this run has left here."""
    ports = context.ports
    joined = as_object(remembered(context.receipt, "joined-site"))
    leaf = generations.leaf_in_use(ports)
    return lines(
        Installed(
            address=str(joined.get("public_address") or "") or None,
            port=served_port(ports.files.read(paths.OCSERV_CONF) or b""),
            site=str(joined.get("name") or "") or None,
            days_left=None if leaf is None else days_left(leaf, ports.clock.now()),
            sessions=_sessions(ports) if context.prompter.interactive else None,
        )
    )


def _sessions(ports: Ports) -> int | None:
    """How many devices are connected; None when the gateway does not answer."""
    status = next(command for command in SHOW_COMMANDS if command.words == ("status",))
    try:
        finished = ports.engine.execute(paths.SERVER, occtl_arguments(status, as_json=True), _SECONDS)
        answer = read_answer(status, finished.output)
    except SetupError:
        return None
    found = answer.get("Active sessions") if isinstance(answer, dict) else None
    return found if isinstance(found, int) else None


def lines(found: Installed) -> list[str]:
    """What a person reads at the end: first that it is done, then what is known, then the next steps."""
    if found.port is None:
        return [text("Done. See the next step with `mstunnel-setup status`.")]
    rows = (
        (
            text("Address"),
            found.address
            and text("{address}, port {port} (TCP and UDP)", address=found.address, port=found.port),
        ),
        (text("Site"), found.site),
        (
            text("Certificate"),
            None if found.days_left is None else text("{days_left} days left", days_left=found.days_left),
        ),
        (
            text("Sessions"),
            None if found.sessions is None else text("{sessions} so far", sessions=found.sessions),
        ),
    )
    return list(
        chain(
            [text("The gateway is installed.")],
            (Line(f"  {name + ':':13}{value}", f"{name}:", value) for name, value in rows if value),
            fold_all(
                [
                    text(
                        "Allow TCP and UDP port {port} to this server in every firewall before it.",
                        port=found.port,
                    ),
                    text("Check the gateway with `mst-cli status`."),
                    text("Save the answers for another server with `mstunnel-setup answers save FILE`."),
                ]
            ),
        )
    )
