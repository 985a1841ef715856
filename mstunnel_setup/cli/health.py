"""`mst-cli health`: one verdict over containers and certificate, for monitoring."""

from collections.abc import Iterator, Sequence

from mstunnel_setup import paths
from mstunnel_setup.cli.certificate_watch import certificate_facts, certificate_lines, certificate_notices
from mstunnel_setup.cli.component import health as container_health
from mstunnel_setup.cli.render import Notice, Result, Session
from mstunnel_setup.cli.run import open_host
from mstunnel_setup.engine.journal import Journal
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import ExitCode

_CONTAINERS = (paths.SERVER, paths.AGENT)
# A warning that leaves the gateway working does not change the exit code.
_SERIOUS = frozenset({"certificate-missing", "certificate-expired", "certificate-revoked"})


def health(session: Session) -> Result:
    """Containers, days left, revocation. Exit code 7 for a container, 4 for a certificate, else 0."""
    with open_host(session) as world:
        facts = certificate_facts(world, Journal(world.files, world.clock, paths.STATE).receipt)
        containers = {name: container_health(world.container(name)) for name in _CONTAINERS}
        notices = (*_sick(containers), *certificate_notices(facts))
    data: JsonObject = {"containers": {**containers}, "certificate": facts, "healthy": not _code(notices)}
    rows = [*containers.items(), *certificate_lines(facts)]
    text = [f"{name:16} {value}" for name, value in rows]
    return Result("warning" if notices else "ok", data, notices, text=text, exit_code=_code(notices))


def _sick(containers: dict[str, str]) -> Iterator[Notice]:
    for name, state in containers.items():
        if state != "healthy":
            message = f"the container {name} is {state}"
            yield Notice(
                "container-unhealthy", message, f"Look at `mst-cli {name.removeprefix('mstunnel-')} logs`."
            )


def _code(notices: Sequence[Notice]) -> ExitCode:
    codes = {notice.code for notice in notices}
    if "container-unhealthy" in codes:
        return ExitCode.ENGINE
    return ExitCode.CERTIFICATE if codes & _SERIOUS else ExitCode.DONE
