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
_DEFAULT_DIRECTORY: Final = Path("lab")


@app.command()
def serve(
    directory: Directory = _DEFAULT_DIRECTORY,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8443,
    seed: Annotated[Path | None, typer.Option(help="YAML file that describes a new tenant.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option(help="DNS name or address for the certificate; the first is in URLs.")
    ] = None,
) -> None:
    """Serve the tenant in the foreground; DIR/lab.json appears when it is ready."""
    from mstunnel_setup.lab.serve import Settings  # noqa: PLC0415 - keeps --help fast
    from mstunnel_setup.lab.serve import serve as run  # noqa: PLC0415 - keeps --help fast

    if not 0 <= port <= _MAX_PORT:
        raise UsageError("lab-port", f"{port} is not a port", f"give a number from 0 to {_MAX_PORT}")
    raise typer.Exit(run(Settings(directory, port, host, tuple(name or ()), seed)))


@app.command()
def approve(user_code: str, user: Upn, directory: Directory = _DEFAULT_DIRECTORY) -> None:
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
