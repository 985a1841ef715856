"""`mst-cli site show|change`: the site this server belongs to."""

from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.actions.tenant_objects import RegisterServer, require_free_name
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Line, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps import sign_in, site
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.operations.certificate.activation import installed_run
from mstunnel_setup.operations.reenroll import enrol, take_back

_JOINED = "joined-site"


def show(operator: Operator) -> Result:
    """Id, name and public address of the site. Raises UsageError before one is joined."""
    with installed_run(operator, {}, exclusively=False) as run:
        joined = _joined(run)
    rows = ((text("Site"), "name"), (text("Id"), "id"), (text("Address"), "public_address"))
    values = ((label, joined.get(key) or "none") for label, key in rows)
    lines = [Line(f"{label:8} {value}", label, value) for label, value in values]
    return Result("ok", {"site": joined}, text=lines)


def change(operator: Operator, settings: Settings, wanted: str) -> Result:
    """Move this server to another site: a record there first has to be possible, then the old one goes.

    Raises TenantError when there is no such site, or it has a server of this name already, and
    CertificateError when the certificate does not name its address; nothing is changed then. Given once more,
    it finishes a change that was cut off.
    """
    with installed_run(operator, {**settings, "site": wanted}) as run:
        left = _left(run)
        before = {} if left else _joined(run)
        sign_in.STEP.gather(run.context)
        chosen = site.choose(run.context)
        if chosen.id != before.get("id"):
            site.require_named(run.context, chosen)
            removable = run.context.answers.existing_record == "replace"
            graph, name = run.context.ports.graph, run.context.server_name
            require_free_name(graph, chosen.id, name, removable=removable)
            take_back(run, {RegisterServer.kind})
            run.runner.take_back([f"answer:{_JOINED}"])
        changed = enrol(run, first=("site",))
        after = _joined(run)
    if not changed:
        return Result(
            "unchanged", {"site": after}, text=[text("It belongs to {name} already.", name=after["name"])]
        )
    return Result("changed", {"site": after}, text=[text("It belongs to {name} now.", name=after["name"])])


def _left(run: Run) -> bool:
    """Whether a change was cut off when the server had left its site and joined none."""
    receipt = run.context.receipt
    return site.STEP.name in receipt.steps and remembered(receipt, _JOINED) is None


def _joined(run: Run) -> JsonObject:
    joined = remembered(run.context.receipt, _JOINED)
    if not isinstance(joined, dict):
        raise UsageError(
            "site-not-joined",
            "this server has not joined a site yet",
            hint="Run mstunnel-setup.",
        )
    return joined
