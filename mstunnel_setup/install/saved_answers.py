"""`mstunnel-setup answers save`: the answers of this installation, as an answer file for the next server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.merge import merge
from mstunnel_setup.answers.values import pem_certificates
from mstunnel_setup.answers.variables import PROXIES
from mstunnel_setup.base import paths
from mstunnel_setup.base.result import Notice, Result, warning
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.gateway import env_file
from mstunnel_setup.install.answer_file import write_new
from mstunnel_setup.install.installed import journal_of, own_scope, require_installed
from mstunnel_setup.install.session import earlier_answers
from mstunnel_setup.install.steps.environment import TENANT_ROOTS
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.readiness.parse import proxy_places
from mstunnel_setup.transaction.receipt import Receipt

# What is true of one server only.
_OF_THIS_SERVER = frozenset({"server_name", "existing_record", "left_record"})


def save(operator: Operator, file: Path) -> Result:
    """Write the answers of the installation here to `file`, readable by its owner only.

    Raises UsageError `not-installed` where no installation has begun, `file-exists`.
    """
    receipt = journal_of(own_scope(operator), operator).receipt
    require_installed(receipt)
    variables, withheld = _variables(operator.files)
    told = {**_told(receipt, operator.files), "environment": variables}
    content = describe.new_file(merge({}, {}, None, told))
    write_new(operator.files, file, content)
    notices: tuple[Notice, ...] = (
        (
            warning(
                "proxy-left-out",
                "{names} holds a password, which an answer file cannot; it is left out",
                hint="Set it in the shell on the next server, before you run mstunnel-setup there.",
                names=", ".join(withheld),
            ),
        )
        if withheld
        else ()
    )
    lines = [
        text("The answers of this installation are in {file}.", file=file),
        text("Install another server with `mstunnel-setup --answers {name} --unattended`.", name=file.name),
    ]
    return Result("changed", {"file": str(file)}, notices, text=lines)


def _told(receipt: Receipt, files: Files) -> dict[str, Any]:
    """The answers by setting path; secrets are references."""
    told = {path: value for path, value in earlier_answers(receipt).items() if path not in _OF_THIS_SERVER}
    joined = remembered(receipt, "joined-site")
    if isinstance(joined, dict):
        told["site"] = joined["id"]
    if remembered(receipt, "accepted-eula"):
        told["eula"] = "accept"
    return _without_own_images(_with_roots(told, files))


def _with_roots(told: dict[str, Any], files: Files) -> dict[str, Any]:
    """The answers with the tenant's roots in the file itself: their own file is on this server only."""
    roots = pem_certificates((files.read(TENANT_ROOTS) or b"").decode("ascii", errors="ignore"))
    if roots and "tenant.ca_file" in told:
        return {**told, "tenant.ca_file": None, "tenant.ca_pem": roots}
    return told


def _without_own_images(told: dict[str, Any]) -> dict[str, Any]:
    """The answers without the images that the program names itself: the next release has other ones."""
    own = release_images()
    if own is None:
        return told
    names = {f"images.{name}": each for name, each in own.references(told.get("images.registry")).items()}
    return {path: value for path, value in told.items() if names.get(path) != value}


def _variables(files: Files) -> tuple[dict[str, str], list[str]]:
    """What `env.sh` sets, and the names of proxies that are withheld because they hold a password."""
    text = (files.read(paths.ENVIRONMENT) or b"").decode(errors="replace")
    found = _in_one_case(env_file.parse(text, paths.ENVIRONMENT))
    withheld = [str(place.name) for place in proxy_places("", found) if place.credentials]
    return {name: value for name, value in found.items() if name not in withheld}, withheld


def _in_one_case(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables; a proxy, which `env.sh` has in lower and upper case, only in lower."""
    lower = {name: variables.get(name) or variables.get(name.upper(), "") for name in PROXIES}
    others = {name: value for name, value in variables.items() if name.lower() not in PROXIES}
    return {**{name: value for name, value in lower.items() if value}, **others}
