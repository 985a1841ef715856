"""`mstunnel-setup adopt inventory` and `adopt plan`: what is here, and what would become of it."""

from collections.abc import Iterator

from mstunnel_setup.actions.host import Scope
from mstunnel_setup.actions.vendor_gateway import KEY
from mstunnel_setup.adopt.adoption import beside
from mstunnel_setup.adopt.assessment import Assessment, Fate, assess, set_aside
from mstunnel_setup.adopt.inventory import Inventory, take_inventory
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, ExitCode, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import fold_all, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.vendor import NAMES, vendor_containers
from mstunnel_setup.install.request import InstallRequest, with_lab
from mstunnel_setup.install.session import Run, open_run
from mstunnel_setup.io.operator import Operator

_HEADINGS: dict[Fate, str] = {
    "carried": text("Carried over"),
    "changed": text("Changed"),
    "lost": text("Lost"),
}


def inventory(operator: Operator) -> Result:
    """What Microsoft's own gateway left here; nothing is changed. Raises UsageError where it is not."""
    with open_run(operator, {}, exclusively=False, scope=Scope.ALL) as run:
        found = require_vendor(run, lab=False)
    return Result(data=found.data, text=fold_all(_inventory_lines(found)))


def plan(operator: Operator, request: InstallRequest) -> Result:
    """What would become of each part, and what prevents it (exit code 3); nothing is changed."""
    request = with_lab(operator.clock, request)
    with open_run(operator, request.settings, exclusively=False, scope=Scope.ALL) as run:
        found = require_vendor(run, lab=run.context.answers.tenant.cloud == "custom")
        assessed = assessment(run, found)
    blocked = bool(assessed.blockers)
    data: JsonObject = {
        "digest": found.digest,
        "items": [
            {"fate": item.fate, "subject": item.subject, "detail": item.detail} for item in assessed.items
        ],
        "answers": assessed.answers,
        "blocked": blocked,
    }
    return Result(
        "error" if blocked else "warning" if assessed.notices else "ok",
        data,
        assessed.notices,
        tuple(error.problem for error in assessed.blockers),
        text=fold_all(_plan_lines(found, assessed)),
        exit_code=ExitCode.CHECK if blocked else ExitCode.DONE,
    )


def require_vendor(run: Run, *, lab: bool) -> Inventory:
    """The inventory. Raises UsageError without the vendor's gateway, and where an installation has begun."""
    if paths.ROOTLESS and run.files.live:
        raise NOT_ROOT(what=text("this command"))
    if set(run.context.receipt.entries) - {KEY}:
        raise UsageError(
            "installation-begun",
            "the gateway of this program is installed here, or its installation has begun",
            hint="See `mstunnel-setup status`.",
        )
    found = take_inventory(run.context.ports, lab=lab)
    if not found.signs.signs:
        raise UsageError(
            "vendor-missing",
            "Microsoft's own gateway is not installed here",
            hint="Install this gateway with `mstunnel-setup`, or correct --root.",
        )
    return found


def assessment(run: Run, found: Inventory) -> Assessment:
    """The judgement of `found` with the answers of this run."""
    occupied = [beside(path) for path in set_aside(found) if run.files.state(beside(path)) is not None]
    if run.files.live:
        left = vendor_containers(run.context.ports.processes, [beside(name) for name in NAMES])
        occupied += [f"{item.engine} container {item.name}" for item in left]
    return assess(found, run.context.answers.record(), tuple(occupied))


def _inventory_lines(found: Inventory) -> Iterator[str]:
    yield text("Microsoft's own gateway is installed here:")
    yield from (text("  {sign}", sign=sign) for sign in found.signs.signs)
    for item in found.containers:
        state = "running" if item.running else "stopped"
        ports = text(", ports {ports}", ports=", ".join(item.ports)) if item.ports else ""
        yield text(
            "Container {name} ({engine}): {state}, restart policy {restart_policy}{ports}",
            name=item.name,
            engine=item.engine,
            state=state,
            restart_policy=item.restart_policy,
            ports=ports,
        )
        yield text("  image {image}", image=item.image)
    certificate = found.certificate
    if certificate.chain:
        end = (
            text(", valid until {not_after}", not_after=certificate.not_after)
            if certificate.not_after
            else ""
        )
        yield text(
            "Certificate in {chain}: {subject}{end}",
            chain=certificate.chain,
            subject=certificate.subject,
            end=end,
        )
    yield from (text("  {problem}", problem=problem) for problem in certificate.problems)
    for title, values in (
        (text("Server configuration"), found.configuration),
        ("env.sh", found.environment),
        (text("Tenant"), found.tenant),
    ):
        if values:
            yield f"{title}:"
            yield from (text("  {name}: {value}", name=name, value=value) for name, value in values.items())
    yield from (text("Cron job in {path}: {line}", path=path, line=line) for path, line in found.cron)
    yield text(
        "{files} files and directories; --output json lists them with their SHA-256.", files=len(found.files)
    )


def _plan_lines(found: Inventory, assessed: Assessment) -> Iterator[str]:
    for fate, heading in _HEADINGS.items():
        yield f"{heading}:"
        yield from (
            text("  {subject}: {detail}", subject=item.subject, detail=item.detail)
            for item in assessed.items
            if item.fate == fate
        )
    yield text("Plan {digest}", digest=found.digest)
