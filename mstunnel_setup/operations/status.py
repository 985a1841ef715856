"""`mst-cli status`: site, certificate, containers and what the agent reports."""

import re
from collections.abc import Iterator

from mstunnel_setup import __version__
from mstunnel_setup.actions import control
from mstunnel_setup.actions.host import Host, Scope
from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, SetupError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Result, Status
from mstunnel_setup.base.text import Line, plain, text
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.exchange.health_report import read_health
from mstunnel_setup.install.errors import CONTAINER_UNHEALTHY
from mstunnel_setup.install.installed import complete, journal_of, open_gateway
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.agent_findings import agent_troubles, is_serious, of_settled_server
from mstunnel_setup.operations.certificate.summary import (
    certificate_facts,
    certificate_lines,
    certificate_notices,
)
from mstunnel_setup.operations.component import health
from mstunnel_setup.operations.errors import CONTAINER_MISSING
from mstunnel_setup.operations.settings.environment_check import check_environment
from mstunnel_setup.operations.upgrade.notices import monitor_notices, upgrade_notices, waiting_notices
from mstunnel_setup.transaction.receipt import Receipt

_LOG_LINES = 20
# After the cause, ocserv's main process reports that the process with the keys is gone.
_CAUSE = re.compile(r"(?i)^(?!main: ).*(fail|error|cannot|could not|unable|refused|invalid)")


def overview(operator: Operator) -> Result:
    """Site, certificate, both containers, and what the agent reports.

    Exit code 7 for a container that is not healthy, 3 when the agent reports that the site is not served as
    it should be, else 0.
    """
    with open_gateway(operator) as ports:
        receipt = journal_of(Scope.ALL, operator).receipt
        facts = certificate_facts(ports, receipt)
        data: JsonObject = {
            "version": __version__,
            "site": as_object(remembered(receipt, "joined-site")).get("name"),
            **({"network": _network(ports)} if paths.ROOTLESS else {}),
            "certificate_days_left": facts["days_left"],
            "certificate": facts,
            **{name: _container(ports, name) for name in (paths.SERVER, paths.AGENT)},
        }
        now = ports.clock.now()
        report = of_settled_server(read_health(ports.files), ports.engine.inspect(paths.SERVER))
        kept_going = (
            *_environment_troubles(ports, data),
            *agent_troubles(report, now),
            *monitor_notices(ports),
            *upgrade_notices(ports.files),
            *waiting_notices(ports.files),
        )
    healthy = all(as_object(data[name])["health"] == "healthy" for name in (paths.SERVER, paths.AGENT))
    code = ExitCode.CHECK if is_serious(report, now) else ExitCode.DONE
    notices = (*troubles(receipt, data), *kept_going, *certificate_notices(facts))
    status: Status = "ok" if healthy and not notices else "warning"
    rows = [
        (text("Site"), data["site"] or text("not joined yet")),
        *([(text("Network"), data["network"])] if data.get("network") else []),
        *certificate_lines(as_object(data["certificate"])),
        *(
            (key.removeprefix("mstunnel-").capitalize(), _state(as_object(data[key])))
            for key in (paths.SERVER, paths.AGENT)
        ),
        (text("Version"), data["version"]),
    ]
    return Result(
        status,
        data,
        notices,
        text=[Line(f"{name:12} {value}", name, value) for name, value in rows],
        exit_code=code if healthy else ExitCode.ENGINE,
    )


def _state(container: JsonObject) -> str:
    return text(
        "{state}, {health}", state=text(str(container["state"])), health=text(str(container["health"]))
    )


def troubles(receipt: Receipt, data: JsonObject) -> Iterator[Problem]:
    """What is wrong, each with the command that fixes it."""
    if not complete(receipt):
        why = text(": {message}", message=receipt.failure.message) if receipt.failure else ""
        yield warning(
            "installation-unfinished",
            "the installation is not finished{why}",
            hint="Run mstunnel-setup.",
            why=why,
        )
    for name in (paths.SERVER, paths.AGENT):
        short, container = name.removeprefix("mstunnel-"), data[name]
        state, shown = (container["state"], container["health"]) if isinstance(container, dict) else ("", "")
        if state == "absent" and not complete(receipt):
            yield CONTAINER_MISSING(container=name).problem
        elif state != "running":
            # Where systemd runs the containers, one that is stopped is not there.
            reason = as_object(container).get("reason")
            yield warning(
                "container-down",
                "{container} is not running{why}",
                hint="Run `mst-cli {component} start`; `mst-cli {component} logs --tail 20` shows the log.",
                container=name,
                component=short,
                why=text(": {reason}", reason=reason) if reason else "",
            )
        elif shown != "healthy":
            yield CONTAINER_UNHEALTHY(container=name, state=shown, component=short).problem


def _container(ports: Host, name: str) -> JsonObject:
    found = control.state_of(ports, name)
    return {
        "state": "absent" if found is None else found.status,
        "health": health(found),
        "image_digest": None if found is None else found.image_digest,
        "reason": None if found is not None and found.status == "running" else _reason(ports, name),
    }


def _reason(ports: Host, name: str) -> str | None:
    """The last line in which a container logged why it ended; None for one that an administrator stopped."""
    unit = f"{name}.service"
    if not ports.systemd.known(unit) or ports.systemd.stopped(unit):
        return None
    lines = [line for line in ports.systemd.log(unit, _LOG_LINES).splitlines() if line.strip()]
    causes = [line for line in lines if _CAUSE.search(line)]
    return plain((causes or lines)[-1]) if lines else None


def _environment_troubles(ports: Host, data: JsonObject) -> Iterator[Problem]:
    """What is wrong with `env.sh`, where a container is not healthy: that may be the reason."""
    if all(as_object(data[name])["health"] == "healthy" for name in (paths.SERVER, paths.AGENT)):
        return
    try:
        found = check_environment(ports.files)
    except SetupError as error:
        yield error.problem
    else:
        yield from (error.problem for error in found.unreachable)


def _network(ports: Host) -> str | None:
    """What connects a rootless gateway to the network, by its Quadlet file; None without one."""
    text = (ports.files.read(f"{paths.QUADLETS}/{paths.SERVER}.container") or b"").decode()
    found = re.search(r"^Network=([^:\n]+)", text, re.MULTILINE)
    return found and found[1].replace("none", "uplink")
