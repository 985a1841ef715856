"""The command line of `mstunnel_uplink`, started by systemd on the host and by Podman as an OCI hook."""

import sys
from typing import Final

from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text

_USAGE: Final = text("Usage: mstunnel_uplink serve ACCOUNT, or mstunnel_uplink attach PORT\n")


def main() -> int:
    """Run `mstunnel_uplink` and return the exit code."""
    match sys.argv[1:]:
        case ["-h" | "--help"]:
            sys.stdout.write(_USAGE)
            return 0
        case ["serve" as side, given] | ["attach" as side, given] if side == "serve" or whole_number(given):
            return _run(side, given)
        case _:
            from mstunnel_setup.base.errors import ExitCode

            sys.stderr.write(_USAGE)
            return ExitCode.USAGE


def _run(side: str, given: str) -> int:
    from mstunnel_setup.base.errors import ExitCode, SetupError
    from mstunnel_setup.cli.framework.streams import refuse_undecodable
    from mstunnel_setup.io.clock import Clock
    from mstunnel_setup.io.own_process import refuse_code_of_others
    from mstunnel_setup.io.process import Processes
    from mstunnel_setup.operations import uplink_connection

    try:
        refuse_undecodable([given], {})
        if side == "serve":
            refuse_code_of_others()
            uplink_connection.serve(given, Processes(), Clock())
        else:
            # Podman writes the state of the container to standard input and waits until it is read.
            sys.stdin.read()
            uplink_connection.attach(whole_number(given) or 0, Processes())
    except SetupError as error:
        sys.stderr.write(f"mstunnel_uplink: {error.message!s}\n")
        return error.exit_code
    return ExitCode.DONE
