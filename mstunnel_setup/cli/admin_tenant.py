"""What all commands of `mst-admin` share: signing in, finding objects, showing them, making sure."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from mstunnel_setup.admin.change import Change
from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.merge import Answers, merge, require
from mstunnel_setup.answers.rules import needed_to_sign_in
from mstunnel_setup.answers.secret import SecretReference, resolve
from mstunnel_setup.cli.options import SignInOptions
from mstunnel_setup.errors import TenantError, UsageError
from mstunnel_setup.host.clock import SystemClock
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.http import HttpSession
from mstunnel_setup.host.safe_paths import FileError
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Notice, Result
from mstunnel_setup.tenant.authenticator import CLIENT_ID_QUESTION, Account, Entrance
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.sign_in import DeviceCode
from mstunnel_setup.tenant.text import plain
from mstunnel_setup.tenant.wire import (
    CONFIGURATION_READ_WRITE,
    DeviceConfiguration,
    HealthThreshold,
    TunnelConfiguration,
    TunnelServer,
    TunnelSite,
)
from mstunnel_setup.tls.ca_trust import added_roots_pem

Named = TypeVar("Named", TunnelConfiguration, TunnelSite, TunnelServer, DeviceConfiguration)
_WIDEST = 60
NOTHING = "Nothing to change."


def open_tenant(
    operator: Operator, options: SignInOptions, permissions: tuple[str, ...] = (CONFIGURATION_READ_WRITE,)
) -> AdminGraph:
    """The tenant of the answers (options, MSTUNNEL_ variables, answer file), signed in to.

    Raises UsageError for answers that are wrong or missing, SignInError, NetworkError.
    """
    given = _answers(operator, options)
    clock = SystemClock()
    http = HttpSession(clock, given.tenant.ca_file, roots=_added_roots(Files(operator.root)))
    where = cloud(given.tenant.cloud, given.tenant.authority, given.tenant.graph)

    def show(code: DeviceCode) -> None:
        left = (code.expires_at - clock.now()).total_seconds()
        operator.console.device_code(code.url, code.code, left, code.complete_url)

    entrance = Entrance(http, clock, where, show, operator.console.waiting, Files(), permissions)
    return AdminGraph(http, where, entrance.enter(_account(operator, given)), clock)


def _added_roots(files: Files) -> str:
    """The roots below ca-trust, on a gateway; none where this account may not read them."""
    try:
        return added_roots_pem(files)
    except FileError:
        return ""


def _answers(operator: Operator, options: SignInOptions) -> Answers:
    path = operator.answers
    given = merge(options.settings(), os.environ, None if path is None else load(path))
    if not operator.console.interactive:
        require(given, needed_to_sign_in(given.sign_in.method, has_pfx=given.sign_in.pfx is not None))
    return given


def _account(operator: Operator, given: Answers) -> Account:
    answers = given.sign_in
    client_id = answers.client_id or ""
    if not client_id and answers.method != "token-file":
        client_id = operator.console.ask(CLIENT_ID_QUESTION)
    return Account(
        method=answers.method,
        tenant=given.tenant.id,
        client_id=client_id,
        client_secret=_secret(operator, answers.client_secret),
        certificate=answers.certificate or "",
        key=answers.key or "",
        pfx=answers.pfx or "",
        passphrase=_secret(operator, answers.passphrase),
        token_file=answers.token_file or "",
    )


def _secret(operator: Operator, reference: SecretReference | None) -> str:
    if reference is None:
        return ""
    value = resolve(reference, Files(), os.environ).reveal()
    operator.secrets.register(value)
    return value


def chosen(what: str, wanted: str, by_name: Sequence[Named], by_id: Named | None) -> Named:
    """The one object meant. Raises TenantError `WHAT-unknown` and `WHAT-ambiguous`."""
    code = what.replace(" ", "-").lower()
    if by_id is not None:
        return by_id
    if not by_name:
        raise TenantError(f"{code}-unknown", f"the tenant has no {what} {wanted}", "Give its name or its id.")
    if len(by_name) > 1:
        ids = ", ".join(item.id for item in by_name)
        raise TenantError(
            f"{code}-ambiguous",
            f"{len(by_name)} objects of the kind {what} are called {wanted}",
            f"Give an id: {ids}.",
        )
    return by_name[0]


def find_configuration(graph: AdminGraph, wanted: str) -> TunnelConfiguration:
    """The server configuration with this name or id. Raises TenantError."""
    by_id = graph.configuration(wanted) if is_guid(wanted) else None
    return chosen("server configuration", wanted, [] if by_id else graph.configurations(wanted), by_id)


def find_site(graph: AdminGraph, wanted: str) -> TunnelSite:
    """The site with this name or id. Raises TenantError."""
    by_id = graph.site(wanted) if is_guid(wanted) else None
    return chosen("site", wanted, [] if by_id else graph.site_list(wanted), by_id)


def find_server(graph: AdminGraph, site_id: str, wanted: str) -> TunnelServer:
    """The server of a site with this name or id. Raises TenantError."""
    by_id = graph.server(site_id, wanted) if is_guid(wanted) else None
    named = [item for item in graph.servers(site_id) if item.display_name.casefold() == wanted.casefold()]
    return chosen("server", wanted, named, by_id)


def find_threshold(graph: AdminGraph, metric: str) -> HealthThreshold:
    """The thresholds of a metric. Raises TenantError `metric-unknown`, naming those there are."""
    found = graph.thresholds()
    for item in found:
        if item.id.casefold() == metric.casefold():
            return item
    names = ", ".join(item.id for item in found)
    raise TenantError("metric-unknown", f"no metric {metric} has thresholds", f"Give one of: {names}.")


def write_named(directory: Path, contents: Mapping[str, str]) -> None:
    """Write files into a directory that a person named; it is made when it is not there.

    What lies above the nearest directory that exists is that person's choice: it may be a shared place.
    """
    there = next(place for place in (directory, *directory.parents) if place.is_dir())
    files, below = Files(there), directory.relative_to(there)
    files.make_directories(str(PurePosixPath("/", below)))
    for name, content in contents.items():
        files.write(str(PurePosixPath("/", below, name)), content.encode())


def make_sure(operator: Operator, question: str, *, yes: bool) -> None:
    """Raise UsageError `not-confirmed` unless the person says yes, or has said so by an option."""
    if yes:
        return
    if not operator.console.interactive:
        raise UsageError("not-confirmed", f"unattended, but: {question}", "Say so with --yes.")
    if not operator.console.confirm(question):
        raise UsageError("not-confirmed", "nothing was changed", "Answer yes, or give --yes.")


def result_of(change: Change | None, data: Mapping[str, Any], warnings: tuple[Notice, ...] = ()) -> Result:
    """The result of a command that makes at most one change."""
    if change is None:
        return Result("unchanged", data, warnings, text=[NOTHING])
    return Result("changed", {**data, "change": change.document()}, warnings, text=list(change.lines()))


def table(rows: Sequence[Sequence[str]], head: Sequence[str], nothing: str) -> list[str]:
    """Rows in columns under a head; remote text loses its control characters."""
    if not rows:
        return [nothing]
    cells = [list(head), *([plain(cell, _WIDEST) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def details(document: Mapping[str, Any]) -> list[str]:
    """One line for every property that has a value."""
    width = max(map(len, document), default=0)
    return [f"{name:<{width}}  {line}" for name, value in document.items() if (line := _words(value))]


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_words(item)}" for name, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return ", ".join(_words(item) for item in value)
    return "" if value is None else plain(value)
