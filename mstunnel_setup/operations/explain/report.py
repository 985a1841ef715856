"""`mst-cli explain USER|ADDRESS`: one table from token to certificate, with the next step for each row."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import fold, folded, text
from mstunnel_setup.gateway.occtl import judge_word
from mstunnel_setup.gateway.served import read_served
from mstunnel_setup.install.session import Run
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate.activation import installed_run
from mstunnel_setup.operations.explain import device_rows, network_rows
from mstunnel_setup.operations.explain.gather import gather, read_rules, read_token
from mstunnel_setup.operations.explain.model import Facts, Row, Subject, Token
from mstunnel_setup.operations.explain.token_rules import user_of

_ROWS: Final[Sequence[Callable[[Facts], Row]]] = (
    device_rows.gateway,
    device_rows.token,
    device_rows.claims,
    device_rows.session,
    device_rows.lease,
    network_rows.routes,
    network_rows.dns,
    network_rows.firewall,
    network_rows.inbound,
    network_rows.certificate,
)
_TABLE: Final = "{:12} {:8} "


def explain(operator: Operator, who: str, token_file: Path | None) -> Result:
    """Every row about `who`: a user, an address of a device or a destination, or a host name.

    The exit code is 3 with a problem among the rows. Raises UsageError where nothing is installed, for a
    subject that is no word, for a name (UPN) that only the tenant could resolve, and for a token file that
    is not there.
    """
    judge_word("WHO", who)
    subject = Subject(who)
    token = None if token_file is None else read_token(operator, token_file)
    with installed_run(operator, {}, exclusively=False) as run:
        facts = gather(operator, run, _known_user(run, subject, token), token)
    found = rows(facts)
    results = {row.result for row in found}
    return Result(
        "warning" if results & {"problem", "warning"} else "ok",
        {"subject": who, "kind": subject.kind, "rows": [vars(row) for row in found]},
        text=[*_lines(found)],
        exit_code=ExitCode.CHECK if "problem" in results else ExitCode.DONE,
    )


def rows(facts: Facts) -> list[Row]:
    """All rows, from the device to what it sees of the gateway."""
    return [row(facts) for row in _ROWS]


def _known_user(run: Run, subject: Subject, token: Token | None) -> Subject:
    """The user as the gateway knows them: for a UPN the object id in their token.

    Raises UsageError `user-name-unresolved`. A guest never has a session, so a guest needs no id; without
    tokens, user names are what RADIUS or the certificates say.
    """
    files = run.context.ports.files
    served = read_served(files.read(paths.OCSERV_CONF) or b"")
    if "@" not in subject.text or subject.is_guest or (served is not None and not served.by_token):
        return subject
    user = user_of(token.claims, read_rules(files)) if token and token.names(subject.text) else ""
    if not user:
        raise UsageError(
            "user-name-unresolved",
            "the gateway identifies users by object id, not by name: {name}",
            hint="Find the object id in the Entra admin center (Users > Overview) or with "
            "`az ad user show --id {name} --query id`, then run `mst-cli explain ID`. Or add "
            "`--token-file FILE` with a token of this user.",
            name=subject.text,
        )
    return Subject(user)


def _lines(found: Sequence[Row]) -> Iterator[str]:
    """The table, at most 80 columns wide; the next step is below what was seen."""
    yield from _line(text("Row"), text("Result"), text("Seen, and the next step"))
    for row in found:
        yield from _line(row.id, row.result, row.seen)
        if row.hint:
            yield from _line("", "", f"> {row.hint}")


def _line(identifier: str, result: str, text: str) -> list[str]:
    head = _TABLE.format(identifier, result)
    return folded(fold(head + text, len(head)), identifier, result, text)
