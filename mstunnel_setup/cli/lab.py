"""mstunnel-lab: a tenant of one's own, for demos, tests, training and proofs of concept."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from mstunnel_setup.errors import ExitCode, SetupError, UsageError

_MAX_PORT: Final = 65535

app = typer.Typer(
    help="A lab tenant: sign-in and the part of Microsoft Graph that Microsoft Tunnel needs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Directory = Annotated[
    Path, typer.Option("--dir", envvar="MSTUNNEL_LAB_DIR", help="Directory of the lab's files.")
]
Upn = Annotated[str, typer.Option("--user", help="User name, such as admin@contoso.example.")]
UserCode = Annotated[str, typer.Argument(metavar="USER_CODE", help="The code that the sign-in shows.")]
_DEFAULT_DIRECTORY: Final = Path("lab")


@app.command()
def serve(
    *,
    directory: Directory = _DEFAULT_DIRECTORY,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8443,
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
) -> None:
    """Serve the tenant in the foreground; DIR/lab.json appears when it is ready."""
    from mstunnel_setup.lab.opening import Settings  # noqa: PLC0415 - keeps --help fast
    from mstunnel_setup.lab.serve import serve as run  # noqa: PLC0415 - keeps --help fast
    from mstunnel_setup.lab.urls import CLOUD_NAMES  # noqa: PLC0415 - keeps --help fast

    if not 0 <= port <= _MAX_PORT:
        raise UsageError("lab-port", f"{port} is not a port", f"Give a number from 0 to {_MAX_PORT}.")
    if cloud and cloud not in CLOUD_NAMES:
        known = ", ".join(CLOUD_NAMES)
        raise UsageError("lab-cloud", f"there is no cloud called {cloud}", f"Use one of: {known}.")
    settings = Settings(directory, port, host, tuple(name or ()), tuple(seed or ()), cloud)
    raise typer.Exit(run(settings))


@app.command()
def approve(user_code: UserCode, user: Upn, directory: Directory = _DEFAULT_DIRECTORY) -> None:
    """Complete the device sign-in with USER_CODE as a user of the lab."""
    from mstunnel_setup.lab import remote  # noqa: PLC0415 - keeps --help fast

    remote.approve(directory, user_code, user)


@app.command()
def token(
    user: Upn,
    out: Annotated[Path, typer.Option(help="File for the token; only its owner can read it.")],
    directory: Directory = _DEFAULT_DIRECTORY,
) -> None:
    """Write an access token of a device user for the gateway to a file."""
    from mstunnel_setup.lab import remote  # noqa: PLC0415 - keeps --help fast

    remote.write_token(directory, user, out)


@app.command()
def fault(
    *,
    path: Annotated[str, typer.Option(help="Glob for the path of requests.")] = "*",
    status: Annotated[
        int | None,
        typer.Option(help="Answer with this status; 0: only delay.", show_default="503, with --aadsts 400"),
    ] = None,
    times: Annotated[int, typer.Option(help="For so many requests.")] = 1,
    retry_after: Annotated[int | None, typer.Option(help="Seconds for Retry-After.")] = None,
    aadsts: Annotated[int | None, typer.Option(help="Number for sign-in paths, such as 53003.")] = None,
    delay: Annotated[float, typer.Option(help="Seconds to wait first.")] = 0,
    clear: Annotated[bool, typer.Option("--clear", help="Forget all faults instead.")] = False,
    directory: Directory = _DEFAULT_DIRECTORY,
) -> None:
    """Let the running lab answer the next matching requests with a fault."""
    from mstunnel_setup.lab import remote  # noqa: PLC0415 - keeps --help fast

    if status is None:
        status = 503 if aadsts is None else 400
    wish = {"path": path, "status": status, "times": times, "delay": delay}
    wish |= {"retry_after": retry_after, "aadsts": aadsts}
    if clear:
        remote.control(directory, "DELETE", "faults")
    else:
        remote.control(directory, "POST", "faults", {"faults": [wish]})


@app.command()
def user(
    upn: Annotated[str, typer.Argument(metavar="UPN", help="User name, such as admin@contoso.example.")],
    *,
    refused_with: Annotated[
        int | None, typer.Option(help="AADSTS number that ends each sign-in, such as 53003; 0: none.")
    ] = None,
    mfa_code: Annotated[
        str | None, typer.Option(help='Six digits to type after the password; "": none.')
    ] = None,
    licensed: Annotated[bool | None, typer.Option(help="Give or take the Intune licence.")] = None,
    directory: Directory = _DEFAULT_DIRECTORY,
) -> None:
    """Change how the running lab lets a user in."""
    from mstunnel_setup.lab import remote  # noqa: PLC0415 - keeps --help fast

    wish = {"refused_with": refused_with, "mfa_code": mfa_code, "licensed": licensed}
    changes = {name: value for name, value in wish.items() if value is not None}
    remote.control(directory, "PATCH", f"users/{upn}", changes)


@app.command(name="rotate-keys")
def rotate_keys(
    *,
    retire: Annotated[bool, typer.Option("--retire", help="Also forget the older keys at once.")] = False,
    directory: Directory = _DEFAULT_DIRECTORY,
) -> None:
    """Sign tokens with a new key; those signed with the older ones stay good until they are retired."""
    from mstunnel_setup.lab import remote  # noqa: PLC0415 - keeps --help fast

    remote.control(directory, "POST", "keys")
    if retire:
        remote.control(directory, "DELETE", "keys")


def show_error(error: SetupError) -> None:
    """Write a foreseen failure to standard error."""
    hint = f"\n  {error.hint}" if error.hint else ""
    sys.stderr.write(f"error: {error.message}{hint}\n")


def main() -> None:
    """Run the command line; exit codes as in docs/reference/exit-codes.md."""
    try:
        app()
    except SetupError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
