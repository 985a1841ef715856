"""`mst-cli status`: site, certificate, containers and what the agent reports."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType

from packaging.version import Version
from pydantic import Field

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, SetupError, StepError, UsageError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import Line, plain, text
from mstunnel_setup.base.values import as_object
from mstunnel_setup.containers.checked_state import CONTAINER_UNHEALTHY, checked_state
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.exchange.health_report import HealthState, ReportedRow, read_health
from mstunnel_setup.exchange.release_feed import offered, offered_program
from mstunnel_setup.exchange.release_offer import soaking
from mstunnel_setup.exchange.upgrade_history import UpgradeOutcome, read_history
from mstunnel_setup.exchange.upgrade_standing import read_standing
from mstunnel_setup.install.installed import MONITOR_UNIT, complete, journal_of, open_gateway
from mstunnel_setup.install.joined_site import JoinedSite
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.errors import PROXY_FAILED
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate.summary import CertificateSummary
from mstunnel_setup.operations.component import (
    CONTAINER_MISSING,
    ContainerStatus,
    container_health,
    missing_image,
)
from mstunnel_setup.operations.environment_check import check_environment
from mstunnel_setup.operations.file_systems import file_system_notices, judge_file_systems
from mstunnel_setup.operations.health import (
    SERIOUS_CERTIFICATE,
    agent_troubles,
    is_serious,
    of_settled_server,
)
from mstunnel_setup.transaction.errors import JournalError
from mstunnel_setup.transaction.receipt import Receipt, remembered

_LOG_LINES = 20
# A maintenance window opens with time; these reasons wait for a person.
_STUCK = frozenset({"approval-missing", "held", "other-failed"})
# Once the key process has failed, ocserv's main process logs that it is gone, and so do others; the cause
# comes first.
_CAUSE = re.compile(
    r"(?i)^(?!main: |conmon |\S+\.service: |failed to start )"
    r".*(fail|error|cannot|could not|unable|refused|invalid)"
)


class ContainerReport(ContainerStatus):
    """State and health of one container, the image it runs, and the reason for its end."""

    image_digest: str | None = Field(description="sha256:… of the image it was asked to run.")
    reason: str | None = Field(
        description="The last line in the log of a container that ended without being stopped."
    )


class StatusReport(Report):
    """The gateway at a glance.

    Exit code 7 when a container is not healthy, 3 when the agent reports that the site is not served as it
    should be, the certificate is nearly expired or cannot be used, or a file system is full.
    """

    version: str
    site: str | None
    network: str | None = Field(
        default=None,
        description="Network mode of a rootless gateway.",
        json_schema_extra={"enum": ["uplink", "pasta", "slirp4netns", None]},
    )
    certificate_days_left: int | None
    certificate: CertificateSummary
    newer_version: str | None = Field(
        default=None, description="The newest version of this program in the release feed, if it is newer."
    )
    upgrade_soaks_until: datetime | None = Field(
        default=None,
        description="Until then the agent does not install the release that it is offered (`soak_days`).",
    )
    server: ContainerReport = Field(serialization_alias=paths.SERVER)
    agent: ContainerReport = Field(serialization_alias=paths.AGENT)
    file_systems: tuple[ReportedRow, ...] = Field(
        default=(), description="Space on the file systems that the gateway writes to."
    )

    @property
    def healthy(self) -> bool:
        """True if both containers are healthy."""
        return self.server.health == self.agent.health == "healthy"


def overview(operator: Operator) -> Result[StatusReport]:
    """Return site, certificate, both containers, and the agent's report.

    The exit code is 7 for a container that is not healthy, 3 if the agent reports that the site is not served
    as it should be or cannot reach its proxy, the certificate is nearly expired or cannot be used, a file
    system is full, or the journal is damaged, else 0.
    """
    with open_gateway(operator) as host:
        journal = journal_of(Scope.ALL, operator, despite_damage=True)
        receipt = journal.receipt
        summary = CertificateSummary.read(host, receipt)
        site, now = JoinedSite.of(receipt), host.clock.now()
        found = StatusReport(
            version=__version__,
            site=None if site is None else site.name,
            certificate_days_left=summary.days_left,
            certificate=summary,
            newer_version=newer_version(host.files, receipt, now),
            upgrade_soaks_until=_soaking_until(host.files, now),
            server=_container(host, paths.SERVER),
            agent=_container(host, paths.AGENT),
            file_systems=judge_file_systems(host.files),
            **({"network": _network(host.files)} if paths.ROOTLESS else {}),
        )
        report = of_settled_server(read_health(host.files), host.engine.inspect(paths.SERVER))
        failing = [*agent_troubles(report, now)]
        without_proxy = PROXY_FAILED.code in {problem.code for problem in failing}
        environment = [*_environment_troubles(host.files)] if without_proxy or not found.healthy else []
        if environment:
            # The check of `env.sh` names the proxy, its variable and the current error, so it replaces the
            # agent's.
            failing = [problem for problem in failing if problem.code != PROXY_FAILED.code]
        notices = (
            *troubles(receipt, found, _missing_images(host, receipt, found), journal.damage),
            *environment,
            *failing,
            *monitor_notices(host),
            *upgrade_notices(host.files),
            *waiting_notices(host.files),
            *summary.notices(),
            *file_system_notices(found.file_systems),
        )
    serious = (
        journal.damage is not None
        or is_serious(report, now)
        or any(item.code in SERIOUS_CERTIFICATE for item in notices)
        or (without_proxy and environment)
        or any(row.state is HealthState.UNHEALTHY for row in found.file_systems)
    )
    code = ExitCode.CHECK if serious else ExitCode.DONE
    return Result(
        "ok" if found.healthy and not notices else "warning",
        found,
        notices,
        text=[Line(f"{name!s:12} {value!s}", name, value) for name, value in _rows(found)],
        exit_code=code if found.healthy else ExitCode.ENGINE,
    )


def _rows(found: StatusReport) -> list[tuple[str, str]]:
    """Return the rows for people, as names and values."""
    server, agent = (
        text("{state}, {health}", state=text(item.state), health=text(item.health))
        for item in (found.server, found.agent)
    )
    rows = [
        (text("Site"), found.site or text("not joined yet")),
        *([(text("Network"), found.network)] if found.network else []),
        *found.certificate.lines(),
        (text("Server"), server),
        (text("Agent"), agent),
        *((row.title, row.text) for row in found.file_systems if row.state is not HealthState.HEALTHY),
        (text("Version"), found.version),
    ]
    if found.newer_version:
        update = text(
            "version {newer} is available: run `mstunnel-setup self update`", newer=found.newer_version
        )
        rows.append((text("Update"), update))
    if found.upgrade_soaks_until:
        soaks = text("the new release soaks until {time:%Y-%m-%d %H:%M} UTC", time=found.upgrade_soaks_until)
        rows.append((text("Upgrade"), soaks))
    return rows


def _soaking_until(files: Files, now: datetime) -> datetime | None:
    """Return until when the offered release soaks; `mst-cli upgrade check` reports an unreadable list."""
    with suppress(SetupError):
        found = soaking(files, offered(files, now), now)
        return found[1] if found else None
    return None


def newer_version(files: Files, receipt: Receipt, now: datetime) -> str | None:
    """Return the newer version that the monitor last saw in the release feed, else None.

    None if the answer `newer_version` is `ignore`. Fetches nothing.
    """
    if as_object(remembered(receipt, "answers")).get("newer_version") == "ignore":
        return None
    try:
        offer = offered_program(files, now)
    except UsageError:
        # `mst-cli upgrade check` reports an unreadable feed.
        return None
    if offer is None or Version(offer.version) <= Version(__version__):
        return None
    return offer.version


def troubles(
    receipt: Receipt,
    found: StatusReport,
    missing: Mapping[str, Problem] = MappingProxyType({}),
    damage: JournalError | None = None,
) -> Iterator[Problem]:
    """Yield the problems, each with the command that fixes it.

    `missing` are containers without their image; a journal with `damage` may lack any record.
    """
    if damage is not None:
        yield damage.problem
    elif not complete(receipt):
        why = text(": {message}", message=receipt.failure.message) if receipt.failure else ""
        yield warning(
            "installation-unfinished",
            "the installation is not finished{why}",
            hint="Run mstunnel-setup.",
            why=why,
        )
    elif "register" in receipt.steps and not any(key.startswith("server:") for key in receipt.entries):
        yield warning(
            "identity-missing",
            "this server is not registered in the tenant: a command that replaces its record was cut off",
            hint="Run the same command again: `mst-cli reenroll`, or `mst-cli site change ID_OR_NAME`.",
        )
    for name, container in ((paths.SERVER, found.server), (paths.AGENT, found.agent)):
        short = name.removeprefix("mstunnel-")
        if container.state == "absent" and not complete(receipt):
            yield CONTAINER_MISSING(container=name).problem
        elif name in missing:
            yield missing[name]
        elif container.state != "running":
            # Where systemd runs the containers, a stopped container does not exist.
            yield warning(
                "container-down",
                "{container} is not running{why}",
                hint="Run `mst-cli {component} start`; `mst-cli {component} logs --tail 20` shows the log.",
                container=name,
                component=short,
                why=text(": {reason}", reason=container.reason) if container.reason else "",
            )
        elif container.health != "healthy":
            yield CONTAINER_UNHEALTHY(container=name, state=container.health, component=short).problem


def monitor_notices(host: GatewayHost) -> Iterator[Problem]:
    """Yield a problem if the monitor is installed but not running; without systemd that is unknown."""
    if host.systemd.known(MONITOR_UNIT) and not host.systemd.active(MONITOR_UNIT):
        systemctl = f"sudo systemctl --user --machine={own_name()}@" if paths.ROOTLESS else "systemctl"
        yield warning(
            "monitor-down",
            "the monitor is not running, so nothing is restarted or upgraded automatically",
            hint="Run `{systemctl} start {unit}`.",
            systemctl=systemctl,
            unit=MONITOR_UNIT,
        )


def waiting_notices(files: Files) -> Iterator[Problem]:
    """Yield a problem if the agent waits for a person before it upgrades this server."""
    found = read_standing(files)
    if found is not None and found.code in _STUCK:
        yield warning(
            "upgrade-waits",
            "no upgrade for now: {reason}",
            hint="See `mst-cli upgrade check`.",
            reason=plain(found.reason),
        )


def upgrade_notices(files: Files) -> Iterator[Problem]:
    """Yield a problem if the last upgrade is unfinished or failed."""
    try:
        history = read_history(files)
    except StepError as error:
        yield error.problem
        return
    last = next(reversed(history.upgrades), None)
    if last is not None and last.outcome is None:
        yield warning(
            "upgrade-unfinished",
            "the upgrade to {release} is in progress or was interrupted (phase {phase})",
            hint="The monitor completes it; so does `mst-cli upgrade apply`.",
            release=last.release,
            phase=last.phase,
        )
    elif last is not None and last.outcome is not UpgradeOutcome.DONE:
        yield last.error().problem


def _container(host: GatewayHost, name: str) -> ContainerReport:
    found = checked_state(host, name)
    running = found is not None and found.status == "running"
    return ContainerReport(
        state="absent" if found is None else found.status,
        health=container_health(found),
        image_digest=None if found is None else found.image_digest,
        reason=None if running else _reason(host, f"{name}.service"),
    )


def _missing_images(host: GatewayHost, receipt: Receipt, found: StatusReport) -> Mapping[str, Problem]:
    """Return the containers that do not run and whose image is gone."""
    states = {paths.SERVER: found.server.state, paths.AGENT: found.agent.state}
    return {
        name: error.problem
        for name, state in states.items()
        if state != "running" and (error := missing_image(host, receipt, name))
    }


def _reason(host: GatewayHost, unit: str) -> str | None:
    """Return the line in which a container last logged why it ended; None if an administrator stopped it."""
    if not host.systemd.known(unit) or host.systemd.stopped(unit):
        return None
    lines = [line for line in host.systemd.log(unit, _LOG_LINES).splitlines() if line.strip()]
    causes = [line for line in lines if _CAUSE.search(line)]
    return plain((causes or lines)[-1]) if lines else None


def _environment_troubles(files: Files) -> Iterator[Problem]:
    """Yield the problems in `env.sh`, which may be why a container is not healthy."""
    try:
        yield from (error.problem for error in check_environment(files).unreachable)
    except SetupError as error:
        yield error.problem


def _network(files: Files) -> str | None:
    """Return the network of a rootless gateway according to its Quadlet file; None without one."""
    text = (files.read(f"{paths.QUADLETS}/{paths.SERVER}.container") or b"").decode()
    found = re.search(r"^Network=([^:\n]+)", text, re.MULTILINE)
    return found and found[1].replace("none", "uplink")
