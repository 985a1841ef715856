"""`mstunnel-setup adopt inventory` and `adopt plan`: the present gateway, and the effect of a switch."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pydantic import Field

from mstunnel_setup.actions.vendor_gateway import KEY
from mstunnel_setup.adopt.inventory import Inventory, beside, take_inventory
from mstunnel_setup.answers.variables import PROXIES
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, CheckError, ExitCode, UsageError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.redaction import STARS
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import fold_all, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.vendor import NAMES, vendor_containers
from mstunnel_setup.install.lab_tenant import with_lab
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import open_run
from mstunnel_setup.io.operator import Operator

Fate: TypeAlias = Literal["carried", "changed", "lost"]

# Names in env.sh with the same meaning for both gateways.
_VARIABLES: Final = (*PROXIES, "TRACE_SESSIONS", "DEBUG_LEVEL")
# Settings of ocserv.conf that the site's server configuration determines here, or that are fixed.
_OWN_OF_OCSERV: Final = ("session-timeout", "max-clients", "mtu", "dpd", "mobile-dpd", "tls-priorities")
_ALWAYS_LOST: Final = (
    (
        text("record in the tenant"),
        text("the record of Microsoft's server stays, but nothing reports to it"),
    ),
    (
        text("health, trends and logs"),
        text("the admin center shows none for this server: `mst-cli health` does"),
    ),
    (text("agent's identity"), text("agent.p12 is not used: the new server registers with its own identity")),
    ("sessions", text("all end at the switch; devices reconnect")),
)
_HEADINGS: dict[Fate, str] = {
    "carried": text("Carried over"),
    "changed": text("Changed"),
    "lost": text("Lost"),
}


@dataclass(frozen=True)
class Item:
    """One part of the gateway and its fate."""

    fate: Fate
    subject: str
    detail: str


class AdoptionPlan(Report):
    """The effects of a switch on Microsoft's own gateway."""

    digest: str = Field(description="SHA-256 of everything that the plan depends on.")
    items: tuple[Item, ...]
    answers: JsonObject = Field(
        description="Answers that follow from what was found, by setting path, as they count after the "
        "switch."
    )
    blocked: bool = Field(description="Whether something prevents the adoption; `errors` lists it.")


@dataclass(frozen=True)
class Assessment:
    """All parts, the answers that follow from them (by setting path), the blockers and the notices."""

    items: tuple[Item, ...]
    answers: JsonObject
    blockers: tuple[CheckError, ...]
    notices: tuple[Problem, ...]


def assess(inventory: Inventory, given: Mapping[str, Any], occupied: tuple[str, ...] = ()) -> Assessment:
    """Assess an inventory.

    `given` are the given answers by setting path, which override carried-over values. `occupied` are existing
    paths to which the switch would move files.
    """
    variables: JsonObject = {name: inventory.environment[name] for name in _carried_variables(inventory)}
    answers: JsonObject = {
        "site": inventory.tenant.get("SiteId"),
        "tenant.id": inventory.tenant.get("AADTenantId"),
        "environment": variables,
    }
    has_certificate = bool(given.get("certificate.chain") or given.get("certificate.pfx"))
    replaced = {name.lower() for name in given.get("environment", {})}
    return Assessment(
        items=(
            *_carried(inventory, replaced, has_certificate=has_certificate),
            *_changed(inventory, replaced, has_certificate=has_certificate),
            *_lost(inventory),
        ),
        answers={path: value for path, value in answers.items() if value},
        blockers=tuple(_blockers(inventory, occupied, has_certificate=has_certificate)),
        notices=tuple(_notices(inventory)),
    )


def set_aside(inventory: Inventory) -> tuple[str, ...]:
    """Return the paths that the switch moves aside: the directory, and programs and units with our names."""
    directory = (paths.CONFIGURATION,) if inventory.files else ()
    units = tuple(path for path in inventory.signs.units if path.startswith("/etc/"))
    return (*directory, *inventory.signs.programs, *units)


def carried_roots(inventory: Inventory) -> tuple[str, ...]:
    """Return the files of trusted roots that the switch copies: files with other names are not read."""
    return tuple(path for path in inventory.roots if path.endswith(".crt"))


def _carried(inventory: Inventory, replaced: Collection[str], *, has_certificate: bool) -> Iterator[Item]:
    """Yield the parts that are kept; `replaced` are variables in the given answers, in lower case."""
    certificate = inventory.certificate
    if certificate.fingerprint and not has_certificate:
        detail = text(
            "{subject}, valid until {end}, from {chain}",
            subject=certificate.subject,
            end=certificate.not_after,
            chain=certificate.chain,
        )
        yield Item("carried", "certificate", detail)
    if site := inventory.tenant.get("SiteId"):
        yield Item("carried", "site", site)
    if network := inventory.configuration.get("Network"):
        port = inventory.configuration.get("ListenPort")
        detail = text("clients in {network}, port {port}; read from the site", network=network, port=port)
        yield Item("carried", text("server configuration"), detail)
    for name in _carried_variables(inventory):
        if name.lower() not in replaced:
            yield Item("carried", text("{name} in env.sh", name=name), inventory.environment[name])
    yield from (Item("carried", text("trusted root"), path) for path in carried_roots(inventory))


def _changed(inventory: Inventory, replaced: Collection[str], *, has_certificate: bool) -> Iterator[Item]:
    if has_certificate:
        yield Item("changed", "certificate", text("the one in the answers is served"))
    for name in _carried_variables(inventory):
        if name.lower() in replaced:
            subject = text("{name} in env.sh", name=name)
            yield Item("changed", subject, text("the value in the answers counts"))
    for name in (name for name in _OWN_OF_OCSERV if name in inventory.gateway):
        value = inventory.gateway[name]
        detail = text("{value} today; the site's server configuration decides", value=value)
        yield Item("changed", text("{name} in ocserv.conf", name=name), detail)
    for path, line in inventory.cron:
        detail = text("calls the mst-cli of this program: {line}", line=line)
        yield Item("changed", text("cron job in {path}", path=path), detail)
    for item in inventory.containers:
        detail = text(
            "stopped and kept as {kept}; restart policy today: {policy}",
            kept=beside(item.name),
            policy=item.restart_policy,
        )
        subject = text("{engine} container {name}", engine=item.engine, name=item.name)
        yield Item("changed", subject, detail)
    for path in set_aside(inventory):
        yield Item("changed", path, text("moved to {kept}", kept=beside(path)))


def _lost(inventory: Inventory) -> Iterator[Item]:
    for name, value in inventory.environment.items():
        if name not in _carried_variables(inventory):
            reason = text("it holds a password") if STARS in value else text("unknown to this gateway")
            yield Item("lost", text("{name} in env.sh", name=name), reason)
    for path in inventory.roots:
        if path not in carried_roots(inventory):
            yield Item("lost", path, text("not copied: its name does not end in .crt"))
    yield from (Item("lost", subject, detail) for subject, detail in _ALWAYS_LOST)


def _carried_variables(inventory: Inventory) -> list[str]:
    return [name for name in _VARIABLES if STARS not in inventory.environment.get(name, STARS)]


def _blockers(
    inventory: Inventory, occupied: tuple[str, ...], *, has_certificate: bool
) -> Iterator[CheckError]:
    certificate = inventory.certificate
    if not has_certificate:
        if not certificate.chain:
            yield CheckError(
                "vendor-certificate-missing",
                "the certificate that Microsoft's gateway serves was not found as PEM files",
                hint="Name it with --cert and --key, or with --pfx and --passphrase-file.",
            )
        for problem, hint in zip(certificate.problems, certificate.hints, strict=True):
            yield CheckError(
                "vendor-certificate-unusable",
                "the certificate {chain}: {problem}",
                hint="{advice} Or name another one with --cert and --key.",
                chain=certificate.chain,
                problem=problem,
                advice=hint,
            )
    if inventory.owner is not None:
        yield CheckError(
            "vendor-rootless",
            "the account with uid {owner} owns /etc/mstunnel: Microsoft's gateway runs without root",
            hint="A gateway without root cannot be taken over. Remove it with its own `mst-cli "
            "uninstall`, then install this one with `mstunnel-setup --rootless`.",
            owner=inventory.owner,
        )
    kind = next((file.kind for file in inventory.files), "directory")
    if kind != "directory":
        yield CheckError(
            "vendor-directory-irregular",
            "{path} is a {kind}, so it cannot be moved aside",
            hint="Replace it with a directory on the same file system as /etc.",
            path=paths.CONFIGURATION,
            kind=kind,
        )
    if occupied:
        yield CheckError(
            "vendor-aside-occupied",
            "{paths} already exist; an earlier adoption left them",
            hint="Move them to another place.",
            paths=", ".join(occupied),
        )


def _notices(inventory: Inventory) -> Iterator[Problem]:
    if inventory.waiting:
        yield warning(
            "vendor-messages-waiting",
            "{count} messages wait in /etc/mstunnel/messages/in; an upgrade may be in progress",
            hint="Check the version in the admin center, and start the switch when no upgrade is due.",
            count=len(inventory.waiting),
        )
    missing = [name for name in NAMES if name not in [item.name for item in inventory.containers]]
    if missing:
        yield warning(
            "vendor-containers-unseen",
            "neither Podman nor Docker shows {missing}",
            hint="Check `podman ps --all` and `docker ps --all` as root, and for an account that runs them.",
            missing=" and ".join(missing),
        )


def inventory(operator: Operator) -> Result[Inventory]:
    """Show what Microsoft's own gateway left here; change nothing. Raises UsageError if there is none."""
    with open_run(operator, exclusively=False, scope=Scope.ALL) as run:
        found = require_vendor(run, lab=False)
    return Result(report=found, text=fold_all(_inventory_lines(found)))


def plan(operator: Operator, request: InstallRequest) -> Result[AdoptionPlan]:
    """Show what would happen to each part, and what prevents it (exit code 3); change nothing."""
    request = with_lab(operator.clock, request)
    with open_run(operator, request, exclusively=False, scope=Scope.ALL) as run:
        found = require_vendor(run, lab=run.answers.tenant.cloud == "custom")
        assessed = assessment(run, found)
    blocked = bool(assessed.blockers)
    report = AdoptionPlan(
        digest=found.digest, items=assessed.items, answers=assessed.answers, blocked=blocked
    )
    lines = []
    for fate, heading in _HEADINGS.items():
        items = [item for item in assessed.items if item.fate == fate]
        lines.append(text("{heading}:", heading=heading))
        lines += [text("  {subject}: {detail}", subject=item.subject, detail=item.detail) for item in items]
    lines.append(text("Plan {digest}", digest=found.digest))
    return Result(
        "error" if blocked else "warning" if assessed.notices else "ok",
        report,
        assessed.notices,
        tuple(error.problem for error in assessed.blockers),
        text=fold_all(lines),
        exit_code=ExitCode.CHECK if blocked else ExitCode.DONE,
    )


def require_vendor(run: Run, *, lab: bool) -> Inventory:
    """Return the inventory. Raises UsageError without the vendor's gateway, or if ours is installed."""
    if paths.ROOTLESS and run.files.live:
        raise NOT_ROOT(what=text("this command"))
    if set(run.receipt.entries) - {KEY}:
        raise UsageError(
            "installation-begun",
            "this program's gateway is already installed here, or its installation has begun",
            hint="See `mstunnel-setup status`.",
        )
    found = take_inventory(run.host, lab=lab)
    if not found.signs.signs:
        raise UsageError(
            "vendor-missing",
            "Microsoft's own gateway is not installed here",
            hint="Install this gateway with `mstunnel-setup`, or correct --root.",
        )
    return found


def assessment(run: Run, found: Inventory) -> Assessment:
    """Return the assessment of `found` with the answers of this run."""
    occupied = [beside(path) for path in set_aside(found) if run.files.state(beside(path)) is not None]
    if run.files.live:
        left = vendor_containers(run.host.processes, [beside(name) for name in NAMES])
        occupied += [f"{item.engine} container {item.name}" for item in left]
    return assess(found, run.answers.record(), tuple(occupied))


def _inventory_lines(found: Inventory) -> Iterator[str]:
    yield text("Microsoft's own gateway is installed here:")
    yield from (text("  {sign}", sign=sign) for sign in found.signs.signs)
    for item in found.containers:
        yield text(
            "Container {name} ({engine}): {state}, restart policy {restart_policy}{ports}",
            name=item.name,
            engine=item.engine,
            state=text("running") if item.running else "stopped",
            restart_policy=item.restart_policy,
            ports=text(", ports {ports}", ports=", ".join(item.ports)) if item.ports else "",
        )
        yield text("  image {image}", image=item.image)
    served = found.certificate
    if served.chain:
        yield text(
            "Certificate in {chain}: {subject}{end}",
            chain=served.chain,
            subject=served.subject,
            end=text(", valid until {not_after}", not_after=served.not_after) if served.not_after else "",
        )
    yield from (text("  {problem}", problem=problem) for problem in served.problems)
    for title, values in (
        (text("Server configuration"), found.configuration),
        ("env.sh", found.environment),
        (text("Tenant"), found.tenant),
    ):
        if values:
            yield text("{title}:", title=title)
            yield from (text("  {name}: {value}", name=name, value=value) for name, value in values.items())
    yield from (text("Cron job in {path}: {line}", path=path, line=line) for path, line in found.cron)
    yield text(
        "{files} files and directories; --output json lists them with their SHA-256.", files=len(found.files)
    )
