"""The command line of `mstunnel-lab`: a local tenant for demos, tests and training."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import Field

from mstunnel_lab.faults import Fault
from mstunnel_setup.answers.address import is_host
from mstunnel_setup.base.errors import ExitCode, UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import text
from mstunnel_setup.cli.framework.command import App, Program, Work, run_program
from mstunnel_setup.io.operator import Operator

_PROGRAM = "mstunnel-lab"
_MAX_PORT: Final = 65535

app = App("A lab tenant: sign-in and the part of Microsoft Graph that Microsoft Tunnel uses.", Program)

Directory = Annotated[
    Path, typer.Option("--dir", envvar="MSTUNNEL_LAB_DIR", help="Directory of the lab's files.")
]
Upn = Annotated[str, typer.Option("--user", help="User name, such as admin@contoso.example.")]
UserCode = Annotated[str, typer.Argument(metavar="USER_CODE", help="The code shown at sign-in.")]
_DEFAULT_DIRECTORY: Final = Path("lab")


class LabEnd(Report):
    """The result of a lab that was stopped."""

    dir: str


class DeviceSignIn(Report):
    """A device sign-in that was completed."""

    user: str


class TokenFile(Report):
    """An access token that was written to a file."""

    user: str
    file: str


class PendingFaults(Report):
    """The pending faults."""

    faults: tuple[Fault, ...]


class UserReport(Report):
    """A user's sign-in settings; `refused_with` 0 and an empty `mfa_code` stand for unset."""

    upn: str
    refused_with: int
    mfa_code: str
    licensed: bool


class ServerHealth(Report):
    """The health that the lab shows of a server."""

    server: str
    health: str


class ProtectedCollections(Report):
    """The collections whose changes need an approval."""

    protected: tuple[str, ...]


class ApprovalRequest(Report):
    """One approval request."""

    id: str
    status: str
    justification: str = Field(validation_alias="requestJustification")
    expires: str = Field(validation_alias="expirationDateTime")
    note: str | None = Field(validation_alias="approvalJustification", description="Note of the approver.")


class ApprovalRequests(Report):
    """The approval requests."""

    requests: tuple[ApprovalRequest, ...]


class ValidKeys(Report):
    """The ids of all valid keys, including the one that signs."""

    keys: tuple[str, ...]


@contextmanager
def _extra() -> Iterator[None]:
    """Raise `UsageError` if the block imports a package of the missing extra `lab`."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            "lab-not-installed",
            "the lab needs {name}, which is not installed",
            hint=(
                "Use the file mstunnel-lab of the release, or install the wheel with its extra: "
                "`pip install 'WHEEL[lab]'`."
            ),
            name=error.name,
        ) from error


@app.command()
def serve(
    *,
    directory: Directory = _DEFAULT_DIRECTORY,
    port: Annotated[int, typer.Option(help="Port; 0 chooses a free one.")] = 8443,
    seed: Annotated[
        list[Path] | None,
        typer.Option(help="YAML file that describes a new tenant; give one for each tenant."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option(help="DNS name or address for the certificate; the first is in URLs.")
    ] = None,
    cloud: Annotated[
        str, typer.Option(help="Use the host names of this cloud: public, gcc-high, dod or china.")
    ] = "",
) -> Work:
    """Serve the tenant in the foreground; DIR/lab.json appears when it is ready."""

    @_extra()
    def work(operator: Operator) -> Result[LabEnd]:
        from mstunnel_lab import serve, urls

        if not 0 <= port <= _MAX_PORT:
            raise UsageError(
                "lab-port-invalid",
                "{port} is not a port number",
                hint="Give a number from 0 to {largest}.",
                port=port,
                largest=_MAX_PORT,
            )
        _require_hosts("--host", [host])
        _require_hosts("--name", name or ())
        if cloud and cloud not in urls.CLOUD_NAMES:
            raise UsageError(
                "lab-cloud",
                "there is no cloud {cloud}",
                hint="Use one of: {known}.",
                cloud=cloud,
                known=", ".join(urls.CLOUD_NAMES),
            )

        def announce(lab: Mapping[str, object]) -> None:
            """Print how to use the lab, now that it is ready; with JSON only the result is printed."""
            if not operator.json:
                lines = (f"The lab tenant is ready: {lab['admin_center']}", "Install a gateway for it with:")
                accounts = f"Accounts and their passwords are in {directory / 'lab.json'}."
                operator.sinks.stream([*lines, f"  {lab['setup']}", accounts])

        settings = serve.ServeSettings(directory, port, host, tuple(name or ()), tuple(seed or ()), cloud)
        if serve.serve(settings, announce) is ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        return Result(report=LabEnd(dir=str(directory)))

    return work


def _require_hosts(option: str, given: Iterable[str]) -> None:
    for host in given:
        if not is_host(host):
            raise UsageError(
                "lab-host",
                "{option}: {host!r} is neither a host name nor an IP address",
                hint="Give one, such as 127.0.0.1; write a name in its ASCII form.",
                option=option,
                host=host,
            )


def _for_running_lab(name: str | None = None) -> Callable[[Callable[..., Result]], None]:
    """Declare a command about a running lab: a function that imports and does the work itself."""

    def declare(function: Callable[..., Result]) -> None:
        @wraps(function)
        def deferred(**given: Any) -> Work:
            @_extra()
            def work(_operator: Operator) -> Result:
                return function(**given)

            return work

        app.command(name)(deferred)

    return declare


@_for_running_lab()
def approve(
    user_code: UserCode, user: Upn, directory: Directory = _DEFAULT_DIRECTORY
) -> Result[DeviceSignIn]:
    """Complete the device sign-in with USER_CODE as a user of the lab."""
    from mstunnel_lab import remote

    remote.approve(directory, user_code, user)
    return Result("changed", DeviceSignIn(user=user), text=[f"The device is signed in as {user}."])


@_for_running_lab()
def token(
    user: Upn,
    out: Annotated[Path, typer.Option(help="File for the token; only its owner can read it.")],
    directory: Directory = _DEFAULT_DIRECTORY,
) -> Result[TokenFile]:
    """Write an access token of a device user for the gateway to a file."""
    from mstunnel_lab import remote

    remote.write_token(directory, user, out)
    report = TokenFile(user=user, file=str(out))
    return Result("changed", report, text=[text("{out} has a token of {user}.", out=out, user=user)])


@_for_running_lab()
def fault(
    *,
    path: Annotated[str, typer.Option(help="Glob for the path of requests.")] = "*",
    status: Annotated[
        int | None,
        typer.Option(help="Answer with this status; 0: only delay.", show_default="503, with --aadsts 400"),
    ] = None,
    times: Annotated[int, typer.Option(help="Number of requests.")] = 1,
    retry_after: Annotated[int | None, typer.Option(help="Seconds for Retry-After.")] = None,
    aadsts: Annotated[int | None, typer.Option(help="Number for sign-in paths, such as 53003.")] = None,
    delay: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, max=300, help="Seconds to wait before the answer."),
    ] = 0,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all faults instead.")] = False,
    directory: Directory = _DEFAULT_DIRECTORY,
) -> Result[PendingFaults]:
    """Make the running lab fail the next matching requests."""
    from mstunnel_lab import remote

    default = 503 if aadsts is None else 400
    wanted = {"path": path, "status": default if status is None else status, "times": times, "delay": delay}
    wanted |= {"retry_after": retry_after, "aadsts": aadsts}

    if clear:
        waiting = remote.control(directory, "DELETE", "faults")
    else:
        waiting = remote.control(directory, "POST", "faults", {"faults": [wanted]})
    report = PendingFaults.model_validate(waiting)
    return Result("changed", report, text=[f"Pending faults: {len(report.faults)}."])


@_for_running_lab()
def user(
    upn: Annotated[str, typer.Argument(metavar="UPN", help="User name, such as admin@contoso.example.")],
    *,
    refused_with: Annotated[
        int | None, typer.Option(help="AADSTS number that ends each sign-in, such as 53003; 0: none.")
    ] = None,
    mfa_code: Annotated[
        str | None, typer.Option(help='Six digits to type after the password; "": none.')
    ] = None,
    licensed: Annotated[bool | None, typer.Option(help="Assign or remove the Intune licence.")] = None,
    directory: Directory = _DEFAULT_DIRECTORY,
) -> Result[UserReport]:
    """Change how a user of the running lab signs in."""
    from mstunnel_lab import remote

    wanted = {"refused_with": refused_with, "mfa_code": mfa_code, "licensed": licensed}
    changes = {name: value for name, value in wanted.items() if value is not None}

    report = UserReport.model_validate(remote.control(directory, "PATCH", f"users/{upn}", changes))
    text = [f"{name}: {value}" for name, value in report]
    return Result("changed" if changes else "unchanged", report, text=text)


@_for_running_lab()
def protect(
    collections: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COLLECTION...", help="Name in Graph, such as mobileApps.", show_default=False
        ),
    ] = None,
    *,
    nothing: Annotated[bool, typer.Option("--nothing", help="Protect no collection any more.")] = False,
    directory: Directory = _DEFAULT_DIRECTORY,
) -> Result[ProtectedCollections]:
    """Require an approval for changes of these collections (Multi Admin Approval); without any, list them."""
    from mstunnel_lab import remote

    if collections or nothing:
        found = remote.control(directory, "PUT", "access-policies", {"protected": collections or []})
    else:
        found = remote.control(directory, "GET", "access-policies")
    report = ProtectedCollections.model_validate(found)
    words = text("Protected: {names}.", names=", ".join(report.protected) or text("nothing"))
    return Result("changed" if collections or nothing else "ok", report, text=[words])


class Decision(StrEnum):
    """A decision about an approval request."""

    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@_for_running_lab()
def approvals(directory: Directory = _DEFAULT_DIRECTORY) -> Result[ApprovalRequests]:
    """List the approval requests of the running lab."""
    from mstunnel_lab import remote

    found = ApprovalRequests.model_validate(remote.control(directory, "GET", "approvals"))
    lines = [f"{item.id}  {item.status:<13}  {item.justification}" for item in found.requests]
    return Result("ok", found, text=lines or [text("There is no request.")])


@_for_running_lab()
def decide(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the approval request.")],
    decision: Annotated[Decision, typer.Argument(metavar="DECISION", help="The new status.")],
    *,
    note: Annotated[str, typer.Option(help="Note of the approver.")] = "",
    directory: Directory = _DEFAULT_DIRECTORY,
) -> Result[ApprovalRequest]:
    """Decide about an approval request, as a second administrator does in the admin center."""
    from mstunnel_lab import remote

    wanted = {"status": decision.value, "note": note}
    answer = remote.control(directory, "PATCH", f"approvals/{request}", wanted)
    found = ApprovalRequest.model_validate(answer)
    return Result("changed", found, text=[text("{id} is {status}.", id=found.id, status=found.status)])


@_for_running_lab()
def report(
    server: Annotated[str, typer.Argument(metavar="SERVER", help="Name or id of the server.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Output of `mst-cli health --output json` on the server.")
    ],
    directory: Directory = _DEFAULT_DIRECTORY,
) -> Result[ServerHealth]:
    """Set the health of a server in the running lab: Graph has no way for a server to report it."""
    from mstunnel_lab import remote

    health = remote.report_health(directory, server, file)
    found = ServerHealth(server=server, health=health.status.value)
    return Result("changed", found, text=[f"The lab shows {server} as {health.status.value}."])


@_for_running_lab("rotate-keys")
def rotate_keys(
    *,
    retire: Annotated[bool, typer.Option("--retire", help="Also retire the older keys at once.")] = False,
    directory: Directory = _DEFAULT_DIRECTORY,
) -> Result[ValidKeys]:
    """Sign tokens with a new key; tokens of the older keys stay valid until those are retired."""
    from mstunnel_lab import remote

    keys = remote.control(directory, "POST", "keys")
    if retire:
        keys = remote.control(directory, "DELETE", "keys")
    report = ValidKeys.model_validate(keys)
    return Result("changed", report, text=[f"Valid keys: {', '.join(report.keys)}."])


def main() -> int:
    """Run `mstunnel-lab`; returns the exit code."""
    return run_program(app, _PROGRAM)
